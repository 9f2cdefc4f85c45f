// Whether a real server is on this machine.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of an executable program, looked for in PATH and where servers are; undefined when there is none. */
export function installed(program: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin'];
  return directories.map((directory) => join(directory, program)).find(executable);
}

/**
 * Varka's sandbox without namespaces leads the connections of Node programs into the cluster's network. A real server's
 * ports would be the machine's: nobody in the cluster would find them, and two pods could not have the same.
 */
export function sharesMachinesPorts(): boolean {
  return process.env['VARKA_FABRIC'] !== undefined;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

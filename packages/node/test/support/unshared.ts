// Runs a program where pods can be: inside namespaces of its own, as root and as an unprivileged user.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';

export type Mode = 'root' | 'user';
export const MODES: readonly Mode[] = ['root', 'user'];

/** A user that is nobody in particular, for when the tests themselves run as root. */
const NOBODY = '65534';

/** The command line `varka up` uses too: if its first process dies, everything inside does. */
function wrapper(mode: Mode): string[] {
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  if (mode === 'root') return unshare;
  const rootless = ['unshare', '--user', '--map-root-user', ...unshare.slice(1)];
  const drop = ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--no-new-privs'];
  return process.getuid?.() === 0 ? [...drop, ...rootless] : rootless;
}

/** Why this machine cannot run tests this way; undefined when it can. */
export function refusal(mode: Mode, script: string): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are Linux only';
  if (mode === 'root' && process.getuid?.() !== 0) return 'not root';
  const [command = '', ...args] = [
    ...wrapper(mode),
    process.execPath,
    '-e',
    `fs.accessSync(${JSON.stringify(script)})`,
  ];
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (error !== undefined) return `${command}: ${error.message}`;
  return status === 0 ? undefined : `${command} failed: ${stderr.trim().split('\n')[0]}`;
}

export function start(mode: Mode, script: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const [command = '', ...rest] = [...wrapper(mode), process.execPath, script, ...args];
  // A test file inside reports in text of its own, not to the runner outside.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  return spawn(command, rest, { ...options, env });
}

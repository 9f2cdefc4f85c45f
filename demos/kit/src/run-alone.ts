// Starts an application's programs on this machine's own ports, without a mesh, until Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface AloneProgram {
  /** Stands before each line of its output. */
  readonly name: string;
  readonly module: URL;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Prints `guide` and runs all programs; when one ends by itself the others are stopped, with exit code 1. */
export function runAlone(programs: readonly AloneProgram[], guide: string): void {
  const running = new Set<ChildProcess>();
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    process.exitCode = code;
    for (const child of running) child.kill('SIGTERM');
  };
  const width = Math.max(...programs.map(({ name }) => name.length));
  for (const { name, module, args = [], env = {} } of programs) {
    const child = spawn(process.execPath, [fileURLToPath(module), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.trimEnd().split('\n')) console.log(`${name.padEnd(width)} | ${line}`);
      });
    }
    child.on('exit', (code, signal) => {
      running.delete(child);
      if (stopping) return;
      console.error(`${name} ended (${signal ?? `exit code ${code}`}); stopping the others`);
      stop(1);
    });
  }
  // Ctrl-C reaches the children too; signals sent to this process alone are passed on.
  process.on('SIGINT', () => stop(0));
  process.on('SIGTERM', () => stop(0));
  console.log(guide);
}

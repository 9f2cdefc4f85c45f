// A pod backend whose pods are this machine: commands are its programs, ports its ports, every container runs.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import type { CommandSession, PodBackend } from '../../src/server/pod-backend.ts';
import { StatusError } from '../../src/status-error.ts';

export interface LocalPods extends PodBackend {
  /** Those that have not ended. */
  readonly running: ReadonlySet<number>;
  readonly sizes: { readonly columns: number; readonly rows: number }[];
}

/** `attach` is to a program that answers every line with `echo LINE`. */
export function localPods(overrides: Partial<PodBackend> = {}): LocalPods {
  const running = new Set<number>();
  const sizes: LocalPods['sizes'] = [];
  const run = async (command: readonly string[], stdin: boolean, signal: AbortSignal): Promise<CommandSession> => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: true });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const kill = (): void => {
      if (pid !== undefined && child.exitCode === null) process.kill(-pid, 'SIGKILL');
    };
    signal.addEventListener('abort', kill);
    const exited = new Promise<number>((resolve, reject) => {
      child.on('error', (error) =>
        reject(StatusError.internal(`error executing command in container: ${error.message}`)),
      );
      child.on('exit', () => running.delete(pid ?? 0));
      child.on('close', (code) => {
        signal.removeEventListener('abort', kill);
        resolve(code ?? 137);
      });
    });
    child.stdin?.on('error', () => undefined);
    const resize = (size: LocalPods['sizes'][number]): void => void sizes.push(size);
    return {
      ...(child.stdin === null ? {} : { stdin: child.stdin }),
      // Node drops what nobody has begun to read when a child ends.
      stdout: child.stdout!.pipe(new PassThrough()),
      stderr: child.stderr!.pipe(new PassThrough()),
      resize,
      exited,
    };
  };
  return {
    running,
    sizes,
    async *logs(_namespace, pod, { container }) {
      yield Buffer.from(`hello from ${pod}/${container}\n`);
    },
    exec: (_namespace, _pod, command, { stdin }, signal) => run(command, stdin, signal),
    attach: (_namespace, _pod, { stdin }, signal) => run(['sed', '-u', 's/^/echo /'], stdin, signal),
    connect: (_namespace, _pod, port) => connect(port, '127.0.0.1'),
    usage: () => ({ pods: [], nodes: [] }),
    ...overrides,
  };
}

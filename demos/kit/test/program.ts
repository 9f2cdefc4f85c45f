// Starts a demo's program as a process of its own, on a free port.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Program {
  readonly port: number;
  readonly startLine: string;
  readonly process: ChildProcess;
  get(path: string, init?: RequestInit): Promise<{ status: number; type: string | null; text: string }>;
  /** Resolves to the exit code. */
  stop(): Promise<number | null>;
}

export async function start(
  module: URL,
  env: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<Program> {
  const child = spawn(process.execPath, [fileURLToPath(module), ...args], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  const startLine = first.toString().trimEnd();
  const port = Number(/(?::|port )(\d+)/.exec(startLine)?.[1]);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  return {
    port,
    startLine,
    process: child,
    async get(path, init) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

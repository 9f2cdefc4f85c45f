// A person at a terminal: a command of this machine runs on it, is typed to, and what it shows is waited for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { PodProcess } from '../../../packages/node/src/sandbox/pod-network.ts';
import { standardStreams } from '../../../packages/node/src/sandbox/standard-streams.ts';
import type { Mesh } from './mesh.ts';

const PATIENCE_MS = 20_000;

export class TerminalSession {
  /** The command's exit code, once it has ended. */
  readonly code: Promise<number | null>;
  readonly #process: PodProcess;
  #shown = '';
  #wake = (): void => undefined;

  constructor(mesh: Mesh, program: string, args: readonly string[]) {
    const streams = standardStreams([program, ...args], { terminal: { columns: 100, rows: 30 } });
    const [command = '', ...rest] = streams.argv;
    this.#process = streams.attach(
      spawn(command, rest, { env: mesh.environment, detached: true, stdio: streams.stdio }),
    );
    const { child, stdout } = this.#process;
    this.code = once(child, 'exit').then(([code]) => code as number | null);
    stdout.on('data', (chunk: Buffer) => {
      this.#shown += chunk;
      this.#wake();
    });
    stdout.on('close', () => this.#wake());
  }

  type(text: string): void {
    this.#process.stdin?.write(text);
  }

  resize(size: { readonly columns: number; readonly rows: number }): void {
    this.#process.resize?.(size);
  }

  /** Takes off what was shown up to and with the match. */
  async until(pattern: RegExp): Promise<void> {
    const late = setTimeout(() => this.#process.child.kill('SIGKILL'), PATIENCE_MS);
    for (;;) {
      const found = pattern.exec(this.#shown);
      if (found !== null) {
        this.#shown = this.#shown.slice(found.index + found[0].length);
        clearTimeout(late);
        return;
      }
      if (this.#process.stdout.destroyed)
        throw new Error(`${pattern} was not shown, but ${JSON.stringify(this.#shown)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

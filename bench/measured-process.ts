// A program under measurement: started, waited for, its processor time read from /proc, and ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** USER_HZ: what the kernel counts utime and stime in, on every architecture Node runs on. */
const TICK_MICROSECONDS = 10_000;

export class MeasuredProcess {
  readonly #child: ChildProcess;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-4000);
    });
  }

  /** Starts a program and resolves once it accepts connections on `port`. */
  static async start(command: string, args: readonly string[], port: number): Promise<MeasuredProcess> {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const started = new MeasuredProcess(child);
    for (let attempt = 0; attempt < 200; attempt++) {
      if (child.exitCode !== null) break;
      if (await accepts(port)) return started;
      await delay(50);
    }
    await started.stop();
    throw new Error(`${command} ${args.join(' ')} does not answer on port ${port}: ${started.#output}`);
  }

  /** Processor time of the process and its children so far, in microseconds. */
  cpuMicroseconds(): number {
    return family(this.#child.pid!).reduce((sum, pid) => sum + ticksOf(pid), 0) * TICK_MICROSECONDS;
  }

  /** Resident memory, in kilobytes. */
  residentKilobytes(): number {
    return family(this.#child.pid!).reduce((sum, pid) => {
      const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return sum + Number(match?.[1] ?? 0);
    }, 0);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const stubborn = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await exited;
    clearTimeout(stubborn);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** proc(5): fields 14 and 15, counted from the one after the command. */
function ticksOf(pid: number): number {
  const fields = statFields(pid);
  return Number(fields[11]) + Number(fields[12]);
}

function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => parentOf(other) === pid);
  return [pid, ...children];
}

function parentOf(pid: number): number {
  try {
    return Number(statFields(pid)[1]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH')
      return -1;
    throw error;
  }
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

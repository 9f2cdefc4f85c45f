// One run of a container: a process and all it starts, its output, its end.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { PodProcess, PodSandbox, SpawnOptions } from '../sandbox/pod-network.ts';
import { killSession, signalProcess } from '../sandbox/processes.ts';
import type { LogStream } from './container-log.ts';
import type { ContainerPlan } from './container-plan.ts';

/** How long an ended container's output is read on: only a process that escaped the session keeps it open. */
const DRAIN_MS = 1_000;

export interface ExitStatus {
  readonly exitCode: number;
  readonly signal?: number;
}

/** The program could not be started at all. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export class ContainerProcess {
  readonly pid: number;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly resize: PodProcess['resize'];
  /** Resolves once the process, everything in its session and its output have ended; somebody has to read that. */
  readonly exited: Promise<ExitStatus>;
  #isOver = false;

  private constructor({ child, stdin, stdout, stderr, resize }: PodProcess, ended: Promise<ExitStatus>) {
    this.pid = child.pid as number;
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.resize = resize;
    child.on('error', () => this.kill());
    stdin?.on('error', () => undefined); // it has ended, or closed its input: nobody to tell
    const closed = Promise.all([closing(stdout), closing(stderr)]);
    this.exited = ended.then(async (status) => {
      killSession(this.pid);
      this.#isOver = true;
      await this.#drain(closed);
      this.dropOutput();
      return status;
    });
  }

  /** Resolves when the program runs; rejects with a `StartError`. */
  static async start(
    sandbox: PodSandbox,
    plan: ContainerPlan,
    streams: Pick<SpawnOptions, 'stdin' | 'terminal'> = {},
  ): Promise<ContainerProcess> {
    let started: PodProcess;
    try {
      const { argv, env, cwd, mounts, ports, root } = plan;
      started = sandbox.spawn(argv, { env, cwd, mounts, ports, ...(root === undefined ? {} : { root }), ...streams });
    } catch (error) {
      throw new StartError(whyNot(plan, error as Error), { cause: error });
    }
    const { child, stdin, stdout, stderr } = started;
    const ended = new Promise<ExitStatus>((resolve) => {
      child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
    });
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
    } catch (error) {
      for (const stream of [stdin, stdout, stderr]) stream?.destroy();
      throw new StartError(whyNot(plan, error as Error), { cause: error });
    }
    return new ContainerProcess(started, ended);
  }

  /** Reads the output, all of it from now on. */
  onOutput(listener: (stream: LogStream, chunk: Buffer) => void): void {
    this.stdout.on('data', (chunk: Buffer) => listener('stdout', chunk));
    this.stderr.on('data', (chunk: Buffer) => listener('stderr', chunk));
  }

  /** For when nobody will read the rest. */
  dropOutput(): void {
    this.stdout.destroy();
    this.stderr.destroy();
  }

  /** To the container's first process, as the kubelet has the runtime do it. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#isOver) signalProcess(this.pid, signal);
  }

  /** The process and all of its session. */
  kill(): void {
    if (this.#isOver) return;
    signalProcess(this.pid, 'SIGKILL');
    killSession(this.pid);
  }

  /** Until the output has ended, or what still holds it open has nothing to say. */
  async #drain(closed: Promise<unknown>): Promise<void> {
    let isClosed = false;
    const end = closed.then(() => {
      isClosed = true;
    });
    do await Promise.race([end, delay(DRAIN_MS, undefined, { ref: false })]);
    while (!isClosed && this.stdout.readableLength + this.stderr.readableLength > 0);
  }
}

function closing(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    // A pipe gives no errors worth more than its end.
    stream.on('error', () => resolve());
    stream.on('close', () => resolve());
  });
}

/** A shell's convention for signals, which container runtimes keep: 128 + number. */
function exitStatus(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
  if (signal === null) return { exitCode: code ?? 255 };
  const number = constants.signals[signal];
  return { exitCode: 128 + number, signal: number };
}

function whyNot({ argv, cwd, root }: ContainerPlan, error: Error): string {
  const [program = ''] = argv;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') {
    return existsSync(root === undefined ? cwd : join(root.image, cwd))
      ? `exec: "${program}": no such program in $PATH or on disk`
      : `chdir to workingDir "${cwd}": no such directory`;
  }
  if (code === 'EACCES') return `exec: "${program}": permission denied (is it executable? may "${cwd}" be entered?)`;
  return `exec: "${program}": ${error.message}`;
}

// One run of a container: a process and all it starts, its output, its end.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { PodProcess, PodSandbox } from '../sandbox/pod-network.ts';
import { killSession, signalProcess } from '../sandbox/processes.ts';
import type { ContainerLog, LogStream } from './container-log.ts';
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
  /** Resolves once the process, everything in its session and its output have ended. */
  readonly exited: Promise<ExitStatus>;

  private constructor(pid: number, exited: Promise<ExitStatus>) {
    this.pid = pid;
    this.exited = exited;
  }

  /** Resolves when the program runs; rejects with a `StartError`. */
  static async start(sandbox: PodSandbox, plan: ContainerPlan, output: ContainerLog): Promise<ContainerProcess> {
    return ContainerProcess.#start(sandbox, plan, (stream, chunk) => output.write(stream, chunk));
  }

  /** As `start`, for a command beside the container's program (exec probes and hooks). */
  static async startCommand(
    sandbox: PodSandbox,
    plan: ContainerPlan,
    onOutput: (stream: LogStream, chunk: Buffer) => void,
  ): Promise<ContainerProcess> {
    return ContainerProcess.#start(sandbox, plan, onOutput);
  }

  static async #start(
    sandbox: PodSandbox,
    plan: ContainerPlan,
    onOutput: (stream: LogStream, chunk: Buffer) => void,
  ): Promise<ContainerProcess> {
    let started: PodProcess;
    try {
      started = sandbox.spawn(plan.argv, { env: plan.env, cwd: plan.cwd, mounts: plan.mounts, ports: plan.ports });
    } catch (error) {
      throw new StartError(whyNot(plan, error as Error), { cause: error });
    }
    const { child, stdout, stderr } = started;
    const closed = Promise.all(
      (
        [
          ['stdout', stdout],
          ['stderr', stderr],
        ] as const
      ).map(
        ([stream, socket]) =>
          new Promise<void>((resolve) => {
            socket.on('data', (chunk: Buffer) => onOutput(stream, chunk));
            // A pipe gives no errors worth more than its end.
            socket.on('error', () => resolve());
            socket.on('close', () => resolve());
          }),
      ),
    );
    const ended = new Promise<ExitStatus>((resolve) => {
      child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
    });
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
    } catch (error) {
      stdout.destroy();
      stderr.destroy();
      throw new StartError(whyNot(plan, error as Error), { cause: error });
    }
    const pid = child.pid as number;
    child.on('error', () => signalProcess(pid, 'SIGKILL'));
    const exited = ended.then(async (status) => {
      killSession(pid);
      await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })]);
      stdout.destroy();
      stderr.destroy();
      return status;
    });
    return new ContainerProcess(pid, exited);
  }

  /** To the container's first process, as the kubelet has the runtime do it. */
  signal(signal: NodeJS.Signals): void {
    signalProcess(this.pid, signal);
  }

  /** The process and all of its session. */
  kill(): void {
    signalProcess(this.pid, 'SIGKILL');
    killSession(this.pid);
  }
}

/** A shell's convention for signals, which container runtimes keep: 128 + number. */
function exitStatus(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
  if (signal === null) return { exitCode: code ?? 255 };
  const number = constants.signals[signal];
  return { exitCode: 128 + number, signal: number };
}

function whyNot({ argv, cwd }: ContainerPlan, error: Error): string {
  const [program = ''] = argv;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') {
    return existsSync(cwd)
      ? `exec: "${program}": no such program in $PATH or on disk`
      : `chdir to workingDir "${cwd}": no such directory`;
  }
  if (code === 'EACCES') return `exec: "${program}": permission denied (is it executable? may "${cwd}" be entered?)`;
  return `exec: "${program}": ${error.message}`;
}

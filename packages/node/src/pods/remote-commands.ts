// `kubectl exec` and `kubectl attach`: a command beside a container's program, or a client at the program itself.
import { PassThrough, Readable, Writable } from 'node:stream';
import type { CommandOptions, CommandSession } from '@varka/kube/server/pod-backend.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import { commandPlan, FIRST_SIZE, onTerminal } from './container-plan.ts';
import { ContainerProcess, StartError } from './container-process.ts';
import type { ContainerRunner, RunningContainer } from './container-runner.ts';
import type { PodWorker } from './pod-worker.ts';

/** A client at a program that prints faster than it takes is let go: the program must not wait for it. */
const MAX_BEHIND = 1024 * 1024;

/** Ends with the signal, and with the container. */
export async function execInContainer(
  worker: PodWorker,
  command: readonly string[],
  { container, stdin, tty }: CommandOptions,
  signal: AbortSignal,
): Promise<CommandSession> {
  const { plan, ended } = requireRunning(worker, container).running;
  const own = commandPlan(plan, command);
  let process: ContainerProcess;
  try {
    process = await ContainerProcess.start(worker.requireSandbox(), tty ? onTerminal(own) : own, {
      stdin: stdin ? 'pipe' : 'none',
      ...(tty ? { terminal: FIRST_SIZE } : {}),
    });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return failed(StatusError.internal(`error executing command in container: ${error.message}`));
  }
  const kill = (): void => process.kill();
  const leave = (): void => {
    process.kill();
    process.dropOutput();
  };
  ended.addEventListener('abort', kill);
  signal.addEventListener('abort', leave);
  if (ended.aborted) kill();
  if (signal.aborted) leave();
  const exited = process.exited.then(({ exitCode }) => {
    ended.removeEventListener('abort', kill);
    signal.removeEventListener('abort', leave);
    return exitCode;
  });
  return sessionOf(process, process.stdin, process.stdout, process.stderr, exited);
}

/** The program goes on without the client. */
export async function attachToContainer(
  worker: PodWorker,
  options: CommandOptions,
  signal: AbortSignal,
): Promise<CommandSession> {
  const { spec, running } = requireRunning(worker, options.container);
  const { process } = running;
  const left = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const stdin =
    options.stdin && process.stdin !== undefined ? sharedInput(process.stdin, spec.stdinOnce === true) : undefined;
  void left.then(() => stdin?.destroy());
  return sessionOf(
    process,
    stdin,
    listenTo(process.stdout, signal),
    listenTo(process.stderr, signal),
    // Not its exit code: that is in the pod's status (as the kubelet has it).
    Promise.race([process.exited.then(() => 0), left]),
  );
}

function sessionOf(
  { resize }: ContainerProcess,
  stdin: Writable | undefined,
  stdout: Readable,
  stderr: Readable,
  exited: CommandSession['exited'],
): CommandSession {
  return {
    ...(stdin === undefined ? {} : { stdin }),
    stdout,
    stderr,
    ...(resize === undefined ? {} : { resize }),
    exited,
  };
}

function failed(error: StatusError): CommandSession {
  return { stdout: Readable.from([]), stderr: Readable.from([]), exited: Promise.reject(error) };
}

function requireRunning(
  worker: PodWorker,
  name: string,
): Pick<ContainerRunner, 'spec'> & { readonly running: RunningContainer } {
  const runner = worker.container(name);
  const running = runner?.running;
  // The kubelet's words, for one that is not there as for one that does not run.
  if (runner === undefined || running === undefined)
    throw StatusError.of(404, 'NotFound', `container not found (${JSON.stringify(name)})`);
  return { spec: runner.spec, running };
}

/** Outlives the client, unless it is for one client only. */
function sharedInput(input: Writable, once: boolean): Writable {
  return new Writable({
    write: (chunk, _encoding, done) => {
      if (input.writable) input.write(chunk, () => done());
      else done();
    },
    final: (done) => {
      if (once) input.end();
      done();
    },
    destroy: (error, done) => {
      if (once) input.end();
      done(error);
    },
  });
}

function listenTo(source: Readable, signal: AbortSignal): Readable {
  const output = new PassThrough();
  const take = (chunk: Buffer): void => {
    output.write(chunk);
    if (output.writableLength + output.readableLength > MAX_BEHIND) leave();
  };
  const leave = (): void => {
    source.off('data', take).off('close', leave);
    signal.removeEventListener('abort', leave);
    output.end();
  };
  source.on('data', take);
  source.once('close', leave);
  signal.addEventListener('abort', leave, { once: true });
  return output;
}

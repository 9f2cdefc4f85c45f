// `up --detach`: the front in a process of its own that outlives the command which started it, and the command's end
// of the channel on which it hears how the start goes.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf, type Problem, problem, VarkaError } from '../errors.ts';
import type { ProgressEvent } from '../protocol.ts';
import { Front, type FrontOptions, type Ready } from './front.ts';
import { logPath, onDisk, prepareDirectories } from './state-directory.ts';

type ToDaemon = { readonly type: 'options'; readonly options: FrontOptions } | { readonly type: 'seen' };

type FromDaemon =
  | { readonly type: 'progress'; readonly event: ProgressEvent }
  | { readonly type: 'ready'; readonly ready: Ready }
  | { readonly type: 'failed'; readonly problem: Problem };

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Rejects with what the front failed of. When the caller dies before the mesh is ready, the front stops too. */
export async function startDaemon(options: FrontOptions, onEvent: (event: ProgressEvent) => void): Promise<Ready> {
  const { profile } = options;
  await prepareDirectories(profile);
  const logFile = logPath(profile);
  const log = await onDisk(logFile, profile, () => openSync(logFile, 'a', 0o600));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'front'], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    cwd: '/',
  });
  closeSync(log);
  try {
    return await new Promise<Ready>((resolve, reject) => {
      child.on('message', (told) => {
        const message = told as FromDaemon;
        if (message.type === 'progress') onEvent(message.event);
        else if (message.type === 'ready') resolve(message.ready);
        else reject(new VarkaError(message.problem));
      });
      const ended = (detail: string) => reject(problem('start-failed', { detail, log: logFile }));
      child.once('error', (error) => ended(error.message));
      child.once('exit', (code, signal) => ended(signal === null ? `exit code ${code}` : `signal ${signal}`));
      child.send({ type: 'options', options } satisfies ToDaemon);
    });
  } finally {
    if (child.connected) {
      await new Promise<void>((resolve) => child.send({ type: 'seen' } satisfies ToDaemon, () => resolve()));
      if (child.connected) child.disconnect();
    }
    child.unref();
  }
}

function tell(message: FromDaemon): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve()); // a caller that has gone hears nothing
  });
}

/** To the command that waits, and once it has gone to the log. */
function report(event: ProgressEvent): void {
  if (process.connected) void tell({ type: 'progress', event });
  else if (event.kind === 'problem') log('warn', `${event.problem.what}\n${event.problem.why}`);
  else if (event.kind === 'done' || event.kind === 'note') log('info', event.label);
}

/** Standard error is the log's file. */
function log(level: string, msg: string): void {
  const line = JSON.stringify({ level, time: new Date().toISOString(), component: 'front', msg });
  process.stderr.write(`${line}\n`);
}

export async function runDaemon(): Promise<void> {
  const { promise: given, resolve: give } = Promise.withResolvers<FrontOptions>();
  let seen = false;
  process.on('message', (told) => {
    const message = told as ToDaemon;
    if (message.type === 'options') give(message.options);
    else seen = true;
  });
  const front = new Front(await given, report);
  process.once('disconnect', () => {
    if (!seen) void front.abort();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void front.stop());
  try {
    await tell({ type: 'ready', ready: await front.start() });
  } catch (error) {
    await tell({
      type: 'failed',
      problem:
        error instanceof VarkaError
          ? error.problem
          : problem('start-failed', { detail: messageOf(error), log: front.logFile }).problem,
    });
    process.exitCode = 1;
    return;
  }
  const failure = await front.finished;
  if (failure === undefined) return;
  log('error', failure.message);
  process.exitCode = 1;
}

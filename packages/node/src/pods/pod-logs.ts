// `kubectl logs`: which container's which run, and what to say when there is none.
import { existsSync } from 'node:fs';
import type { PodLogOptions } from '@varka/kube/server/pod-backend.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import { readLog } from './log-reader.ts';
import type { PodWorker } from './pod-worker.ts';

export async function* podLogs(
  worker: PodWorker,
  options: PodLogOptions,
  now: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pod = worker.pod.metadata?.name ?? '';
  const names = (worker.pod.spec?.containers ?? []).map(({ name }) => name);
  const [only] = names;
  // The API server's and the kubelet's own sentences: people search for them.
  if (options.container === undefined && names.length > 1) {
    const message = `a container name must be specified for pod ${pod}, choose one of: [${names.join(' ')}]`;
    throw StatusError.badRequest(message);
  }
  const name = options.container ?? only ?? '';
  const runner = worker.container(name);
  if (runner === undefined) throw StatusError.badRequest(`container ${name} is not valid for pod ${pod}`);
  const restart = options.previous === true ? runner.restartCount - 1 : latestRun(runner);
  const path = restart === undefined || restart < 0 ? undefined : runner.logPath(restart);
  if (options.previous === true && (path === undefined || !existsSync(path))) {
    throw StatusError.badRequest(`previous terminated container "${name}" in pod "${pod}" not found`);
  }
  if (path === undefined) {
    const { state } = runner.report();
    const reason = state.kind === 'waiting' ? state.reason : 'ContainerCreating';
    const why = reason.includes('Image') ? `trying and failing to pull image` : reason;
    throw StatusError.badRequest(`container "${name}" in pod "${pod}" is waiting to start: ${why}`);
  }
  const live = options.previous === true ? undefined : runner.liveLog;
  yield* readLog(path, { ...options, now, live }, signal);
}

/** The run that is on or, while a restart is waited for, the last that was. */
function latestRun(runner: { restartCount: number; logPath(restart: number): string }): number | undefined {
  for (const restart of [runner.restartCount, runner.restartCount - 1]) {
    if (restart >= 0 && existsSync(runner.logPath(restart))) return restart;
  }
  return undefined;
}

// The supervisor's conversation with the front: takes its sockets, starts the cluster, applies what was given, answers
// questions, and stops in order.
import { once } from 'node:events';
import type { Server } from 'node:net';
import { StoreError } from '@varka/kube/store/store-error.ts';
import { SandboxUnavailableError } from '@varka/node/sandbox/errors.ts';
import { describe, errorCode, messageOf, type Problem, profileFlag, VarkaError } from '../errors.ts';
import { logPath } from '../front/state-directory.ts';
import type { FromSupervisor, SupervisorConfig, ToSupervisor } from '../protocol.ts';
import { applyDocuments } from './apply-documents.ts';
import { Cluster } from './cluster.ts';
import { HostListeners } from './host-listeners.ts';
import { createLogger } from './log.ts';
import { RemoteEngine } from './remote-engine.ts';
import { StepReporter } from './steps.ts';

const log = createLogger('supervisor');

/** What cannot be told any other way than by the log must not go on half alive. */
function exitOn(event: 'uncaughtException' | 'unhandledRejection'): void {
  process.on(event, (error: unknown) => {
    log.error(event, { error });
    process.exit(1);
  });
}

function tell(message: FromSupervisor): void {
  if (process.connected) process.send?.(message);
}

export async function runSupervisor(config: SupervisorConfig): Promise<void> {
  exitOn('uncaughtException');
  exitOn('unhandledRejection');
  const listeners = new HostListeners(tell);
  const steps = new StepReporter((event) => tell({ type: 'progress', event }));
  const engine = new RemoteEngine(config.engine, tell);
  const cluster = new Cluster(config, steps, listeners, engine);
  process.on('message', (message, handle) => {
    const told = message as ToSupervisor;
    if (told.type === 'listener') listeners.take(told.name, handle as Server);
    else if (told.type === 'no-listener') listeners.refuse(told.name, told.refusal);
    else if (told.type === 'query') void answer(cluster, told.id, told.query);
    else if (told.type === 'engine') engine.take(told);
    else if (told.type === 'images') cluster.replaceImages(told.images);
    else if (told.type === 'stop') void stop(cluster);
  });
  try {
    await cluster.start();
    const outcome = await applyDocuments(config, cluster, steps);
    for (const problem of outcome.problems) tell({ type: 'progress', event: { kind: 'problem', problem } });
    log.info('ready', { documents: config.documents.length, complete: outcome.complete });
    tell({ type: 'ready', tryPath: outcome.tryPath, complete: outcome.complete });
  } catch (error) {
    log.error('the mesh did not start', { error });
    tell({ type: 'fatal', problem: problemOf(error, config) });
  }
}

async function answer(cluster: Cluster, id: number, query: 'status' | 'syncz'): Promise<void> {
  try {
    tell({ type: 'answer', id, body: query === 'status' ? cluster.status() : cluster.syncz() });
  } catch (error) {
    tell({ type: 'refused', id, message: messageOf(error) });
  }
}

async function stop(cluster: Cluster): Promise<void> {
  try {
    await cluster.stop();
  } catch (error) {
    log.error('the mesh did not stop in order', { error });
  }
  // The front has seen all steps once the channel is empty; it takes the end of this process as the end of the mesh.
  process.removeAllListeners('disconnect'); // main.ts would take it for the front's death
  if (process.connected) {
    process.disconnect();
    await once(process, 'disconnect');
  }
  process.exit(0);
}

function problemOf(error: unknown, { profile }: SupervisorConfig): Problem {
  const flag = profileFlag(profile.name);
  if (error instanceof VarkaError) return error.problem;
  if (error instanceof StoreError && error.code === 'corrupt')
    return describe('store-corrupt', { path: error.path, detail: corruption(error), flag });
  if (error instanceof StoreError && error.code === 'full')
    return describe('disk-full', { path: error.path, detail: 'the store could not grow', flag });
  if (error instanceof SandboxUnavailableError)
    return describe('no-pod-network', { detail: error.what, why: error.why, advice: error.advice });
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return describe('disk-full', { path: profile.directory, detail: messageOf(error), flag });
  return describe('start-failed', { detail: messageOf(error), log: logPath(profile) });
}

/** The library's own words, without the advice that ours repeats. */
function corruption(error: StoreError): string {
  return error.cause === undefined ? messageOf(error) : messageOf(error.cause);
}

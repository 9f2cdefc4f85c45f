// Pods' own subresources: binding (a scheduler names the node) and log (the node agent's backend answers).
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { isRecord } from '../kinds/conform.ts';
import { record, records } from '../kinds/pod-template.ts';
import { resourceOf } from '../kinds/row.ts';
import type { KubeObject, Status } from '../object.ts';
import { StatusError } from '../status-error.ts';
import { RevisionConflict } from '../store/store-error.ts';
import { type ServerContext, type Target, timestamp } from './context.ts';
import type { PodLogOptions } from './pod-backend.ts';
import { containerOf } from './pod-containers.ts';

type NamedTarget = Target & { readonly name: string };

/** POST pods/NAME/binding: the only way to set spec.nodeName of a pod that has none. */
export async function bind(
  context: ServerContext,
  { row, namespace, name }: NamedTarget,
  body: unknown,
  dryRun: boolean,
): Promise<Status> {
  const node = isRecord(body) ? record(body['target'])['name'] : undefined;
  if (typeof node !== 'string' || node === '')
    throw StatusError.badRequest('a Binding needs target.name, the name of a node');
  for (;;) {
    const pod = context.store.get(resourceOf(row), namespace, name);
    if (pod === undefined) throw StatusError.notFound(row, name);
    const spec = record(pod['spec']);
    if (spec['nodeName'] !== undefined && spec['nodeName'] !== '') {
      throw StatusError.conflict(
        { group: '', plural: 'pods/binding' },
        name,
        `pod ${name} is already assigned to node "${String(spec['nodeName'])}"`,
      );
    }
    if (pod.metadata?.deletionTimestamp !== undefined) {
      throw StatusError.conflict(
        { group: '', plural: 'pods/binding' },
        name,
        `pod ${name} is being deleted, cannot be assigned to a host`,
      );
    }
    const status = record(pod['status']);
    const others = records(status['conditions']).filter((one) => one['type'] !== 'PodScheduled');
    const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(context.now()) };
    const bound: KubeObject = {
      ...pod,
      spec: { ...spec, nodeName: node },
      status: { ...status, conditions: [...others, scheduled] },
    };
    try {
      if (!dryRun) await context.store.replace(resourceOf(row), bound, pod.metadata?.resourceVersion ?? '');
      return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
    }
  }
}

/** GET pods/NAME/log */
export async function logs(
  context: ServerContext,
  target: NamedTarget,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const { row, namespace = '', name } = target;
  const pod = context.store.get(resourceOf(row), namespace, name);
  if (pod === undefined) throw StatusError.notFound(row, name);
  if (context.podBackend === undefined) throw StatusError.unavailable('nothing runs pods here, so there are no logs');
  const container = containerOf(pod, query.get('container') ?? '');
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const chunks = context.podBackend
    .logs(namespace, name, { container, ...logOptions(query, context.now()) }, gone.signal)
    [Symbol.asyncIterator]();
  // The first chunk is awaited before the answer begins: until then a failure can still be a Status.
  let next = await chunks.next();
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  try {
    while (next.done !== true && !gone.signal.aborted) {
      if (!response.write(next.value)) await Promise.race([once(response, 'drain'), once(gone.signal, 'abort')]);
      next = await chunks.next();
    }
  } catch (error) {
    if (!gone.signal.aborted) {
      // Too late for a Status: break the connection, so that the client does not take this for the end.
      context.log.warn('the log of a pod broke off', { namespace, pod: name, error: String(error) });
      response.destroy();
      return;
    }
  } finally {
    await chunks.return?.();
  }
  response.end();
}

function logOptions(query: URLSearchParams, now: Date): PodLogOptions {
  const options: PodLogOptions = {};
  for (const flag of ['follow', 'previous', 'timestamps'] as const) {
    const text = query.get(flag);
    if (text !== null) options[flag] = text === 'true' || text === '1' || text === '';
  }
  for (const count of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const text = query.get(count);
    if (text === null || text === '') continue;
    if (!/^\d{1,15}$/.test(text))
      throw StatusError.badRequest(
        `${count}: Invalid value: ${JSON.stringify(text)}: must be a whole number, not below 0`,
      );
    options[count] = Number(text);
  }
  const since = query.get('sinceTime');
  if (since !== null && since !== '') {
    const then = Date.parse(since);
    if (Number.isNaN(then))
      throw StatusError.badRequest(`sinceTime: Invalid value: ${JSON.stringify(since)}: must be an RFC 3339 time`);
    options.sinceSeconds = Math.max(1, Math.ceil((now.getTime() - then) / 1000));
  }
  return options;
}

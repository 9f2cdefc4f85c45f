// Makes metrics.k8s.io's objects of what the backend measures, as metrics-server does.
import type { KubeList, KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { ServerContext, Target } from './context.ts';
import type { Usage } from './pod-backend.ts';
import { predicateOf } from './reader.ts';

/** Those that the query selects; pods that have not run long enough to be measured are left out. */
export function metricsList(context: ServerContext, target: Target, query: URLSearchParams): KubeList {
  const { kind, group } = target.row;
  const matches = predicateOf(target, query);
  const items = kind === 'PodMetrics' ? podMetrics(context, target.namespace) : nodeMetrics(context);
  return { kind: `${kind}List`, apiVersion: `${group}/${target.version}`, metadata: {}, items: items.filter(matches) };
}

export function metricsOf(context: ServerContext, target: Target & { readonly name: string }): KubeObject {
  const { row, namespace, name } = target;
  const [found] = metricsList(context, target, new URLSearchParams()).items;
  if (found !== undefined) return found;
  // metrics-server's own way of naming it.
  throw StatusError.notFound(
    { group: row.group, plural: row.kind.toLowerCase() },
    namespace === undefined ? name : `${namespace}/${name}`,
  );
}

function podMetrics({ store, podBackend }: ServerContext, asked: string | undefined): KubeObject[] {
  return (podBackend?.usage().pods ?? []).flatMap(({ namespace, name, containers, ...measured }) => {
    const pod = asked === undefined || asked === namespace ? store.get('pods', namespace, name) : undefined;
    if (pod === undefined) return [];
    const usages = containers.map((container) => ({ name: container.name, usage: quantities(container) }));
    return [{ ...head('PodMetrics', { ...labelled(pod), name, namespace }, measured), containers: usages }];
  });
}

function nodeMetrics({ store, podBackend }: ServerContext): KubeObject[] {
  return (podBackend?.usage().nodes ?? []).flatMap(({ name, ...measured }) => {
    const node = store.get('nodes', undefined, name);
    if (node === undefined) return [];
    return [{ ...head('NodeMetrics', { ...labelled(node), name }, measured), usage: quantities(measured) }];
  });
}

function labelled({ metadata }: KubeObject) {
  return metadata?.labels === undefined ? {} : { labels: metadata.labels };
}

function head(
  kind: string,
  metadata: NonNullable<KubeObject['metadata']>,
  { takenAt, windowMs }: { readonly takenAt: number; readonly windowMs: number },
): KubeObject {
  const timestamp = new Date(takenAt).toISOString().replace(/\.\d+/, '');
  return {
    kind,
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: { ...metadata, creationTimestamp: timestamp },
    timestamp,
    window: `${windowMs / 1000}s`,
  };
}

function quantities({ cpuNanocores, memoryBytes }: Usage): Record<string, string> {
  return { cpu: `${Math.round(cpuNanocores)}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}

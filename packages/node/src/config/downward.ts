// The downward API: what a pod may be told about itself, in variables and in files.
import { availableParallelism, totalmem } from 'node:os';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import { parseQuantity } from './quantity.ts';

/** No such field, or not one that may be asked for; the message is the kubelet's. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
}

/** The fields that both variables and files may name (Kubernetes: "Downward API", available fields). */
export function metadataField(path: string, { metadata = {} }: Pod): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (subscript !== null) {
    const [, map, key = ''] = subscript;
    return (map === 'labels' ? metadata.labels : metadata.annotations)?.[key] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    default:
      return undefined;
  }
}

/** As a file; here the maps may be asked for as a whole, one `key="value"` a line, sorted. */
export function fieldForFile(path: string, pod: Pod): string {
  const map =
    path === 'metadata.labels'
      ? pod.metadata?.labels
      : path === 'metadata.annotations'
        ? pod.metadata?.annotations
        : undefined;
  if (map !== undefined) {
    const lines = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
    return lines.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join('\n');
  }
  if (path === 'metadata.labels' || path === 'metadata.annotations') return '';
  const value = metadataField(path, pod);
  if (value === undefined) throw new FieldError(`unsupported fieldPath: ${path}`);
  return value;
}

/** What stands for a limit that is not set: the node's own. */
const NODE: Readonly<Record<string, () => number>> = { cpu: availableParallelism, memory: totalmem };

/** `limits.cpu` in units of the divisor, rounded up. Kubernetes: a limit that is not set is what the node has. */
export function resourceField({ resource, divisor }: ResourceFieldSelector, { resources = {} }: Container): string {
  const [list = '', name = ''] = resource.split(/\.(.*)/s);
  if (list !== 'limits' && list !== 'requests') throw new FieldError(`unsupported container resource : ${resource}`);
  const given = resources[list]?.[name];
  const value = given === undefined ? undefined : parseQuantity(String(given));
  const fallback = list === 'limits' ? (NODE[name]?.() ?? 0) : 0;
  // A divisor that is not set is stored as "0".
  const unit = parseQuantity(String(divisor ?? '1')) || 1;
  // Binary fractions: 0.1 / 0.001 must be 100, not the 101 above it.
  return String(Math.ceil(Number(((value ?? fallback) / unit).toPrecision(12))));
}

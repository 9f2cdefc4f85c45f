// The scale subresource: autoscaling/v1 Scale over a kind that has replicas.
import { isRecord } from '../kinds/conform.ts';
import { parseJsonPath } from '../kinds/json-path.ts';
import { invalid } from '../kinds/names.ts';
import { record } from '../kinds/pod-template.ts';
import type { KindRow, ScalePaths } from '../kinds/row.ts';
import { int, obj, type Schema, str } from '../kinds/schema.ts';
import { objectMeta } from '../kinds/schemas/meta.ts';
import { selectorText } from '../kinds/workload-columns.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';

export const scaleSchema: Schema = obj({
  apiVersion: str(),
  kind: str(),
  metadata: objectMeta,
  spec: obj({ replicas: int() }),
  status: obj({ replicas: int(), selector: str() }),
});

export function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const selector = paths.labelSelectorPath === undefined ? undefined : parseJsonPath(paths.labelSelectorPath)?.(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: Number(parseJsonPath(paths.specReplicasPath)?.(object) ?? 0) },
    status: {
      replicas: Number(parseJsonPath(paths.statusReplicasPath)?.(object) ?? 0),
      ...(selector === undefined ? {} : { selector: typeof selector === 'string' ? selector : selectorText(selector) }),
    },
  };
}

/** The object with the replicas that a Scale asks for. */
export function withScale(row: KindRow, object: KubeObject, scale: unknown, paths: ScalePaths): KubeObject {
  const replicas = isRecord(scale) ? (record(scale['spec'])['replicas'] ?? 0) : undefined;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) {
    throw StatusError.badRequest(
      `Scale in version "v1" cannot be handled as a Scale: spec.replicas must be a whole number`,
    );
  }
  const name = object.metadata?.name ?? '';
  if (replicas < 0) {
    throw StatusError.invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const revision = isRecord(scale) ? record(scale['metadata'])['resourceVersion'] : undefined;
  if (typeof revision === 'string' && revision !== '' && revision !== object.metadata?.resourceVersion)
    throw StatusError.conflict(row, name);
  return put(object, paths.specReplicasPath.replace(/^\./, '').split('.'), replicas) as KubeObject;
}

function put(value: unknown, path: readonly string[], leaf: unknown): unknown {
  const [key, ...rest] = path;
  return key === undefined ? leaf : { ...record(value), [key]: put(record(value)[key], rest, leaf) };
}

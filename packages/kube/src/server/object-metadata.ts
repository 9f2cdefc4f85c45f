// What a write does to metadata: the server's own fields stay, the identity is checked, changes of the wanted state counted.
import { isDeepStrictEqual } from 'node:util';
import { forbidden } from '../kinds/names.ts';
import { strings } from '../kinds/pod-template.ts';
import type { KindRow } from '../kinds/row.ts';
import type { KubeObject, ObjectMeta, StatusCause } from '../object.ts';
import { StatusError } from '../status-error.ts';

/** Kinds that have a spec count its changes; Namespace and Service never did. */
export function hasGeneration(row: KindRow): boolean {
  return (
    row.schema.properties?.['spec'] !== undefined &&
    !(row.group === '' && (row.kind === 'Namespace' || row.kind === 'Service' || row.kind === 'Node'))
  );
}

export function checkIdentity(
  row: KindRow,
  draft: KubeObject,
  current: KubeObject,
  namespace: string | undefined,
): void {
  const { metadata = {} } = draft;
  const name = current.metadata?.name ?? '';
  if (metadata.name !== undefined && metadata.name !== name) {
    throw StatusError.badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  if (metadata.namespace !== undefined && metadata.namespace !== (namespace ?? '')) {
    throw StatusError.badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
  if (
    metadata.resourceVersion !== undefined &&
    metadata.resourceVersion !== '' &&
    metadata.resourceVersion !== current.metadata?.resourceVersion
  ) {
    throw StatusError.conflict(row, name);
  }
  if (metadata.uid !== undefined && metadata.uid !== current.metadata?.uid) {
    throw StatusError.conflict(
      row,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${current.metadata?.uid}`,
    );
  }
}

/** Kubernetes leaves an empty map out. */
const isEmpty = (map: unknown): boolean => Object.keys(strings(map)).length === 0;

/** What the server alone sets stays as it is. */
export function keptMetadata(draft: ObjectMeta, current: ObjectMeta, row: KindRow): ObjectMeta {
  const { labels, annotations, finalizers, ownerReferences } = draft;
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...kept } = current;
  return {
    ...kept,
    ...(hasGeneration(row) && kept.generation === undefined ? { generation: 1 } : {}),
    ...(isEmpty(labels) ? {} : { labels: strings(labels) }),
    ...(isEmpty(annotations) ? {} : { annotations: strings(annotations) }),
    ...(ownerReferences === undefined || ownerReferences.length === 0 ? {} : { ownerReferences }),
    ...(finalizers === undefined || finalizers.length === 0 ? {} : { finalizers }),
  };
}

export function setGeneration(object: KubeObject, current: KubeObject): void {
  const { generation } = current.metadata ?? {};
  if (generation === undefined || object.metadata === undefined) return;
  const { metadata: _m, status: _s, ...wanted } = object;
  const { metadata: __m, status: __s, ...before } = current;
  if (!isDeepStrictEqual(wanted, before)) object.metadata = { ...object.metadata, generation: generation + 1 };
}

export function finalizerProblems(object: KubeObject, current: KubeObject): StatusCause[] {
  if (current.metadata?.deletionTimestamp === undefined) return [];
  const before = new Set(current.metadata.finalizers ?? []);
  const added = (object.metadata?.finalizers ?? []).filter((one) => !before.has(one));
  if (added.length === 0) return [];
  return [
    forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    ),
  ];
}

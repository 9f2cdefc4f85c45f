// meta.k8s.io/v1 Table: what `kubectl get` prints, one row per object.
import type { KindRow } from '../kinds/row.ts';
import type { KubeObject } from '../object.ts';

/** How much of each object goes with its row (`includeObject`). */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function includeObject(text: string | null): IncludeObject {
  return text === 'None' || text === 'Object' ? text : 'Metadata';
}

export function table(
  row: KindRow,
  items: readonly KubeObject[],
  listMeta: Record<string, unknown>,
  include: IncludeObject,
  now: Date,
): KubeObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMeta as NonNullable<KubeObject['metadata']>,
    columnDefinitions: row.columns.map(({ name, type, format = '', description, priority = 0 }) => ({
      name,
      type,
      format,
      description,
      priority,
    })),
    rows: items.map((item) => ({
      cells: row.columns.map((column) => column.cell(item, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? item : partialMetadata(item) }),
    })),
  };
}

/** The object without anything but its metadata. */
export function partialMetadata(object: KubeObject): KubeObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    ...(object.metadata === undefined ? {} : { metadata: object.metadata }),
  };
}

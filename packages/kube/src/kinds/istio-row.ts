// What the rows of Istio's networking kinds have in common.
import type { Column, KindRow } from './row.ts';
import { nameColumn, pathColumn } from './row.ts';
import { obj, type Schema } from './schema.ts';
import { istioStatus } from './schemas/istio.ts';

export const ISTIO_NETWORKING = 'networking.istio.io';

/** One shape served in three versions. Unknown fields are dropped with a warning: manifests in the wild have them. */
export function istioRow(
  names: Pick<KindRow, 'kind' | 'plural' | 'shortNames'>,
  spec: Schema,
  columns: readonly Column[],
): KindRow {
  return {
    group: ISTIO_NETWORKING,
    ...names,
    categories: ['istio-io', 'networking-istio-io'],
    namespaced: true,
    versions: ['v1', 'v1beta1', 'v1alpha3'],
    storageVersion: 'v1',
    decoding: 'lenient',
    subresources: { status: true },
    schema: obj({ spec, status: istioStatus }),
    columns: [
      nameColumn,
      ...columns,
      pathColumn('Age', '.metadata.creationTimestamp', 'When the object was created.', 'date'),
    ],
  };
}

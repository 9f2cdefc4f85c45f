// What the rows of Istio's kinds have in common.
import type { Column, KindRow } from './row.ts';
import { nameColumn, pathColumn } from './row.ts';
import { obj, type Schema } from './schema.ts';
import { istioStatus } from './schemas/istio.ts';

export const ISTIO_NETWORKING = 'networking.istio.io';

type Names = Pick<KindRow, 'kind' | 'plural' | 'shortNames'> & Partial<Pick<KindRow, 'group' | 'versions' | 'notice'>>;

/** One shape, served in several versions. Unknown fields are dropped with a warning: manifests in the wild have them. */
export function istioRow(names: Names, spec: Schema, columns: readonly Column[]): KindRow {
  const { group = ISTIO_NETWORKING, versions = ['v1', 'v1beta1', 'v1alpha3'] } = names;
  return {
    ...names,
    group,
    categories: ['istio-io', group.replaceAll('.', '-')],
    namespaced: true,
    versions,
    storageVersion: versions[0] ?? 'v1',
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

/** For a kind of which the mesh carries out nothing yet. */
export const notCarriedOut = (kind: string): string =>
  `${kind}: accepted, but not carried out by this version of Varka`;

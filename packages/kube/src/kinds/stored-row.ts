// Kinds of other projects' operators: their objects are kept, checked against the fields that matter, and shown.
import { type Column, type KindRow, nameColumn, pathColumn } from './row.ts';
import { anything, type Fields, obj, type Schema } from './schema.ts';

/** Fields beside these are kept as they come: the operators' own schemas are thousands of lines. */
export const openObject = (properties: Fields, required: readonly string[] = [], description?: string): Schema =>
  obj(properties, required, description, { 'x-kubernetes-preserve-unknown-fields': true });

export const ageByPath: Column = pathColumn(
  'Age',
  '.metadata.creationTimestamp',
  'When the object was created.',
  'date',
);

type Names = Pick<KindRow, 'group' | 'kind' | 'plural' | 'versions'> &
  Partial<Pick<KindRow, 'shortNames' | 'categories' | 'namespaced' | 'notice'>>;

export function storedRow(names: Names, spec: Schema, columns: readonly Column[] = [], more: Fields = {}): KindRow {
  return {
    namespaced: true,
    notice: `nothing acts on a ${names.kind} here yet: it is kept and shown, no more`,
    ...names,
    storageVersion: names.versions[0] ?? 'v1',
    decoding: 'custom',
    subresources: { status: true },
    schema: obj({ spec, status: anything('How it is.'), ...more }),
    columns: [nameColumn, ...columns, ageByPath],
  };
}

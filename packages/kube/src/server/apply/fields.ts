// Which fields an object sets (structured-merge-diff typed/tofieldset.go), and what two of them differ in.
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../../kinds/conform.ts';
import type { Schema } from '../../kinds/schema.ts';
import { fieldSchema, isAtomic, isNamed, itemsOf } from './lists.ts';
import { below, elementsOf, type Path, SEPARATOR } from './paths.ts';

/** A list item or a map's key that is there itself; what is in it has paths of its own. */
export const CONTAINER = Symbol('container');

/** Values by path: scalars and what is owned as a whole, and the containers between. */
export type FieldValues = ReadonlyMap<Path, unknown>;

export function fieldValues(value: unknown, schema: Schema): FieldValues {
  const fields = new Map<Path, unknown>();
  collect(value, schema, '', fields);
  return fields;
}

function collect(value: unknown, schema: Schema, path: Path, fields: Map<Path, unknown>): void {
  if (isRecord(value) && !isAtomic(schema)) {
    for (const [name, field] of Object.entries(value)) {
      // Nobody's: it would read as the path of another field.
      if (name.includes(SEPARATOR)) continue;
      const at = below(path, `f:${name}`);
      const isEmpty = isRecord(field) && Object.keys(field).length === 0;
      if (isEmpty || !isNamed(schema, name)) fields.set(at, CONTAINER);
      collect(field, fieldSchema(schema, name), at, fields);
    }
    return;
  }
  const items = Array.isArray(value) ? itemsOf(value, schema) : undefined;
  if (items === undefined) {
    if (path !== '') fields.set(path, value);
    return;
  }
  for (const [element, item] of items) {
    const at = below(path, element);
    fields.set(at, CONTAINER);
    if (isRecord(item)) collect(item, schema.items ?? {}, at, fields);
  }
}

export interface Difference {
  /** Added or with another value. */
  readonly changed: ReadonlySet<Path>;
  readonly removed: ReadonlySet<Path>;
}

export function difference(before: FieldValues, after: FieldValues): Difference {
  const changed = new Set<Path>();
  for (const [path, value] of after) {
    if (!before.has(path) || !isDeepStrictEqual(before.get(path), value)) changed.add(path);
  }
  return { changed, removed: new Set([...before.keys()].filter((path) => !after.has(path))) };
}

const NOBODYS = new Set([
  'f:name',
  'f:namespace',
  'f:generateName',
  'f:creationTimestamp',
  'f:selfLink',
  'f:uid',
  'f:generation',
  'f:managedFields',
  'f:resourceVersion',
  'f:deletionTimestamp',
  'f:deletionGracePeriodSeconds',
]);

/** True for a field that the server or the object's identity sets, so that nobody owns it. */
export function isNobodys(path: Path): boolean {
  const [first, second, ...rest] = elementsOf(path);
  if (first === 'f:apiVersion' || first === 'f:kind') return true;
  return first === 'f:metadata' && (second === undefined || (rest.length === 0 && NOBODYS.has(second)));
}

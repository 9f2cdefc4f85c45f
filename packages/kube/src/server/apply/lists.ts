// How lists and maps are owned: as a whole, or item by item (x-kubernetes-list-type, x-kubernetes-map-type).
import { isRecord } from '../../kinds/conform.ts';
import type { Schema } from '../../kinds/schema.ts';

/** A list's items by their elements; undefined when the list is owned as a whole. */
export function itemsOf(list: readonly unknown[], schema: Schema): Map<string, unknown> | undefined {
  const elementOf = itemElement(schema);
  if (elementOf === undefined) return undefined;
  const items = new Map<string, unknown>();
  for (const item of list) {
    const element = elementOf(item);
    // An item without its keys, or two with the same: such a list can only be owned as a whole.
    if (element === undefined || items.has(element)) return undefined;
    items.set(element, item);
  }
  return items;
}

/** How an item is named in a path; undefined for a list that is owned as a whole. */
export function itemElement(schema: Schema): ((item: unknown) => string | undefined) | undefined {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return (item) => `v:${JSON.stringify(item)}`;
    case 'map': {
      const keys = [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort();
      return (item) => {
        if (!isRecord(item)) return undefined;
        const values = keys.map((key) => [key, item[key] ?? schema.items?.properties?.[key]?.default]);
        return values.some(([, value]) => value === undefined)
          ? undefined
          : `k:${JSON.stringify(Object.fromEntries(values))}`;
      };
    }
    default:
      return undefined;
  }
}

/** True for a map that is owned as a whole. */
export const isAtomic = (schema: Schema): boolean => schema['x-kubernetes-map-type'] === 'atomic';

/** The schema of a field; anything goes where the schema knows nothing. */
export function fieldSchema(schema: Schema, name: string): Schema {
  const known =
    schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
  return known ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {});
}

/** True for a field that the schema names; other keys of maps are fields of their own right. */
export const isNamed = (schema: Schema, name: string): boolean =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, name);

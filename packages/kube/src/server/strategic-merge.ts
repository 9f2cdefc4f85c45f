// Kubernetes' strategic merge patch: lists merge by their keys, and directives say what a plain merge cannot.
// Rules: sig-api-machinery/strategic-merge-patch.md of the Kubernetes community.
import { isRecord } from '../kinds/conform.ts';
import type { Schema } from '../kinds/schema.ts';
import { StatusError } from '../status-error.ts';

type Fields = Record<string, unknown>;

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ORDER = '$setElementOrder/';
const DELETE_VALUES = '$deleteFromPrimitiveList/';

export function strategicMerge(target: Fields, patch: Fields, schema: Schema): Fields {
  const directive = patch[DIRECTIVE];
  if (directive === 'replace') return without(patch, DIRECTIVE);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive);
  const result: Fields = { ...target };
  retainKeys(result, patch[RETAIN_KEYS]);
  for (const [key, value] of Object.entries(patch)) {
    if (key.endsWith('__proto__') || key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_VALUES)) {
      const name = key.slice(DELETE_VALUES.length);
      const gone = new Set(asList(value));
      const left = asList(result[name]).filter((item) => !gone.has(item));
      // A list with nothing left goes, unless the patch adds to it again.
      result[name] = left;
      if (left.length === 0 && patch[name] === undefined) delete result[name];
    } else if (value === null) {
      delete result[key];
    } else {
      result[key] = merged(result[key], value, fieldSchema(schema, key), patch[ORDER + key]);
    }
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    if (patch[name] === undefined && Array.isArray(result[name]))
      result[name] = inOrder(result[name], asList(order), fieldSchema(schema, name));
  }
  return result;
}

function merged(current: unknown, value: unknown, schema: Schema, order: unknown): unknown {
  if (isRecord(value)) return strategicMerge(isRecord(current) ? current : {}, value, schema);
  if (!Array.isArray(value)) return value;
  const strategy = schema['x-kubernetes-patch-strategy'] ?? '';
  if (!strategy.split(',').includes('merge')) return value;
  const list = mergeList(asList(current), value, schema);
  return order === undefined ? list : inOrder(list, asList(order), schema);
}

function mergeList(current: readonly unknown[], patch: readonly unknown[], schema: Schema): unknown[] {
  const key = schema['x-kubernetes-patch-merge-key'];
  if (key === undefined) return [...new Set([...current, ...patch])];
  const items = patch.map((item) => {
    if (!isRecord(item))
      throw StatusError.badRequest(`the patch has an item that is not an object in a list merged by "${key}"`);
    return item;
  });
  // {"$patch": "replace"} as an item of its own replaces the whole list.
  if (items.some((item) => item[DIRECTIVE] === 'replace')) return items.filter((item) => item[DIRECTIVE] === undefined);
  const result = [...current];
  for (const item of items) {
    if (item[key] === undefined)
      throw StatusError.badRequest(`the patch has a list item without its merge key "${key}"`);
    const index = result.findIndex((one) => isRecord(one) && one[key] === item[key]);
    if (item[DIRECTIVE] === 'delete') {
      if (index !== -1) result.splice(index, 1);
    } else if (index === -1) {
      result.push(strategicMerge({}, item, schema.items ?? {}));
    } else {
      result[index] = strategicMerge(result[index] as Fields, item, schema.items ?? {});
    }
  }
  return result;
}

/** Items the order names come in that order; others keep their place relative to what was before them. */
function inOrder(list: readonly unknown[], order: readonly unknown[], schema: Schema): unknown[] {
  const key = schema['x-kubernetes-patch-merge-key'];
  const identity = (item: unknown): unknown => (key !== undefined && isRecord(item) ? item[key] : item);
  const rank = new Map(order.map((item, index) => [identity(item), index]));
  const named = list
    .filter((item) => rank.has(identity(item)))
    .sort((a, b) => (rank.get(identity(a)) ?? 0) - (rank.get(identity(b)) ?? 0));
  const result: unknown[] = [];
  let next = 0;
  for (const item of list) {
    if (rank.has(identity(item))) result.push(named[next++]);
    else result.push(item);
  }
  return result;
}

function retainKeys(result: Fields, keys: unknown): void {
  if (!Array.isArray(keys)) return;
  const kept = new Set(keys);
  for (const key of Object.keys(result)) if (!kept.has(key)) delete result[key];
}

function fieldSchema(schema: Schema, key: string): Schema {
  const own =
    schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
  return own ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {});
}

function without(fields: Fields, key: string): Fields {
  const { [key]: _, ...rest } = fields;
  return rest;
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function unknownDirective(directive: unknown): StatusError {
  return StatusError.badRequest(`unknown $patch directive ${JSON.stringify(directive)}: use merge, replace or delete`);
}

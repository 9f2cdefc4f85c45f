// The two halves of an apply: what is applied goes over what is there, and what is no longer applied goes away
// (structured-merge-diff typed/merge.go, merge/update.go). Pure; both return copies where they change anything.
import { isRecord } from '../../kinds/conform.ts';
import type { Schema } from '../../kinds/schema.ts';
import { fieldSchema, isAtomic, itemElement, itemsOf } from './lists.ts';
import { elementsOf, type Path, withParents } from './paths.ts';

/** `applied` wins; maps and lists of items that have names are merged, everything else is replaced. */
export function mergeApplied(live: unknown, applied: unknown, schema: Schema): unknown {
  if (isRecord(applied) && isRecord(live) && !isAtomic(schema)) {
    const merged: Record<string, unknown> = { ...live };
    for (const [name, value] of Object.entries(applied))
      merged[name] = mergeApplied(live[name], value, fieldSchema(schema, name));
    return merged;
  }
  if (Array.isArray(applied) && Array.isArray(live)) {
    const [before, after] = [itemsOf(live, schema), itemsOf(applied, schema)];
    if (before !== undefined && after !== undefined) return mergeItems(before, after, schema.items ?? {});
  }
  return applied;
}

/** Applied items come in their own order, in the places that items of theirs had; the others stay where they are. */
function mergeItems(before: Map<string, unknown>, after: Map<string, unknown>, schema: Schema): unknown[] {
  const merged = (element: string) =>
    before.has(element) ? mergeApplied(before.get(element), after.get(element), schema) : after.get(element);
  const known = [...after.keys()].filter((element) => before.has(element));
  const result: unknown[] = [];
  let next = 0;
  for (const [element, item] of before) {
    const taken = after.has(element) ? known[next++] : undefined;
    result.push(taken === undefined ? item : merged(taken));
  }
  for (const element of after.keys()) if (!before.has(element)) result.push(merged(element));
  return result;
}

/**
 * Takes away what was applied (`before`) and is owned by nobody any more. A field between goes with the last that was
 * owned below it, and what is left in it, which are defaults, with it.
 */
export function withoutAbandoned(
  object: unknown,
  before: Iterable<Path>,
  owned: Iterable<Path>,
  schema: Schema,
): unknown {
  const kept = withParents(owned);
  const gone = [...withParents(before)].filter((path) => !kept.has(path));
  let result = object;
  // The highest first: what is below them has gone with them.
  for (const path of gone.sort((left, right) => elementsOf(left).length - elementsOf(right).length))
    result = without(result, elementsOf(path), schema);
  return result;
}

function without(value: unknown, [element, ...rest]: readonly string[], schema: Schema): unknown {
  if (element === undefined) return value;
  if (element.startsWith('f:')) {
    const name = element.slice(2);
    if (!isRecord(value) || !Object.hasOwn(value, name)) return value;
    const { [name]: field, ...others } = value;
    return rest.length === 0 ? others : { ...value, [name]: without(field, rest, fieldSchema(schema, name)) };
  }
  const elementOf = itemElement(schema);
  if (!Array.isArray(value) || elementOf === undefined) return value;
  return value.flatMap((item) => {
    if (elementOf(item) !== element) return [item];
    return rest.length === 0 ? [] : [without(item, rest, schema.items ?? {})];
  });
}

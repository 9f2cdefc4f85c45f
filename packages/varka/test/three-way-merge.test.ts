// The patch of a repeated apply: what changed, what was taken out, and nothing that somebody else wrote.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LAST_APPLIED, lastApplied, threeWayPatch, withLastApplied } from '../src/manifests/three-way-merge.ts';

type Fields = Record<string, unknown>;

/** RFC 7386, section 2. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Fields =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...(target as Fields) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

test('a field taken out of the manifest is removed, one that somebody else added stays', () => {
  const patch = threeWayPatch(
    { spec: { a: 1, gone: 2 } },
    { spec: { a: 1 } },
    { spec: { a: 1, gone: 2, theirs: 3 }, status: {} },
  );
  assert.deepEqual(patch, { spec: { gone: null } });
});

test('a field that was never applied is not removed', () => {
  assert.equal(threeWayPatch({}, { spec: { a: 1 } }, { spec: { a: 1, defaulted: true } }), undefined);
});

test('a list is set whole', () => {
  assert.deepEqual(threeWayPatch({}, { list: [1, 2] }, { list: [1, 2, 3] }), { list: [1, 2] });
});

test('the annotation holds what was applied, without itself', () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', annotations: { mine: 'x' } } };
  const sent = withLastApplied(object);
  assert.deepEqual(JSON.parse(sent.metadata?.annotations?.[LAST_APPLIED] ?? ''), object);
  assert.deepEqual(lastApplied(sent), object);
  assert.deepEqual(withLastApplied(sent), sent);
});

const tree = fc.letrec<{ fields: Fields; value: unknown }>((tie) => ({
  fields: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 3 }),
    fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 2 }),
    tie('fields'),
  ),
})).fields;

test('after the patch all that is wanted is there, and a second apply changes nothing', () => {
  fc.assert(
    fc.property(tree, tree, tree, (last, wanted, live) => {
      const patched = merge(live, threeWayPatch(last, wanted, live) ?? {}) as Fields;
      assert.equal(threeWayPatch(wanted, wanted, patched), undefined);
    }),
  );
});

// The patch between two values, checked by its law: applied to the first it gives the second.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergePatch, sameJson } from '../../src/install/merge-patch.ts';

describe('mergePatch', () => {
  it('says nothing when nothing changed, in whatever order', () => {
    assert.deepEqual(mergePatch({ a: 1, b: { c: [1, { d: 2, e: 3 }] } }, { b: { c: [1, { e: 3, d: 2 }] }, a: 1 }), {});
  });

  it('sends changed fields only, lists as a whole, and null for what went', () => {
    const from = { spec: { replicas: 1, ports: [80], selector: { app: 'a' }, old: 1 }, gone: {} };
    const to = { spec: { replicas: 2, ports: [80, 443], selector: { app: 'a' } }, added: { x: 1 } };
    assert.deepEqual(mergePatch(from, to), {
      spec: { replicas: 2, ports: [80, 443], old: null },
      added: { x: 1 },
      gone: null,
    });
  });

  it('tells a list from a map and null from nothing', () => {
    assert.deepEqual(mergePatch({ a: [] }, { a: {} }), { a: {} });
    assert.equal(sameJson([], {}), false);
    assert.equal(sameJson(null, {}), false);
    assert.equal(sameJson({ a: undefined }, {}), true);
  });
});

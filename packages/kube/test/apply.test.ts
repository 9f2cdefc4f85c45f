import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bool, int, list, listBy, map, obj, type Schema, setOf, str } from '../src/kinds/schema.ts';
import type { KubeObject } from '../src/object.ts';
import { fieldValues } from '../src/server/apply/fields.ts';
import { applyConfiguration, entriesOf, type Manager, toManagedFields } from '../src/server/apply/managers.ts';
import { fromFieldsV1, pathText, toFieldsV1 } from '../src/server/apply/paths.ts';
import { isStatus } from '../src/status-error.ts';

const schema: Schema = obj({
  spec: obj({
    count: int(),
    flag: bool(),
    labels: map(str()),
    nested: obj({ a: str(), b: str() }),
    whole: list(str()),
    words: setOf(str()),
    items: listBy('name', obj({ name: str(), value: str(), more: map(str()) })),
  }),
});

const manager = (name: string): Manager => ({ name, operation: 'Apply', apiVersion: 'v1' });

function apply(live: KubeObject, config: KubeObject, name: string, force = false): KubeObject {
  const { object, entries } = applyConfiguration(live, config, schema, manager(name), force, '2026-01-01T00:00:00Z');
  return { ...object, metadata: { ...object.metadata, managedFields: toManagedFields(entries) } };
}

const specOf = (object: KubeObject) => object['spec'] ?? {};

/** Mulberry32: the draws are the same in every run. */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A configuration of some of the fields; lists come in the order of their names, which merging keeps. */
function anyConfig(draw: () => number): KubeObject {
  const some = <T>(values: readonly T[]): T[] => values.filter(() => draw() < 0.5);
  const value = () => ['x', 'y', 'z'][Math.floor(draw() * 3)] ?? 'x';
  const values = (names: readonly string[]) => Object.fromEntries(some(names).map((name) => [name, value()]));
  const spec: Record<string, unknown> = {
    count: Math.floor(draw() * 3),
    flag: draw() < 0.5,
    labels: values(['l1', 'l2', 'l3']),
    nested: values(['a', 'b']),
    whole: [value(), value()],
    words: some(['w1', 'w2', 'w3']),
    items: some(['i1', 'i2', 'i3']).map((name) => ({ name, ...values(['value']), more: values(['m1', 'm2']) })),
  };
  return { spec: Object.fromEntries(some(Object.entries(spec)).filter(([, one]) => !isEmpty(one))) };
}

const isEmpty = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** Without what is empty, and with lists in one order: what two managers leave may differ in that. */
function settled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settled).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, one]) => [name, settled(one)] as const)
      .filter(([, one]) => !isEmpty(one))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

describe('server-side apply, whatever is applied', () => {
  const RUNS = 500;
  const each = (check: (draw: () => number) => void) => {
    for (let seed = 1; seed <= RUNS; seed++) check(draws(seed));
  };

  test('the first apply makes the object what it says, and a second one changes nothing', () =>
    each((draw) => {
      const config = anyConfig(draw);
      const once = apply({}, config, 'm');
      assert.deepEqual(settled(specOf(once)), settled(specOf(config)));
      assert.deepEqual(apply(once, config, 'm'), once);
    }));

  test('one manager alone gets what it applied last', () =>
    each((draw) => {
      const [first, second] = [anyConfig(draw), anyConfig(draw)];
      assert.deepEqual(settled(specOf(apply(apply({}, first, 'm'), second, 'm'))), settled(specOf(second)));
    }));

  test('who applies nothing any more leaves what the other has applied', () =>
    each((draw) => {
      const [first, second] = [anyConfig(draw), anyConfig(draw)];
      const both = apply(apply({}, first, 'm1'), second, 'm2', true);
      assert.deepEqual(settled(specOf(apply(both, {}, 'm1'))), settled(specOf(second)));
    }));

  test('a conflict is a field of the other that would change, and force takes it over', () =>
    each((draw) => {
      const [first, second] = [anyConfig(draw), anyConfig(draw)];
      const live = apply({}, first, 'm1');
      const [mine, theirs] = [fieldValues(second, schema), fieldValues(first, schema)];
      const clashes = [...mine].filter(
        ([path, value]) => theirs.has(path) && JSON.stringify(theirs.get(path)) !== JSON.stringify(value),
      );
      if (clashes.length === 0) apply(live, second, 'm2');
      else
        assert.throws(
          () => apply(live, second, 'm2'),
          (error) => isStatus(error, 'Conflict'),
        );
      const forced = apply(live, second, 'm2', true);
      const [left] = entriesOf(forced).filter((entry) => entry.name === 'm1');
      for (const [path] of clashes) assert.ok(!left?.fields.has(path), pathText(path));
    }));

  test('paths survive as FieldsV1', () =>
    each((draw) => {
      const paths = new Set(fieldValues(anyConfig(draw), schema).keys());
      assert.deepEqual(fromFieldsV1(JSON.parse(JSON.stringify(toFieldsV1(paths)))), paths);
    }));
});

test('the defaults around an abandoned field go with it', () => {
  const live = apply({}, { spec: { nested: { a: 'x' }, items: [{ name: 'i' }] } }, 'm');
  const defaulted = { ...live, spec: { nested: { a: 'x', b: 'default' }, items: [{ name: 'i', value: 'default' }] } };
  assert.deepEqual(specOf(apply(defaulted, { spec: { count: 1 } }, 'm')), { count: 1 });
});

test('applied items keep their own order, and the others their places', () => {
  const items = (...names: string[]) => ({ spec: { items: names.map((name) => ({ name })) } });
  const live = apply(apply({}, items('a', 'b', 'c'), 'm1'), items('z'), 'm2');
  assert.deepEqual(specOf(apply(live, items('c', 'a', 'd'), 'm1')), items('c', 'a', 'z', 'd').spec);
});

test('a conflict is told in the words of Kubernetes', () => {
  const live = apply({}, { spec: { count: 1, items: [{ name: 'a', value: 'x' }] } }, 'theirs');
  assert.throws(
    () => apply(live, { spec: { count: 2 } }, 'mine'),
    /^StatusError: Apply failed with 1 conflict: conflict with "theirs": \.spec\.count$/,
  );
  assert.throws(
    () => apply(live, { spec: { count: 2, items: [{ name: 'a', value: 'y' }] } }, 'mine'),
    /Apply failed with 2 conflicts: conflicts with "theirs":\n- \.spec\.count\n- \.spec\.items\[name="a"\]\.value/,
  );
});

test('what nobody can have written into managedFields is left out', () => {
  const fields = { 'f:a': { 'k:not json': {}, 'v:': {}, 'x:y': {}, 'k:{"name":"a"}': { '.': {}, 'f:b': {} } } };
  assert.deepEqual([...fromFieldsV1(fields)].map(pathText), ['.a[name="a"]', '.a[name="a"].b']);
});

test('a name made to read as the path of another field is nobody’s, and nothing else changes for it', () => {
  const name = ['x', '__proto__', 'polluted'].join('\u0000');
  const live = apply({}, { spec: { labels: { [name]: '1', good: '2' } } }, 'm');
  assert.equal('polluted' in {}, false);
  assert.deepEqual([...(entriesOf(live)[0]?.fields ?? [])].map(pathText), ['.spec.labels.good']);
  assert.deepEqual(specOf(live), { labels: { [name]: '1', good: '2' } });
});

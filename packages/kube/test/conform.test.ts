import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conform } from '../src/kinds/conform.ts';
import {
  atMostOne,
  bool,
  duration,
  int,
  intOrString,
  list,
  map,
  obj,
  oneOfWords,
  quantity,
  type Schema,
  str,
} from '../src/kinds/schema.ts';

const schema = obj({
  spec: obj(
    {
      replicas: int('', { default: 1, minimum: 0 }),
      mode: oneOfWords(['Fast', 'Slow']),
      timeout: duration(),
      port: intOrString(),
      memory: quantity(),
      labels: map(str()),
      items: list(obj({ name: str('', { pattern: '^[a-z]+$' }), weight: int('', { default: 100 }) }, ['name'])),
      nested: obj({ on: bool('', { default: true }) }, [], '', { default: {} }),
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } satisfies Schema,
      match: obj({ exact: str(), prefix: str() }, [], '', atMostOne('exact', 'prefix')),
    },
    ['mode'],
  ),
});

const spec = (value: Record<string, unknown>) => conform(schema, { spec: { mode: 'Fast', ...value } });
const fields = (value: Record<string, unknown>) =>
  spec(value).causes.map((cause) => `${cause.field}: ${cause.message}`);

test('defaults are filled in, also below a default and inside lists', () => {
  assert.deepEqual(spec({ items: [{ name: 'a' }] }).value, {
    spec: { mode: 'Fast', replicas: 1, items: [{ name: 'a', weight: 100 }], nested: { on: true } },
  });
});

test('a given value is kept although there is a default', () => {
  assert.deepEqual((spec({ replicas: 0 }).value as { spec: { replicas: number } }).spec.replicas, 0);
});

test('unknown fields are left out and named with their path', () => {
  const { value, unknown } = spec({ colour: 1, items: [{ name: 'a', wieght: 3 }], free: { any: { thing: 1 } } });
  assert.deepEqual(unknown, ['spec.colour', 'spec.items[0].wieght']);
  assert.deepEqual((value as { spec: { free: unknown } }).spec.free, { any: { thing: 1 } });
});

test('the value that came in is not changed', () => {
  const input = { spec: { mode: 'Fast', items: [{ name: 'a' }], bogus: 1 } };
  const before = structuredClone(input);
  conform(schema, input);
  assert.deepEqual(input, before);
});

test('null means not set', () => {
  const { value, mismatches } = spec({ replicas: null, labels: null });
  assert.deepEqual(mismatches, []);
  assert.deepEqual(value, { spec: { mode: 'Fast', replicas: 1, nested: { on: true } } });
});

test('a wrong type is reported with its place', () => {
  const { mismatches } = spec({ replicas: 'three', items: [{ name: 'a', weight: 'heavy' }], labels: { a: 1 } });
  assert.deepEqual(
    mismatches.map((one) => one.path),
    ['spec.replicas', 'spec.items[0].weight', 'spec.labels.a'],
  );
});

test('a fraction is not an integer', () => {
  assert.deepEqual(
    spec({ replicas: 1.5 }).mismatches.map((one) => one.path),
    ['spec.replicas'],
  );
});

test('required, enum, minimum and pattern are worded as Kubernetes does', () => {
  assert.deepEqual(
    conform(schema, { spec: {} }).causes.map((cause) => `${cause.field}: ${cause.message}`),
    ['spec.mode: Required value'],
  );
  assert.deepEqual(fields({ mode: 'Medium' }), [
    'spec.mode: Unsupported value: "Medium": supported values: "Fast", "Slow"',
  ]);
  assert.deepEqual(fields({ replicas: -1 }), [
    'spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0',
  ]);
  assert.deepEqual(fields({ items: [{ name: 'A' }] }), [
    `spec.items[0].name: Invalid value: "A": spec.items[0].name in body should match '^[a-z]+$'`,
  ]);
});

test('durations, quantities and ports', () => {
  assert.deepEqual(fields({ timeout: '1.5s', port: 'http', memory: 512 }), []);
  assert.equal((spec({ memory: 512 }).value as { spec: { memory: string } }).spec.memory, '512');
  assert.match(fields({ timeout: '5 parsecs' })[0] ?? '', /^spec\.timeout: .*must be a valid duration/);
  assert.match(fields({ memory: 'lots' })[0] ?? '', /^spec\.memory: .*quantities must match/);
  assert.deepEqual(
    spec({ port: true }).mismatches.map((one) => one.path),
    ['spec.port'],
  );
});

test('only one of the fields that exclude each other', () => {
  assert.deepEqual(fields({ match: { exact: 'a' } }), []);
  assert.deepEqual(fields({ match: {} }), []);
  assert.match(
    fields({ match: { exact: 'a', prefix: 'b' } })[0] ?? '',
    /must validate one and only one schema \(oneOf\). Found 2 valid/,
  );
});

test('__proto__ is never a field', () => {
  const { value, unknown } = conform(
    schema,
    JSON.parse('{"spec":{"mode":"Fast","labels":{"__proto__":"x"},"__proto__":{"polluted":true}}}'),
  );
  assert.deepEqual(unknown, ['spec.labels.__proto__', 'spec.__proto__']);
  assert.equal((value as { spec: { polluted?: boolean } }).spec.polluted, undefined);
});

test('a pattern cannot stall the walk', () => {
  const evil = obj({ name: str('', { pattern: '^(a+)+$' }) });
  const started = performance.now();
  assert.equal(conform(evil, { name: `${'a'.repeat(20_000)}!` }).causes.length, 1);
  assert.ok(performance.now() - started < 2_000);
});

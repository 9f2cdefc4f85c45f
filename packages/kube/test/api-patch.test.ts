import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deploymentRow } from '../src/kinds/rows/deployment.ts';
import { serviceRow } from '../src/kinds/rows/service.ts';
import { schemaOf } from '../src/server/object-check.ts';
import { applyPatchTo, type PatchType } from '../src/server/patch.ts';
import { isStatus } from '../src/status-error.ts';

const schema = schemaOf(deploymentRow, 'v1');
const pods = (spec: object) => ({ spec: { template: { spec } } });
const patched = (target: object, patch: unknown, type: PatchType = 'strategic') =>
  applyPatchTo(target as Record<string, unknown>, patch, type, schema);

test('strategic: containers merge by name, their ports by number, their arguments not at all', () => {
  const before = pods({
    containers: [
      { name: 'app', image: 'a:1', args: ['x'], ports: [{ containerPort: 80, name: 'http' }] },
      { name: 'istio-proxy', image: 'p' },
    ],
  });
  const patch = pods({ containers: [{ name: 'app', image: 'a:2', args: ['y', 'z'], ports: [{ containerPort: 90 }] }] });
  assert.deepEqual(
    patched(before, patch),
    pods({
      containers: [
        {
          name: 'app',
          image: 'a:2',
          args: ['y', 'z'],
          ports: [{ containerPort: 80, name: 'http' }, { containerPort: 90 }],
        },
        { name: 'istio-proxy', image: 'p' },
      ],
    }),
  );
});

test('strategic: null removes, and the target is left as it was', () => {
  const before = { metadata: { labels: { a: '1', b: '2' } } };
  assert.deepEqual(patched(before, { metadata: { labels: { a: null, c: '3' } } }), {
    metadata: { labels: { b: '2', c: '3' } },
  });
  assert.deepEqual(before, { metadata: { labels: { a: '1', b: '2' } } });
});

test('strategic: $patch delete and replace', () => {
  const before = pods({ containers: [{ name: 'a' }, { name: 'b' }] });
  assert.deepEqual(
    patched(before, pods({ containers: [{ name: 'a', $patch: 'delete' }] })),
    pods({ containers: [{ name: 'b' }] }),
  );
  assert.deepEqual(
    patched(before, pods({ containers: [{ $patch: 'replace' }, { name: 'c' }] })),
    pods({ containers: [{ name: 'c' }] }),
  );
  assert.deepEqual(
    patched({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'replace', b: '2' } } }),
    { metadata: { labels: { b: '2' } } },
  );
});

test('strategic: the order that kubectl apply asks for', () => {
  const before = pods({ containers: [{ name: 'a' }, { name: 'injected' }, { name: 'b' }] });
  const patch = pods({
    '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
    containers: [{ name: 'b', image: 'x' }],
  });
  assert.deepEqual(
    patched(before, patch),
    pods({ containers: [{ name: 'b', image: 'x' }, { name: 'injected' }, { name: 'a' }] }),
  );
});

test('strategic: lists of plain values, and what is to be retained', () => {
  const before = { metadata: { finalizers: ['a', 'b'] } };
  assert.deepEqual(patched(before, { metadata: { finalizers: ['b', 'c'] } }), {
    metadata: { finalizers: ['a', 'b', 'c'] },
  });
  assert.deepEqual(patched(before, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }), {
    metadata: { finalizers: ['b'] },
  });
  const strategy = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  assert.deepEqual(patched(strategy, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }), {
    spec: { strategy: { type: 'Recreate' } },
  });
});

test('strategic: service ports merge by port', () => {
  const target = { spec: { ports: [{ port: 80, nodePort: 30_000 }, { port: 81 }] } };
  const result = applyPatchTo(
    target,
    { spec: { ports: [{ port: 80, name: 'http' }] } },
    'strategic',
    schemaOf(serviceRow, 'v1'),
  );
  assert.deepEqual(result, { spec: { ports: [{ port: 80, nodePort: 30_000, name: 'http' }, { port: 81 }] } });
});

test('strategic: an item without its key is refused', () => {
  assert.throws(
    () => patched(pods({ containers: [] }), pods({ containers: [{ image: 'x' }] })),
    (error) => isStatus(error, 'BadRequest') && /merge key "name"/.test(error.message),
  );
});

test('merge patch (RFC 7386)', () => {
  const result = patched({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { b: null, c: [3] }, e: { f: null, g: 1 } }, 'merge');
  assert.deepEqual(result, { a: { c: [3] }, d: 1, e: { g: 1 } });
});

test('JSON patch (RFC 6902)', () => {
  const target = { spec: { replicas: 1, list: ['a'] } };
  const steps = [
    { op: 'test', path: '/spec/replicas', value: 1 },
    { op: 'replace', path: '/spec/replicas', value: 2 },
    { op: 'add', path: '/spec/list/-', value: 'b' },
  ];
  assert.deepEqual(patched(target, steps, 'json'), { spec: { replicas: 2, list: ['a', 'b'] } });
  assert.deepEqual(target, { spec: { replicas: 1, list: ['a'] } });
  assert.throws(
    () => patched(target, [{ op: 'test', path: '/spec/replicas', value: 7 }], 'json'),
    (error) => isStatus(error, 'Invalid') && /step 0 \(test \/spec\/replicas\)/.test(error.message),
  );
  assert.throws(
    () => patched(target, { op: 'remove' }, 'json'),
    (error) => isStatus(error, 'BadRequest'),
  );
});

test('no patch reaches a prototype', () => {
  const evil = JSON.parse('{"__proto__":{"polluted":true},"metadata":{"__proto__":{"polluted":true}}}');
  for (const type of ['merge', 'strategic'] as const) {
    const result = patched({ metadata: {} }, evil, type) as { polluted?: boolean; metadata: { polluted?: boolean } };
    assert.equal(result.polluted, undefined);
    assert.equal(result.metadata.polluted, undefined);
  }
});

test('json: steps that are none, and copies of copies, are refused', () => {
  const json = (patch: unknown, target: object = { data: { a: 'b' } }) => patched(target, patch, 'json');
  for (const step of [
    { op: 'frob', path: '/data' },
    { op: 'add', path: 'data', value: 1 },
    { op: 'copy', path: '/data/b' },
    { op: 'add', path: '/__proto__/polluted', value: 1 },
  ])
    assert.throws(
      () => json([step]),
      (error) => isStatus(error, 'BadRequest'),
      JSON.stringify(step),
    );
  const doubling = Array.from({ length: 40 }, (_, n) => ({ op: 'copy', from: '/data', path: `/data/n${n}` }));
  assert.throws(
    () => json(doubling),
    (error) => isStatus(error, 'RequestEntityTooLarge'),
  );
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: 'b' }));
  assert.throws(
    () => json(many),
    (error) => isStatus(error, 'RequestEntityTooLarge'),
  );
});

test('no patch reaches a prototype', () => {
  const nasty = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
  const lists = JSON.parse('{"$deleteFromPrimitiveList/__proto__":["a"],"$setElementOrder/__proto__":["a"]}');
  for (const [patch, type] of [
    [nasty, 'merge'],
    [nasty, 'strategic'],
    [lists, 'strategic'],
    [[{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }], 'json'],
  ] as const) {
    const result = patched({ data: {} }, patch, type);
    assert.equal(Object.getPrototypeOf(result), Object.prototype);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  }
});

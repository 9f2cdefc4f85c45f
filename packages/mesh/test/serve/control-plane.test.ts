// The control plane as proxies and objects see it: a change goes in at one end, and comes out at the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as kinds from '@varka/kube/kinds/refs.ts';
import { C, CHAIN, CHAIN_PODS, ENTRY, SUBSETS, split } from '../compile/chain.ts';
import { connectProxy, eventually, statusOf, synced, World } from './plane-fixture.ts';

function chainWorld(): World {
  const world = new World();
  world.pods(CHAIN_PODS);
  world.apply(CHAIN);
  return world;
}

test('every connected proxy is told apart, served and SYNCED', async (t) => {
  const world = chainWorld();
  world.apply(ENTRY);
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  const gateway = connectProxy(t, plane, 'ingress-1', 'istio-system', 'router');
  await synced(plane, 'b-1.default', 'ingress-1.istio-system');
  assert.deepEqual(statusOf(plane, 'b-1.default'), {
    proxy: 'b-1.default',
    type: 'sidecar',
    cds: 'SYNCED',
    lds: 'SYNCED',
    eds: 'SYNCED',
    rds: 'SYNCED',
    istiod: 'istiod.istio-system',
    version: '0.1.0',
    errors: [],
  });
  assert.ok(b.clusters.has('inbound|8080||'));
  assert.equal(gateway.clusters.has('inbound|8080||'), false);
  assert.deepEqual([...gateway.routes.keys()], ['http.8080']);
  assert.deepEqual(b.assigned.get(C('')), ['10.244.0.13', '10.244.0.14']);
});

test('a new subset and a rule that uses it arrive in the order that never breaks a request', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  await synced(plane, 'b-1.default');
  b.events.length = 0;
  world.apply(SUBSETS + split({ 'version-v1': 90, 'version-v2': 10 }));
  await eventually(() => b.events.some((event) => event.startsWith('rds')), 'the new routes');
  // The plain cluster has changed too (the rule is in its metadata), and Envoy waits for a changed cluster's endpoints.
  assert.deepEqual(b.events, ['cds', `eds ${C('')}`, `eds ${C('version-v1')} ${C('version-v2')}`, 'rds 8080']);

  b.events.length = 0;
  world.remove(kinds.DestinationRule, 'service-c');
  world.remove(kinds.VirtualService, 'service-c');
  await eventually(() => !b.clusters.has(C('version-v1')), 'the clusters’ removal');
  assert.deepEqual(
    b.events,
    ['cds', `eds ${C('')}`, 'rds 8080', 'cds'],
    'changed clusters, then routes, and only then the removal',
  );
});

test('a change reaches every proxy in well under a second, and what does not concern a proxy is not sent', async (t) => {
  const world = chainWorld();
  world.apply(ENTRY + SUBSETS + split({ 'version-v1': 100 }));
  const plane = await world.start(t);
  const proxies = ['a-1', 'b-1', 'c-1', 'c-2'].map((pod) => connectProxy(t, plane, pod));
  const gateway = connectProxy(t, plane, 'ingress-1', 'istio-system', 'router');
  await synced(plane, 'a-1.default', 'b-1.default', 'c-1.default', 'c-2.default', 'ingress-1.istio-system');
  gateway.events.length = 0;
  const before = plane.convergence()?.version;
  world.apply(split({ 'version-v2': 100 }));
  await eventually(() => plane.convergence() !== undefined && plane.convergence()?.version !== before, 'convergence');
  const convergence = plane.convergence()!;
  assert.equal(convergence.proxies, 5);
  assert.ok(convergence.sinceChangeMs < 500, `${convergence.sinceChangeMs} ms from the change to the last ACK`);
  for (const proxy of proxies) assert.equal(proxy.events.at(-1), 'rds 8080');
  assert.deepEqual(gateway.events, []);
});

test('a proxy whose pod is not known yet waits for it', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  const late = connectProxy(t, plane, 'late-1');
  await eventually(() => statusOf(plane, 'late-1.default') !== undefined, 'the connection');
  assert.equal(statusOf(plane, 'late-1.default')!.cds, 'NOT SENT');
  world.pods([{ name: 'late-1', ip: '10.244.0.77', labels: { app: 'late' } }]);
  await synced(plane, 'late-1.default');
  assert.ok(late.clusters.has('InboundPassthroughCluster'));
});

test('a node id that is none is refused, and the others go on', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  connectProxy(t, plane, 'x', 'y', 'toaster');
  connectProxy(t, plane, 'b-1');
  await synced(plane, 'b-1.default');
  assert.deepEqual(
    plane.proxyStatus().map(({ proxy }) => proxy),
    ['b-1.default'],
  );
});

test('what a proxy refuses is shown, written on the object, and taken back when it is right again', async (t) => {
  const world = chainWorld();
  world.apply(SUBSETS);
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  await synced(plane, 'b-1.default');
  b.judge.routes = () => 'virtual_hosts[service-c]: this proxy is in a bad mood';
  world.apply(split({ 'version-v1': 100 }));
  await eventually(() => statusOf(plane, 'b-1.default')?.rds === 'ERROR', 'the refusal');
  assert.deepEqual(statusOf(plane, 'b-1.default')!.errors, [
    { type: 'rds', message: 'virtual_hosts[service-c]: this proxy is in a bad mood' },
  ]);
  await eventually(
    () => world.conditions(kinds.VirtualService, 'service-c').some(({ status }) => status === 'False'),
    'the condition',
  );
  const [condition] = world.conditions(kinds.VirtualService, 'service-c');
  assert.equal(condition!.type, 'Reconciled');
  assert.equal(condition!.reason, 'RefusedByProxy');
  assert.equal(condition!.message, 'b-1.default: virtual_hosts[service-c]: this proxy is in a bad mood');

  b.judge.routes = () => undefined;
  world.apply(split({ 'version-v2': 100 }));
  await synced(plane, 'b-1.default');
  await eventually(
    () => world.conditions(kinds.VirtualService, 'service-c').some(({ status }) => status === 'True'),
    'the condition is taken back',
  );
});

test('conditions come to rest: nothing is written without news, and a status of ours sets off no push', async (t) => {
  const world = chainWorld();
  world.apply(ENTRY + SUBSETS + split({ 'version-v1': 100 }));
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  connectProxy(t, plane, 'ingress-1', 'istio-system', 'router');
  await synced(plane, 'b-1.default', 'ingress-1.istio-system');
  await eventually(() => world.api.writes.length >= 4, 'a condition on each of the four objects');
  const version = plane.snapshot()!.revision;
  const events = b.events.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(world.api.writes.length, 4, world.api.writes.join('\n'));
  assert.equal(plane.snapshot()!.revision, version);
  assert.equal(b.events.length, events);
});

test('a field that is not carried out is told on the object', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  world.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: faulty}
spec:
  hosts: [service-c]
  http:
  - fault: {abort: {httpStatus: 503, percentage: {value: 75}}}
    route: [{destination: {host: service-c}}]
`);
  await eventually(() => world.conditions(kinds.VirtualService, 'faulty').length === 2, 'the conditions');
  const told = world.conditions(kinds.VirtualService, 'faulty').find(({ type }) => type === 'CarriedOut');
  assert.equal(told?.status, 'False');
  assert.equal(told?.message, 'Not carried out yet: spec.http[0].fault.');
  assert.ok(plane.snapshot());
});

test('a port that is taken is said so', async (t) => {
  const plane = await new World().start(t);
  await assert.rejects(
    new World().start(t, { listen: { host: '127.0.0.1', port: plane.port } }),
    new RegExp(`xDS cannot listen on 127.0.0.1:${plane.port}`),
  );
});

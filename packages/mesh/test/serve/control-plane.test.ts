// The control plane as proxies and objects see it: a change goes in at one end, and comes out at the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as kinds from '@varka/kube/kinds/refs.ts';
import { C, CHAIN, CHAIN_PODS, ENTRY, SUBSETS, split } from '../compile/chain.ts';
import { silent } from '../fake-informer.ts';
import { connectProxy, eventually, statusOf, synced, World } from './plane-fixture.ts';

function chainWorld(): World {
  const world = new World();
  world.pods(CHAIN_PODS);
  world.apply(CHAIN);
  return world;
}

const NOT_CARRIED_OUT = 'retries: {attempts: 2, retryRemoteLocalities: true}';

/** A rule for one host that sends everything to service-c, `more` being fields of its only entry. */
const ruleFor = (host: string, name: string, more = 'timeout: 9s') => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}}
spec:
  hosts: [${host}]
  http: [{route: [{destination: {host: service-c}}], ${more}}]
`;

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
    () => world.conditions(kinds.VirtualService, 'service-c').length === 0,
    'the condition is taken back',
  );
});

test('a refusal is laid at the door of what was new, not of every rule the proxy uses', async (t) => {
  const world = chainWorld();
  world.apply(SUBSETS + split({ 'version-v1': 100 }));
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  await synced(plane, 'b-1.default');
  b.judge.routes = () => 'no';
  world.apply(ruleFor('service-a', 'bad'));
  await eventually(() => world.conditions(kinds.VirtualService, 'bad').length === 1, 'the condition');
  world.apply(ruleFor('service-b', 'late'));
  world.apply(ruleFor('service-a', 'bad', NOT_CARRIED_OUT));
  await eventually(() => world.conditions(kinds.VirtualService, 'bad').length === 2, 'a later look at all of them');
  assert.deepEqual(world.conditions(kinds.VirtualService, 'service-c'), []);
  assert.deepEqual(world.conditions(kinds.VirtualService, 'late'), [], 'the proxy has said the same before it came');
});

test('conditions come to rest: what was said is not said again, and what is well is left alone', async (t) => {
  const world = chainWorld();
  world.apply(ENTRY + SUBSETS + ruleFor('service-c', 'service-c', NOT_CARRIED_OUT));
  const plane = await world.start(t);
  const b = connectProxy(t, plane, 'b-1');
  connectProxy(t, plane, 'ingress-1', 'istio-system', 'router');
  await synced(plane, 'b-1.default', 'ingress-1.istio-system');
  await eventually(() => world.api.writes.length > 0, 'a condition on the rule that is not carried out');
  const version = plane.snapshot()!.revision;
  const events = b.events.length;
  world.apply(ruleFor('service-c', 'service-c', `${NOT_CARRIED_OUT}, timeout: 1s`));
  world.apply(ruleFor('service-a', 'other', NOT_CARRIED_OUT));
  await eventually(() => world.conditions(kinds.VirtualService, 'other').length === 1, 'a later look at all of them');
  await eventually(() => plane.convergence()?.version === plane.snapshot()?.revision, 'convergence');
  // Objects with nothing wrong are left alone, so that a `kubectl replace` of them meets no conflict.
  const written = ['PATCH virtualservices/service-c/status', 'PATCH virtualservices/other/status'];
  assert.deepEqual(world.api.writes, written);
  assert.notEqual(plane.snapshot()!.revision, version);
  assert.ok(b.events.length > events);
});

test('a field that is not carried out is told on the object', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  world.apply(ruleFor('service-c', 'faulty', NOT_CARRIED_OUT));
  await eventually(() => world.conditions(kinds.VirtualService, 'faulty').length === 1, 'the condition');
  const told = world.conditions(kinds.VirtualService, 'faulty').find(({ type }) => type === 'CarriedOut');
  assert.equal(told?.status, 'False');
  assert.equal(told?.message, 'Not carried out yet: spec.http[0].retries.retryRemoteLocalities.');
  assert.ok(plane.snapshot());
});

test('a storm of changes is a few pushes, and everybody ends with the last of them', async (t) => {
  const world = chainWorld();
  world.apply(SUBSETS);
  const plane = await world.start(t);
  const names = ['a-1', 'b-1', 'c-1', 'c-2'];
  const proxies = names.map((pod) => connectProxy(t, plane, pod));
  await synced(plane, ...names.map((name) => `${name}.default`));
  const pushes = () => Number(plane.snapshot()!.revision.split('/')[1]);
  const before = pushes();
  for (let change = 1; change <= 1000; change++) {
    world.apply(split({ 'version-v1': 1000 - change + 1, 'version-v2': change }));
    if (change % 20 === 0) await setImmediate();
  }
  const lastOf = ({ routes }: (typeof proxies)[0]) => {
    const host = routes.get('8080')?.virtualHosts.find(({ name }) => name.startsWith('service-c.'));
    const action = host?.routes[0]?.action;
    const specifier = action?.case === 'route' ? action.value.clusterSpecifier : undefined;
    return specifier?.case === 'weightedClusters' ? specifier.value.clusters.map(({ weight }) => weight) : [];
  };
  await eventually(() => proxies.every((proxy) => lastOf(proxy).join() === '1,1000'), 'the last rule everywhere');
  assert.ok(pushes() - before <= 20, `${pushes() - before} pushes for 1000 changes`);
});

test('between one proxy and the next, the rest of the process has its turn', async (t) => {
  const world = chainWorld();
  const names = Array.from({ length: 12 }, (_, index) => `many-${index}`);
  world.pods(names.map((name, index) => ({ name, ip: `10.244.9.${index}`, labels: { app: 'many' } })));
  let pushed = 0;
  const log = { ...silent, debug: (message: string) => void (message === 'configuration pushed' && pushed++) };
  const plane = await world.start(t, { log });
  for (const name of names) connectProxy(t, plane, name);
  await synced(plane, ...names.map((name) => `${name}.default`));
  const [before, version] = [pushed, plane.snapshot()!.revision];
  world.apply(ruleFor('service-c', 'news'));
  let turns = 0;
  while (pushed === before) {
    await setImmediate();
    if (plane.snapshot()!.revision !== version) turns++;
  }
  assert.ok(turns >= names.length, `${turns} turns while ${names.length} proxies were served`);
});

test('a proxy that connects anew keeps its state when its old connection ends after that', async (t) => {
  const world = chainWorld();
  const plane = await world.start(t);
  const old = connectProxy(t, plane, 'b-1');
  await synced(plane, 'b-1.default');
  const again = connectProxy(t, plane, 'b-1');
  await eventually(() => plane.proxyStatus().length === 2, 'both connections');
  await eventually(() => again.routes.size > 0, 'the routes');
  again.judge.routes = () => 'no';
  world.apply(ruleFor('service-a', 'bad'));
  await eventually(() => world.conditions(kinds.VirtualService, 'bad').length === 1, 'the condition');
  old.client.stop();
  await eventually(() => plane.proxyStatus().length === 1, 'the end of the old one');
  world.apply(ruleFor('service-b', 'other', NOT_CARRIED_OUT));
  await eventually(() => world.conditions(kinds.VirtualService, 'other').length === 1, 'a later look at all of them');
  assert.equal(world.conditions(kinds.VirtualService, 'bad').length, 1, 'it is still refused');
});

test('a port that is taken is said so', async (t) => {
  const plane = await new World().start(t);
  await assert.rejects(
    new World().start(t, { listen: { host: '127.0.0.1', port: plane.port } }),
    new RegExp(`xDS cannot listen on 127.0.0.1:${plane.port}`),
  );
});

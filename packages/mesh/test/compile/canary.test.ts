// The gateway and canary chapters, as the compiler sees them: what each step of the walk makes of a request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, CHAIN, CHAIN_PODS, ENTRY, SUBSETS, split } from './chain.ts';
import { compileFor, decide, outcome, snapshotOf } from './world.ts';

const SERVICE_C = { host: 'service-c:8080' };

test('without rules, every service is reached by its names, with Istio’s defaults', () => {
  const proxy = compileFor(snapshotOf(CHAIN, CHAIN_PODS), 'b-1');
  const expected = C('');
  for (const host of [
    'service-c',
    'service-c:8080',
    'service-c.default',
    'service-c.default.svc:8080',
    'service-c.default.svc.cluster.local',
    'SERVICE-C.default.svc.cluster.local:8080',
    '10.96.3.3',
    '10.96.3.3:8080',
  ])
    assert.equal(outcome(proxy, '8080', { host }), expected, host);
  const decision = decide(proxy, '8080', SERVICE_C);
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.routeName, 'default');
  assert.equal(decision.virtualHost, 'service-c.default.svc.cluster.local:8080');
  assert.equal(decision.timeoutMs, 0);
  assert.equal(decision.retry?.numRetries, 2);
  assert.equal(decision.includeAttemptCount, true);
});

test('a short name means the caller’s own namespace only', () => {
  const pods = [...CHAIN_PODS, { name: 'other', namespace: 'elsewhere', ip: '10.244.0.99', labels: { app: 'other' } }];
  const proxy = compileFor(snapshotOf(CHAIN, pods), 'other', 'elsewhere');
  assert.equal(outcome(proxy, '8080', { host: 'service-c' }), 'PassthroughCluster');
  assert.equal(outcome(proxy, '8080', { host: 'service-c.default' }), C(''));
});

for (const { name, weights, draws } of [
  { name: 'all to v1', weights: { 'version-v1': 100 }, draws: { 0: 'version-v1', 0.999: 'version-v1' } },
  {
    name: '90/10',
    weights: { 'version-v1': 90, 'version-v2': 10 },
    draws: { 0: 'version-v1', 0.899: 'version-v1', 0.901: 'version-v2', 0.999: 'version-v2' },
  },
  {
    name: '50/50',
    weights: { 'version-v1': 50, 'version-v2': 50 },
    draws: { 0: 'version-v1', 0.499: 'version-v1', 0.501: 'version-v2' },
  },
  { name: 'all to v2', weights: { 'version-v2': 100 }, draws: { 0: 'version-v2', 0.999: 'version-v2' } },
  {
    name: 'a weight of 0 is never chosen',
    weights: { 'version-v1': 0, 'version-v2': 100 },
    draws: { 0: 'version-v2', 0.999: 'version-v2' },
  },
])
  test(`canary step: ${name}`, () => {
    const proxy = compileFor(snapshotOf(CHAIN + SUBSETS + split(weights as Record<string, number>), CHAIN_PODS), 'b-1');
    for (const [draw, subset] of Object.entries(draws))
      assert.equal(outcome(proxy, '8080', { ...SERVICE_C, draw: Number(draw) }), C(subset), `draw ${draw}`);
  });

test('subsets have the pods that carry their labels, the plain cluster has all', () => {
  const { endpoints } = compileFor(snapshotOf(CHAIN + SUBSETS, CHAIN_PODS), 'b-1');
  const addresses = (name: string) =>
    endpoints
      .find(({ clusterName }) => clusterName === name)
      ?.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)
      .map(({ hostIdentifier }) => {
        assert.ok(hostIdentifier.case === 'endpoint');
        const address = hostIdentifier.value.address?.address;
        assert.ok(address?.case === 'socketAddress');
        return `${address.value.address}:${address.value.portSpecifier.value}`;
      });
  assert.deepEqual(addresses(C('')), ['10.244.0.13:8080', '10.244.0.14:8080']);
  assert.deepEqual(addresses(C('version-v1')), ['10.244.0.13:8080']);
  assert.deepEqual(addresses(C('version-v2')), ['10.244.0.14:8080']);
});

test('a pod that is not ready gets nothing, and a subset may be empty', () => {
  const pods = CHAIN_PODS.map((pod) => (pod.name === 'c-2' ? { ...pod, ready: false } : pod));
  const { endpoints } = compileFor(snapshotOf(CHAIN + SUBSETS, pods), 'b-1');
  const count = (name: string) =>
    endpoints.find(({ clusterName }) => clusterName === name)?.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)
      .length;
  assert.equal(count(C('')), 1);
  assert.equal(count(C('version-v2')), 0);
});

test('a route to a subset that nobody defined leads to a cluster that is not there', () => {
  const proxy = compileFor(snapshotOf(CHAIN + split({ 'version-v9': 100 }), CHAIN_PODS), 'b-1');
  const decision = decide(proxy, '8080', SERVICE_C);
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.cluster, C('version-v9'));
  assert.equal(decision.clusterNotFoundStatus, 503);
  assert.equal(
    proxy.clusters.some(({ name }) => name === C('version-v9')),
    false,
  );
});

test('the gateway answers 404 until a rule is bound, then rewrites and forwards', () => {
  const onlyGateway = `${CHAIN}${ENTRY.slice(0, ENTRY.lastIndexOf('---'))}`;
  const before = compileFor(snapshotOf(onlyGateway, CHAIN_PODS), 'ingress-1', 'istio-system', 'router');
  assert.equal(outcome(before, 'http.8080', { host: 'anything', path: '/service-a' }), 'none');

  const after = compileFor(snapshotOf(CHAIN + ENTRY, CHAIN_PODS), 'ingress-1', 'istio-system', 'router');
  const decision = decide(after, 'http.8080', { host: '127.0.0.1:8080', path: '/service-a?x=1' });
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.cluster, 'outbound|8080||service-a.default.svc.cluster.local');
  assert.equal(decision.path, '/?x=1');
  assert.equal(outcome(after, 'http.8080', { host: '127.0.0.1:8080', path: '/elsewhere' }), 'none');
});

test('a rule bound to a gateway only does not touch callers in the mesh', () => {
  const proxy = compileFor(snapshotOf(CHAIN + ENTRY, CHAIN_PODS), 'b-1');
  const decision = decide(proxy, '8080', { host: 'service-a:8080', path: '/service-a' });
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.path, '/service-a');
  assert.equal(decision.routeName, 'default');
});

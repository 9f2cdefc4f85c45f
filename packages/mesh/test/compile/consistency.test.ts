// What holds for every output, whatever the input: names lead somewhere, nothing stands twice, equal in is equal out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import { Cluster_LbPolicy } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import fc from 'fast-check';
import type { CompiledProxy } from '../../src/compile/compile.ts';
import { encodeProxy } from '../../src/serve/encode.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import { C, CHAIN, CHAIN_PODS, ENTRY, SUBSETS } from './chain.ts';
import { VARIETY } from './variety.ts';
import { chainsOf, compileFor, managerOf, named, snapshotOf, tcpClusterOf } from './world.ts';

interface References {
  clusters: Set<string>;
  routes: Set<string>;
}

function references(compiled: CompiledProxy): References {
  const clusters = new Set<string>();
  const routes = new Set<string>();
  const configs = [...compiled.routes];
  for (const listener of compiled.listeners)
    for (const chain of chainsOf(listener)) {
      if (chain.filters[0]!.name === 'envoy.filters.network.tcp_proxy') {
        clusters.add(tcpClusterOf(chain));
        continue;
      }
      const { routeSpecifier } = managerOf(chain);
      if (routeSpecifier.case === 'rds') routes.add(routeSpecifier.value.routeConfigName);
      else if (routeSpecifier.case === 'routeConfig') configs.push(routeSpecifier.value);
    }
  for (const { virtualHosts } of configs)
    for (const { routes: list } of virtualHosts)
      for (const { action } of list) {
        if (action.case !== 'route') continue;
        const { clusterSpecifier } = action.value;
        if (clusterSpecifier.case === 'cluster') clusters.add(clusterSpecifier.value);
        if (clusterSpecifier.case === 'weightedClusters')
          for (const { name } of clusterSpecifier.value.clusters) clusters.add(name);
      }
  return { clusters, routes };
}

function check(compiled: CompiledProxy, mayBeMissing: ReadonlySet<string>): void {
  const names = compiled.clusters.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, 'a cluster stands twice');
  const listeners = compiled.listeners.map(({ name }) => name);
  assert.equal(new Set(listeners).size, listeners.length, 'a listener stands twice');
  const { clusters, routes } = references(compiled);
  for (const cluster of clusters)
    assert.ok(names.includes(cluster) || mayBeMissing.has(cluster), `${cluster} is referred to and not there`);
  assert.deepEqual([...routes].toSorted(), compiled.routes.map(({ name }) => name).toSorted(), 'RDS names');
  const eds = compiled.clusters.flatMap(({ edsClusterConfig }) => edsClusterConfig?.serviceName ?? []);
  assert.deepEqual(eds.toSorted(), compiled.endpoints.map(({ clusterName }) => clusterName).toSorted(), 'EDS names');
  for (const config of compiled.routes) {
    const table = compileRouteTable(config);
    assert.equal(table.kind, 'table', table.kind === 'errors' ? table.errors.join('\n') : '');
  }
}

const subsets = ['version-v1', 'version-v2', 'no-such'] as const;
const hosts = [
  'service-a',
  'service-b',
  'service-c',
  'service-c.default.svc.cluster.local',
  'no-such-service',
] as const;

const destination = fc.record({
  host: fc.constantFrom(...hosts),
  subset: fc.option(fc.constantFrom(...subsets), { nil: undefined }),
  port: fc.option(fc.constantFrom({ number: 8080 }, { number: 1 }), { nil: undefined }),
});
const http = fc.record({
  name: fc.option(fc.constantFrom('x', 'a name with spaces'), { nil: undefined }),
  match: fc.option(
    fc.array(
      fc.record({
        uri: fc.option(fc.constantFrom({ exact: '/a' }, { prefix: '/' }, { regex: '.*' }, { prefix: '/b' }), {
          nil: undefined,
        }),
        headers: fc.option(fc.constantFrom({ h: { exact: '1' } }, { 'X-Y': {} }), { nil: undefined }),
        port: fc.option(fc.constantFrom(8080, 80), { nil: undefined }),
        sourceLabels: fc.option(fc.constantFrom({ app: 'service-b' }, { app: 'x' }), { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
    { nil: undefined },
  ),
  route: fc.array(fc.record({ destination, weight: fc.nat(100) }), { minLength: 1, maxLength: 3 }),
  timeout: fc.option(fc.constantFrom('5s', '0s', '1h'), { nil: undefined }),
});
const rule = fc.record({
  hosts: fc.uniqueArray(
    fc.constantFrom('service-a', 'service-c', '*', '*.default.svc.cluster.local', 'foreign.example.com'),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  gateways: fc.option(fc.constantFrom(['mesh'], ['services-gateway'], ['mesh', 'services-gateway']), {
    nil: undefined,
  }),
  http: fc.array(http, { minLength: 1, maxLength: 4 }),
});

test('whatever the rules say, every name leads somewhere and our proxy accepts all of it', () => {
  const known = new Set<string>();
  for (const host of ['service-a', 'service-b', 'service-c', 'no-such-service'])
    for (const port of [8080, 80, 1, 8081, 9001, 9002, 15021])
      for (const subset of ['', ...subsets]) known.add(`outbound|${port}|${subset}|${host}.default.svc.cluster.local`);
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), (rules) => {
      const objects = rules.map((spec, index) =>
        JSON.stringify({
          apiVersion: 'networking.istio.io/v1',
          kind: 'VirtualService',
          metadata: { name: `rule-${index}` },
          spec,
        }),
      );
      const snapshot = snapshotOf([CHAIN + ENTRY + SUBSETS, ...objects].join('\n---\n'), CHAIN_PODS);
      check(compileFor(snapshot, 'b-1'), known);
      check(compileFor(snapshot, 'ingress-1', 'istio-system', 'router'), known);
    }),
    { numRuns: 60 },
  );
});

test('the same holds for services and rules of every sort, for Envoy and for our own proxy', () => {
  const snapshot = snapshotOf(CHAIN + ENTRY + VARIETY, CHAIN_PODS);
  for (const http2 of [true, false]) {
    check(compileFor(snapshot, 'b-1', 'default', 'sidecar', http2), new Set());
    check(compileFor(snapshot, 'ingress-1', 'istio-system', 'router', http2), new Set());
  }
});

test('equal objects make equal bytes, whatever the order in which they came', () => {
  const documents = (CHAIN + ENTRY + SUBSETS + VARIETY).split('---\n').filter((text) => text.trim() !== '');
  const bytes = (yaml: string[]) => {
    // Ages follow the order in the text; here age says nothing, so names decide.
    const snapshot = snapshotOf(
      yaml
        .map((text) => text.replace('metadata: {', 'metadata: {creationTimestamp: "2026-01-01T00:00:00Z", '))
        .join('\n---\n'),
      CHAIN_PODS,
    );
    const { types } = encodeProxy(compileFor(snapshot, 'b-1'), '1');
    return Object.values(types).map((map) =>
      [...map].map(([name, { body }]) => [name, Buffer.from(body).toString('hex')]),
    );
  };
  assert.deepEqual(bytes(documents), bytes(documents.toReversed()));
});

test('labels that no rule asks for do not tell proxies apart; those asked for do', () => {
  const rule = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: by-label}
spec:
  hosts: [service-c]
  http:
  - match: [{sourceLabels: {version: v1}}]
    route: [{destination: {host: service-a}}]
`;
  const plain = snapshotOf(CHAIN, CHAIN_PODS);
  const asking = snapshotOf(CHAIN + rule, CHAIN_PODS);
  assert.equal(compileFor(plain, 'a-1').routes, compileFor(plain, 'c-2').routes);
  assert.equal(compileFor(asking, 'a-1').routes, compileFor(asking, 'b-1').routes, 'both are version v1');
  assert.notEqual(compileFor(asking, 'a-1').routes, compileFor(asking, 'c-2').routes);
});

test('what does not depend on a proxy’s namespace is compiled once for all, and a rule of its own sets one apart', () => {
  const elsewhere = { name: 'x-1', namespace: 'other', ip: '10.244.0.99', labels: { app: 'x' } };
  const own = `
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: own, namespace: other}
spec: {host: service-c.default.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
`;
  const find = (snapshot: Snapshot, pod: string, namespace: string, cluster: string) =>
    named(compileFor(snapshot, pod, namespace).clusters, cluster);
  const shared = snapshotOf(CHAIN + SUBSETS, [...CHAIN_PODS, elsewhere]);
  assert.equal(find(shared, 'x-1', 'other', C('version-v1')), find(shared, 'a-1', 'default', C('version-v1')));
  const apart = snapshotOf(CHAIN + SUBSETS + own, [...CHAIN_PODS, elsewhere]);
  assert.equal(find(apart, 'x-1', 'other', C('')).lbPolicy, Cluster_LbPolicy.RANDOM);
  assert.equal(find(apart, 'a-1', 'default', C('')).lbPolicy, Cluster_LbPolicy.ROUND_ROBIN);
});

test('what proxies of one namespace share is compiled and encoded once', () => {
  const snapshot = snapshotOf(CHAIN + SUBSETS, CHAIN_PODS);
  const first = encodeProxy(compileFor(snapshot, 'b-1'), '1');
  const second = encodeProxy(compileFor(snapshot, 'a-1'), '1');
  for (const typeUrl of Object.keys(first.types) as (keyof typeof first.types)[])
    for (const [name, resource] of first.types[typeUrl])
      if (name.startsWith('outbound|')) assert.equal(second.types[typeUrl].get(name), resource, name);
});

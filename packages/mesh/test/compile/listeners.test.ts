// Listeners and clusters: which there are, what they are made of, and what becomes of connections.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { FileAccessLogSchema } from '@varka/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import { HttpConnectionManager_ServerHeaderTransformation } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { HttpProtocolOptionsSchema } from '@varka/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { trafficPolicyFields } from '../../src/compile/traffic-policy.ts';
import { DEFAULT_MESH_CONFIG } from '../../src/config/mesh-config.ts';
import { CHAIN, CHAIN_PODS, ENTRY } from './chain.ts';
import { VARIETY } from './variety.ts';
import { compileFor, managerOf, named, outcome, snapshotOf, tcpClusterOf, unpack } from './world.ts';

const world = snapshotOf(CHAIN + ENTRY + VARIETY, CHAIN_PODS);
const sidecar = compileFor(world, 'b-1');
const envoySidecar = compileFor(world, 'b-1', 'default', 'sidecar', true);
const gateway = compileFor(world, 'ingress-1', 'istio-system', 'router');
const HOST = 'kinds-of-ports.default.svc.cluster.local';

test('only the two that capture bind; an HTTP port has one listener for all, others one an address', () => {
  const binding = sidecar.listeners.filter(({ bindToPort }) => bindToPort !== false).map(({ name }) => name);
  assert.deepEqual(binding.toSorted(), ['virtualInbound', 'virtualOutbound']);
  const names = sidecar.listeners.map(({ name }) => name);
  for (const name of [
    '0.0.0.0_8080',
    '0.0.0.0_80',
    '10.96.4.1_9000',
    '10.96.4.1_443',
    '10.96.4.1_3306',
    '10.96.4.1_9001',
  ])
    assert.ok(names.includes(name), name);
  assert.equal(names.includes('10.96.4.1_53'), false, 'UDP goes past the mesh');
  assert.deepEqual(
    names.filter((name) => name.endsWith('_9100')),
    ['10.244.0.13_9100', '10.244.0.14_9100'],
    'a headless service is reached at its pods’ addresses',
  );
});

test('a headless service: a sidecar goes on to the pod its client chose, a gateway chooses one', () => {
  const cluster = 'outbound|8081||headless.default.svc.cluster.local';
  assert.equal(named(sidecar.clusters, cluster).clusterDiscoveryType.value, Cluster_DiscoveryType.ORIGINAL_DST);
  assert.equal(named(sidecar.clusters, cluster).lbPolicy, Cluster_LbPolicy.CLUSTER_PROVIDED);
  assert.equal(named(gateway.clusters, cluster).clusterDiscoveryType.value, Cluster_DiscoveryType.EDS);
  assert.equal(named(gateway.clusters, cluster).lbPolicy, Cluster_LbPolicy.ROUND_ROBIN);
  const assignment = gateway.endpoints.find(({ clusterName }) => clusterName === cluster);
  assert.equal(assignment?.endpoints[0]?.lbEndpoints.length, 2);
  for (const host of ['headless', 'c-1.headless.default.svc.cluster.local', 'c-1.headless:8081'])
    assert.equal(outcome(sidecar, '8081', { host }), cluster, host);
});

test('what is not HTTP on an HTTP port goes where it was going', () => {
  const listener = named(sidecar.listeners, '0.0.0.0_8080');
  assert.deepEqual(listener.filterChains[0]!.filterChainMatch!.applicationProtocols, ['http/1.1']);
  const { routeSpecifier } = managerOf(listener.filterChains[0]);
  assert.ok(routeSpecifier.case === 'rds');
  assert.equal(routeSpecifier.value.routeConfigName, '8080');
  assert.equal(tcpClusterOf(listener.defaultFilterChain), 'PassthroughCluster');
});

test('a TCP port goes to its cluster uninspected; a sniffed one either way', () => {
  const tcp = named(sidecar.listeners, '10.96.4.1_9000');
  assert.equal(tcpClusterOf(tcp.filterChains[0]), `outbound|9000||${HOST}`);
  assert.deepEqual(tcp.listenerFilters, []);
  const sniffed = named(sidecar.listeners, '10.96.4.1_9001');
  assert.deepEqual(
    sniffed.listenerFilters.map(({ name }) => name),
    ['envoy.filters.listener.tls_inspector', 'envoy.filters.listener.http_inspector'],
  );
  assert.equal(tcpClusterOf(sniffed.defaultFilterChain), `outbound|9001||${HOST}`);
  const { routeSpecifier } = managerOf(sniffed.filterChains[0]);
  assert.equal(routeSpecifier.case === 'rds' && routeSpecifier.value.routeConfigName, `${HOST}:9001`);
});

test('a gRPC port is HTTP/2 for those who can speak it, and sniffed for those who cannot', () => {
  const cluster = `outbound|9002||${HOST}`;
  assert.ok(named(envoySidecar.listeners, '0.0.0.0_9002'));
  assert.deepEqual(
    named(envoySidecar.listeners, '0.0.0.0_9002').filterChains[0]!.filterChainMatch!.applicationProtocols,
    ['http/1.1', 'h2c'],
  );
  const options = (compiled: typeof sidecar) =>
    unpack(
      HttpProtocolOptionsSchema,
      named(compiled.clusters, cluster).typedExtensionProtocolOptions[
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
      ],
    ).upstreamProtocolOptions.case;
  assert.equal(options(envoySidecar), 'explicitHttpConfig');
  assert.equal(options(sidecar), 'useDownstreamProtocolConfig');
  assert.equal(tcpClusterOf(named(sidecar.listeners, '10.96.4.1_9002').defaultFilterChain), cluster);
});

test('unknown destinations: out under ALLOW_ANY, nowhere under REGISTRY_ONLY', () => {
  const operator = `
---
apiVersion: maistra.io/v2
kind: ServiceMeshControlPlane
metadata: {name: basic, namespace: istio-system}
spec: {proxy: {networking: {trafficControl: {outbound: {policy: REGISTRY_ONLY}}}}}
`;
  const strict = compileFor(snapshotOf(CHAIN + operator, CHAIN_PODS), 'b-1');
  const unknown = { host: 'example.com:8080' };
  assert.equal(outcome(sidecar, '8080', unknown), 'PassthroughCluster');
  assert.equal(outcome(strict, '8080', unknown), '502 ""');
  const tcp = (compiled: typeof sidecar) =>
    tcpClusterOf(named(compiled.listeners, 'virtualOutbound').defaultFilterChain);
  assert.equal(tcp(sidecar), 'PassthroughCluster');
  assert.equal(tcp(strict), 'BlackHoleCluster');
});

test('inbound: a chain a port, each to the application itself; nothing goes round in circles', () => {
  const inbound = named(sidecar.listeners, 'virtualInbound');
  const chain = inbound.filterChains.find(({ name }) => name === 'inbound|8080||');
  assert.equal(chain?.filterChainMatch?.destinationPort, 8080);
  const manager = managerOf(chain);
  assert.equal(manager.serverName, 'istio-envoy');
  assert.equal(manager.serverHeaderTransformation, HttpConnectionManager_ServerHeaderTransformation.OVERWRITE);
  assert.equal(manager.useRemoteAddress, false);
  assert.ok(manager.routeSpecifier.case === 'routeConfig');
  const action = manager.routeSpecifier.value.virtualHosts[0]!.routes[0]!.action;
  assert.ok(action.case === 'route' && action.value.clusterSpecifier.case === 'cluster');
  assert.equal(action.value.clusterSpecifier.value, 'inbound|8080||');
  assert.equal(
    tcpClusterOf(inbound.filterChains.find(({ filterChainMatch }) => filterChainMatch?.destinationPort === 15006)),
    'BlackHoleCluster',
  );
  assert.equal(tcpClusterOf(inbound.filterChains.find(({ name }) => name === 'inbound|9000||')), 'inbound|9000||');
  assert.equal(tcpClusterOf(inbound.defaultFilterChain), 'InboundPassthroughCluster');
  const inspector = inbound.listenerFilters.find(({ name }) => name.endsWith('http_inspector'));
  const disabled = inspector?.filterDisabled?.rule;
  assert.ok(disabled?.case === 'orMatch', 'ports where a server may speak first are not inspected');
  const ports = disabled.value.rules.map(({ rule }) => rule.case === 'destinationPortRange' && rule.value.start);
  assert.deepEqual(ports, [443, 3306, 9000]);
});

test('a sidecar’s own connections carry its mark, to the application also its address; a gateway’s carry none', () => {
  const bind = (compiled: typeof sidecar, name: string) => named(compiled.clusters, name).upstreamBindConfig;
  const mark = bind(sidecar, `outbound|9000||${HOST}`)?.socketOptions[0];
  assert.deepEqual([mark?.level, mark?.name, mark?.value.value], [1n, 36n, 1337n]);
  assert.equal(bind(sidecar, 'inbound|8080||')?.sourceAddress?.address, '127.0.0.6');
  assert.equal(bind(sidecar, 'InboundPassthroughCluster')?.sourceAddress?.address, '127.0.0.6');
  assert.equal(bind(sidecar, 'PassthroughCluster')?.socketOptions.length, 1);
  assert.equal(bind(gateway, `outbound|9000||${HOST}`), undefined);
  for (const name of [
    'inbound|8080||',
    'PassthroughCluster',
    'InboundPassthroughCluster',
    `outbound|8081||headless.default.svc.cluster.local`,
  ])
    assert.equal(named(sidecar.clusters, name).clusterDiscoveryType.value, Cluster_DiscoveryType.ORIGINAL_DST, name);
});

test('consecutiveErrors counts gateway errors alone, unless 5xx errors are asked for too', () => {
  const of = (outlierDetection: object) =>
    trafficPolicyFields({ outlierDetection }, DEFAULT_MESH_CONFIG).outlierDetection;
  const old = { enforcingSuccessRate: 0, consecutiveGatewayFailure: 3, enforcingConsecutiveGatewayFailure: 100 };
  assert.deepEqual(of({ consecutiveErrors: 3 }), { ...old, enforcingConsecutive5xx: 0 });
  assert.deepEqual(of({ consecutiveErrors: 3, consecutive5xxErrors: 4 }), {
    ...old,
    consecutive5xx: 4,
    enforcingConsecutive5xx: 100,
  });
});

test('a DestinationRule’s policy: the rule’s, a port’s instead of it, a subset’s over it', () => {
  const cluster = (port: number, subset = '') => named(sidecar.clusters, `outbound|${port}|${subset}|${HOST}`);
  assert.equal(cluster(80).lbPolicy, Cluster_LbPolicy.LEAST_REQUEST);
  assert.equal(cluster(9000).lbPolicy, Cluster_LbPolicy.RANDOM);
  assert.equal(cluster(80, 'all').lbPolicy, Cluster_LbPolicy.LEAST_REQUEST);
  assert.equal(cluster(80, 'v1').lbPolicy, Cluster_LbPolicy.ROUND_ROBIN);
  assert.equal(
    named(sidecar.clusters, 'outbound|8080||service-c.default.svc.cluster.local').lbPolicy,
    Cluster_LbPolicy.ROUND_ROBIN,
  );
  const limits = cluster(80).circuitBreakers!.thresholds[0]!;
  assert.deepEqual(
    [limits.maxConnections, limits.maxPendingRequests, limits.maxRequests, limits.maxRetries],
    [100, 1, 0xffffffff, 3],
  );
  const outlier = cluster(80).outlierDetection!;
  assert.deepEqual(
    [
      outlier.consecutive5xx,
      outlier.enforcingConsecutive5xx,
      outlier.interval?.seconds,
      outlier.baseEjectionTime?.seconds,
      outlier.maxEjectionPercent,
      outlier.enforcingSuccessRate,
    ],
    [1, 100, 2n, 10n, 100, 0],
  );
  assert.equal(cluster(80).connectTimeout?.seconds, 2n);
  assert.equal(cluster(9000).outlierDetection, undefined, 'a port’s policy replaces all of the rule’s');
  assert.equal(cluster(9000).connectTimeout?.seconds, 10n);
  assert.equal(cluster(9001).circuitBreakers!.thresholds[0]!.maxConnections, 7);
  const subsetPort = cluster(9001, 'v1');
  assert.equal(subsetPort.lbPolicy, Cluster_LbPolicy.RANDOM);
  assert.equal(subsetPort.circuitBreakers!.thresholds[0]!.maxConnections, 0xffffffff, 'nothing of the rule’s port');
  assert.deepEqual(cluster(80, 'v1').metadata?.filterMetadata['istio'], {
    config: '/apis/networking.istio.io/v1/namespaces/default/destination-rule/kinds-of-ports',
    services: [{ host: HOST, name: 'kinds-of-ports', namespace: 'default' }],
    subset: 'v1',
  });
});

test('the gateway listens where its service sends the Gateway’s port, and stands at the edge', () => {
  assert.deepEqual(
    gateway.listeners.map(({ name }) => name),
    ['0.0.0.0_8080'],
  );
  const manager = managerOf(gateway.listeners[0]!.filterChains[0]);
  assert.equal(manager.useRemoteAddress, true);
  assert.equal(manager.serverName, 'istio-envoy');
  assert.equal(managerOf(named(sidecar.listeners, '0.0.0.0_8080').filterChains[0]).serverName, '');
});

test('the access log is Istio’s, and goes away when the mesh has none', () => {
  const logs = managerOf(named(sidecar.listeners, '0.0.0.0_8080').filterChains[0]).accessLog;
  const log = unpack(FileAccessLogSchema, logs[0]?.configType.value);
  assert.equal(log.path, '/dev/stdout');
  assert.ok(log.accessLogFormat.case === 'logFormat' && log.accessLogFormat.value.format.case === 'textFormatSource');
  assert.match(String(log.accessLogFormat.value.format.value.specifier.value), /^\[%START_TIME%\] ".* %ROUTE_NAME%\n$/);
  const quiet = compileFor(snapshotOf(CHAIN, CHAIN_PODS, { accessLogFile: '' }), 'b-1');
  assert.deepEqual(managerOf(named(quiet.listeners, '0.0.0.0_8080').filterChains[0]).accessLog, []);
});

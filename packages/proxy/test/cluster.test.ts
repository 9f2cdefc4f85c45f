// Clusters and their hosts: every kind of discovery, and what stays the same when they change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { Problems } from '@varka/decide/problems.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { StatsStore } from '../src/observe/stats.ts';
import { compileCluster } from '../src/runtime/compile-cluster.ts';
import { extensionRegistry } from '../src/runtime/extensions.ts';
import { ClusterManager } from '../src/upstream/cluster-manager.ts';
import type { ClusterSpec, EndpointSpec } from '../src/upstream/cluster-spec.ts';
import type { Resolve } from '../src/upstream/dns.ts';
import type { Host } from '../src/upstream/host.ts';
import { eventually } from './support/backends.ts';
import { edsCluster, endpoints, originalDstCluster, staticCluster } from './support/resources.ts';

function compile(json: JsonObject): { spec: ClusterSpec | undefined; errors: readonly string[] } {
  const problems = new Problems();
  const proto = fromJson(ClusterSchema, json, { registry: extensionRegistry() });
  const spec = compileCluster(proto, problems);
  return { spec, errors: problems.list };
}

function specOf(json: JsonObject): ClusterSpec {
  const { spec, errors } = compile(json);
  assert.deepEqual(errors, []);
  return spec!;
}

function makeManager(options: { resolve?: Resolve; own?: (address: string, port: number) => boolean } = {}) {
  const retired: Host[] = [];
  const log: string[] = [];
  const manager = new ClusterManager({
    stats: new StatsStore(),
    draw: () => 0,
    now: () => 0,
    resolve: options.resolve ?? (async () => []),
    log: (_level, text) => log.push(text),
    retire: (host) => retired.push(host),
    isOwnAddress: options.own ?? (() => false),
  });
  return { manager, retired, log };
}

const at = (port: number, more: Partial<EndpointSpec> = {}): EndpointSpec => ({
  address: '10.0.0.1',
  port,
  weight: 1,
  healthy: true,
  priority: 0,
  ...more,
});

const labels = (manager: ClusterManager, name: string): string[] =>
  (manager.get(name)?.hosts ?? []).map((member) => member.host.label);

test('a cluster is used once its endpoints are known, and the old one until then', async (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(edsCluster('c'))]);
  assert.equal(manager.get('c'), undefined);
  assert.deepEqual(manager.edsNames, ['c']);
  manager.assign('c', [at(1)]);
  const first = manager.get('c');
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.1:1']);
  // The name that is asked for changes, so nothing is known of it yet.
  const eds_cluster_config = { eds_config: { ads: {} }, service_name: 'other' };
  manager.apply('dynamic', [specOf({ ...edsCluster('c'), eds_cluster_config })]);
  assert.equal(manager.get('c'), first);
  assert.deepEqual(manager.edsNames, ['c', 'other']);
  let warmed = false;
  const waiting = manager.warmed().then(() => {
    warmed = true;
  });
  assert.equal(warmed, false);
  manager.assign('other', [at(2)]);
  await waiting;
  assert.notEqual(manager.get('c'), first);
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.1:2']);
  assert.deepEqual(manager.edsNames, ['other']);
});

test('what did not change keeps its object', (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(staticCluster('a', [1])), specOf(staticCluster('b', [2]))]);
  const [a, b] = [manager.get('a'), manager.get('b')];
  manager.apply('dynamic', [specOf(staticCluster('a', [1])), specOf(staticCluster('b', [3]))]);
  assert.equal(manager.get('a'), a);
  assert.notEqual(manager.get('b'), b);
});

test('hosts that stay keep their identity, whatever their weight; who leaves is retired', (t) => {
  const { manager, retired } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(edsCluster('c'))]);
  manager.assign('c', [at(1), at(2)]);
  const [one, two] = manager.get('c')!.hosts.map((member) => member.host);
  manager.assign('c', [at(1, { weight: 5 })]);
  assert.equal(manager.get('c')!.hosts[0]!.host, one);
  assert.equal(one!.weight, 5);
  assert.deepEqual(retired, [two]);
  assert.ok(two!.removed);
  // It comes back as a new host: what the old one had is closing.
  manager.assign('c', [at(1), at(2)]);
  assert.notEqual(manager.get('c')!.hosts[1]!.host, two);
});

test('a changed cluster goes on with its hosts, unless it connects in another way', (t) => {
  const { manager, retired } = makeManager();
  t.after(() => manager.stop());
  const bind = { upstream_bind_config: { source_address: { address: '127.0.0.6', port_value: 0 } } };
  manager.apply('dynamic', [specOf(edsCluster('c'))]);
  manager.assign('c', [at(1)]);
  const host = manager.get('c')!.hosts[0]!.host;
  manager.apply('dynamic', [specOf(edsCluster('c', { lb_policy: 'RANDOM' }))]);
  assert.equal(manager.get('c')!.hosts[0]!.host, host);
  assert.ok(!host.removed);
  manager.apply('dynamic', [specOf(edsCluster('c', { lb_policy: 'RANDOM', ...bind }))]);
  assert.notEqual(manager.get('c')!.hosts[0]!.host, host);
  assert.deepEqual(retired, [host]);
});

test('a cluster that is dropped serves a moment longer, then is gone', async (t) => {
  const { manager, retired } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(edsCluster('c'))]);
  manager.assign('c', [at(1)]);
  manager.apply('dynamic', []);
  assert.ok(manager.get('c') !== undefined);
  assert.deepEqual(manager.edsNames, []);
  await eventually(() => manager.get('c') === undefined, 'the cluster is gone');
  assert.equal(retired.length, 1);
});

test('static clusters are not for the control plane to change', (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  manager.apply('static', [specOf(staticCluster('c', [1]))]);
  manager.apply('dynamic', [specOf(staticCluster('c', [2]))]);
  assert.deepEqual(labels(manager, 'c'), ['127.0.0.1:1']);
  manager.apply('dynamic', []);
  assert.ok(manager.get('c') !== undefined);
});

test('unhealthy endpoints get nothing while enough are healthy; the next priority steps in', (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(edsCluster('c', { common_lb_config: { healthy_panic_threshold: { value: 0 } } }))]);
  const picked = (n = 6): Set<number> =>
    new Set(Array.from({ length: n }, () => manager.get('c')?.pick({})?.port ?? 0));
  manager.assign('c', [at(1), at(2, { healthy: false }), at(3, { priority: 1 })]);
  assert.deepEqual(picked(), new Set([1]));
  manager.assign('c', [at(1, { healthy: false }), at(3, { priority: 1 })]);
  assert.deepEqual(picked(), new Set([3]));
  manager.assign('c', [at(1, { healthy: false })]);
  assert.deepEqual(picked(), new Set([0]));
});

test('with too few healthy ones all are used alike, as Envoy does below 50 %', (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(edsCluster('c'))]);
  manager.assign('c', [at(1), at(2, { healthy: false }), at(3, { healthy: false })]);
  const ports = new Set(Array.from({ length: 6 }, () => manager.get('c')!.pick({})!.port));
  assert.deepEqual(ports, new Set([1, 2, 3]));
});

const dns = (type: string, more: JsonObject = {}): JsonObject => ({
  ...staticCluster('c', [80]),
  type,
  dns_refresh_rate: '0.01s',
  load_assignment: {
    cluster_name: 'c',
    endpoints: [
      { lb_endpoints: [{ endpoint: { address: { socket_address: { address: 'db.example', port_value: 80 } } } }] },
    ],
  },
  ...more,
});

test('STRICT_DNS has every address of a name, follows it, and keeps the last answer when a look-up fails', async (t) => {
  let answer: readonly string[] | Error = ['10.0.0.1', '10.0.0.2'];
  const resolve: Resolve = async (name, family) => {
    assert.equal(`${name} ${family}`, 'db.example v4');
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const { manager, log } = makeManager({ resolve });
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(dns('STRICT_DNS', { dns_lookup_family: 'V4_ONLY' }))]);
  assert.equal(manager.get('c'), undefined);
  await manager.warmed();
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.1:80', '10.0.0.2:80']);
  const kept = manager.get('c')!.hosts[1]!.host;
  answer = ['10.0.0.2', '10.0.0.3'];
  await eventually(() => labels(manager, 'c').includes('10.0.0.3:80'), 'the new address');
  assert.equal(manager.get('c')!.hosts[0]!.host, kept);
  answer = new Error('no such name');
  await eventually(() => log.length > 0, 'a failed look-up');
  assert.match(log[0]!, /cluster c: cannot resolve db\.example: no such name/);
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.2:80', '10.0.0.3:80']);
});

test('LOGICAL_DNS uses one address and stays with it while the name has it', async (t) => {
  let answer = ['10.0.0.1', '10.0.0.2'];
  const { manager } = makeManager({ resolve: async () => answer });
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(dns('LOGICAL_DNS'))]);
  await manager.warmed();
  answer = ['10.0.0.2', '10.0.0.1', '10.0.0.3'];
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.1:80']);
  answer = ['10.0.0.3'];
  await eventually(() => labels(manager, 'c')[0] === '10.0.0.3:80', 'the new address');
});

test('ORIGINAL_DST makes a host for each destination and drops it when it is out of use', async (t) => {
  const own = (_address: string, port: number) => port === 15001;
  const { manager, retired } = makeManager({ own });
  t.after(() => manager.stop());
  manager.apply('dynamic', [specOf(originalDstCluster('c', { cleanup_interval: '0.02s' }))]);
  const cluster = manager.get('c')!;
  const busy = cluster.pick({ originalDst: { address: '10.0.0.1', port: 80 } })!;
  busy.active = 1;
  const idle = cluster.pick({ originalDst: { address: '10.0.0.2', port: 80 } })!;
  assert.equal(cluster.pick({ originalDst: { address: '10.0.0.1', port: 80 } }), busy);
  assert.equal(cluster.pick({}), undefined);
  assert.equal(cluster.pick({ originalDst: { address: '10.0.0.1', port: 15001 } }), undefined);
  await eventually(() => retired.length > 0, 'the idle host goes');
  assert.deepEqual(retired, [idle]);
  assert.deepEqual(labels(manager, 'c'), ['10.0.0.1:80']);
});

test('the bind configuration is carried over', () => {
  const { connection } = specOf(
    staticCluster('c', [1], {
      upstream_bind_config: {
        source_address: { address: '127.0.0.6', port_value: 0 },
        socket_options: [{ level: '1', name: '36', int_value: '1337', state: 'STATE_PREBIND' }],
      },
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          common_http_protocol_options: { idle_timeout: '30s', max_requests_per_connection: 7 },
          explicit_http_config: { http_protocol_options: {} },
        },
      },
    }),
  );
  assert.deepEqual(connection, {
    connectTimeoutMs: 1000,
    sourceAddress: '127.0.0.6',
    socketMark: 1337,
    maxRequestsPerConnection: 7,
    idleTimeoutMs: 30_000,
  });
  const any = specOf(
    staticCluster('c', [1], { upstream_bind_config: { source_address: { address: '0.0.0.0', port_value: 0 } } }),
  );
  assert.equal(any.connection.sourceAddress, undefined);
});

test('limits and ejection are accepted; what would change the traffic and is not there is refused', () => {
  const tolerated = {
    circuit_breakers: { thresholds: [{ max_connections: 1 }] },
    outlier_detection: { consecutive_5xx: 3 },
  };
  assert.deepEqual(compile(staticCluster('c', [1], tolerated)).errors, []);
  const refused: readonly (readonly [JsonObject, RegExp])[] = [
    [{ health_checks: [{ timeout: '1s', interval: '1s', tcp_health_check: {} }] }, /health_checks is not supported/],
    [
      { transport_socket: { name: 'envoy.transport_sockets.tls' } },
      /transport_socket "envoy\.transport_sockets\.tls" is not/,
    ],
    [
      { upstream_bind_config: { socket_options: [{ level: '6', name: '1', int_value: '1' }] } },
      /socket_options\[0\]: only SO_MARK/,
    ],
    [{ lb_policy: 'CLUSTER_PROVIDED' }, /for ORIGINAL_DST clusters only/],
    [{ load_assignment: endpoints('c', [70_000]) }, /port 70000 is not within/],
  ];
  for (const [more, words] of refused) assert.match(compile(staticCluster('c', [1], more)).errors.join('\n'), words);
  assert.equal(specOf(staticCluster('h2', [1], { http2_protocol_options: {} })).http2, true);
  assert.match(compile({ name: 'c', type: 'EDS' }).errors.join(), /eds_config must be/);
});

test('a new version goes on with what is in use, and may choose whom the old one had ejected', async (t) => {
  const { manager } = makeManager();
  t.after(() => manager.stop());
  const outlier_detection = { consecutive_5xx: 1, max_ejection_percent: 100 };
  const common_lb_config = { healthy_panic_threshold: { value: 0 } };
  const versions = [1, 2].map((max_connections) =>
    specOf({
      ...edsCluster('c'),
      common_lb_config,
      outlier_detection,
      circuit_breakers: { thresholds: [{ max_connections }] },
    }),
  );
  manager.apply('dynamic', [versions[0]!]);
  manager.assign('c', [at(1)]);
  const first = manager.get('c')!;
  const host = first.pick({ originalDst: { address: '', port: 0 } })!;
  first.breakers.inUse.connections++;
  first.outliers!.onResponse(host, 500, 0);
  assert.equal(first.pick({ originalDst: { address: '', port: 0 } }), undefined);
  manager.apply('dynamic', [versions[1]!]);
  const second = manager.get('c')!;
  assert.notEqual(second, first);
  assert.equal(second.pick({ originalDst: { address: '', port: 0 } }), host);
  assert.deepEqual([first.breakers.allowsConnection, second.breakers.allowsConnection], [false, true]);
  first.breakers.inUse.connections--;
  assert.equal(second.breakers.inUse.connections, 0);
});

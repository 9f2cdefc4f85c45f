// The admin endpoint: what it shows, and what it does when told.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { BootstrapConfigDumpSchema, ConfigDumpSchema } from '@varka/xds/gen/envoy/admin/v3/config_dump_pb.ts';
import {
  ClustersConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
} from '@varka/xds/gen/envoy/admin/v3/config_dump_shared_pb.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { AdminServer } from '../src/admin/admin-server.ts';
import { extensionRegistry } from '../src/runtime/extensions.ts';
import { type Answer, get, httpBackend } from './support/backends.ts';
import { ControlPlane } from './support/control-plane.ts';
import { startProxy } from './support/proxy.ts';
import { chain, edsCluster, endpoints, http, listener, routesTo, staticCluster } from './support/resources.ts';

const dumpRegistry = createRegistry(
  extensionRegistry(),
  BootstrapConfigDumpSchema,
  ClustersConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
  ClusterSchema,
  ClusterLoadAssignmentSchema,
  ListenerSchema,
  RouteConfigurationSchema,
);

async function post(port: number, path: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

async function start(t: TestContext) {
  const backend = await httpBackend(t, 'one');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, { clusters: [staticCluster('fixed', [1])] }, { managementPort: plane.port });
  let quit = 0;
  const actions = { version: 'test', quit: () => void quit++ };
  const admin = await AdminServer.open({ address: '127.0.0.1', port: 0 }, proxy.instance, actions);
  t.after(() => admin.close());
  const apply = () =>
    plane.apply({
      clusters: [edsCluster('outbound|80||c')],
      endpoints: [endpoints('outbound|80||c', [backend.port])],
      listeners: [listener('in', [chain(http('r'))])],
      routes: [routesTo('r', 'outbound|80||c')],
    });
  return { backend, plane, proxy, port: admin.endpoint.port, apply, quits: () => quit };
}

test('/ready is 503 until the first configuration is in force, and while health checks are to fail', async (t) => {
  const { port, apply } = await start(t);
  assert.deepEqual(await get(port, '/ready'), { status: 503, body: 'PRE_INITIALIZING\n' });
  await apply();
  assert.deepEqual(await get(port, '/ready'), { status: 200, body: 'LIVE\n' });
  await post(port, '/healthcheck/fail');
  assert.deepEqual(await get(port, '/ready'), { status: 503, body: 'DRAINING\n' });
  await post(port, '/healthcheck/ok');
  assert.equal((await get(port, '/ready')).status, 200);
});

test("numbers by Envoy's names, as text, JSON and for Prometheus", async (t) => {
  const { port, apply, proxy } = await start(t);
  await apply();
  await get(proxy.port('in'));
  const text = (await get(port, '/stats')).body;
  assert.match(text, /^cluster\.outbound\|80\|\|c\.upstream_rq_total: 1$/m);
  assert.match(text, /^http\.test\.downstream_rq_2xx: 1$/m);
  const filtered = (await get(port, '/stats?filter=upstream_rq_total')).body.trim().split('\n');
  assert.ok(filtered.length > 0 && filtered.every((line) => line.includes('upstream_rq_total')));
  const json = JSON.parse((await get(port, '/stats?format=json')).body) as { stats: { name: string; value: number }[] };
  assert.equal(json.stats.find((stat) => stat.name === 'cluster.outbound|80||c.upstream_rq_2xx')?.value, 1);
  const prometheus = (await get(port, '/stats/prometheus')).body;
  assert.match(prometheus, /^# TYPE envoy_cluster_upstream_rq_total counter$/m);
  assert.match(prometheus, /^envoy_cluster_upstream_rq_total\{envoy_cluster_name="outbound\|80\|\|c"\} 1$/m);
  assert.match(
    prometheus,
    /^envoy_cluster_upstream_rq_xx\{envoy_response_code_class="2",envoy_cluster_name="outbound\|80\|\|c"\} 1$/m,
  );
  assert.equal(new Set(prometheus.match(/^# TYPE .*/gm)).size, prometheus.match(/^# TYPE .*/gm)!.length);
  assert.equal((await get(port, '/stats?filter=(')).status, 400);
  assert.equal((await get(port, '/stats?format=xml')).status, 400);
});

test('/config_dump has the shape of admin.v3.ConfigDump', async (t) => {
  const { port, apply } = await start(t);
  await apply();
  const dump = JSON.parse((await get(port, '/config_dump?include_eds')).body) as { configs: JsonObject[] };
  const types = dump.configs.map((config) => String(config['@type']).split('.').at(-1));
  assert.deepEqual(types, [
    'BootstrapConfigDump',
    'ClustersConfigDump',
    'EndpointsConfigDump',
    'ListenersConfigDump',
    'RoutesConfigDump',
  ]);
  const [, clusters, eds, listeners, routes] = dump.configs as Record<string, unknown>[];
  assert.equal(clusters!['version_info'], 'v1');
  const active = clusters!['dynamic_active_clusters'] as { cluster: { name: string; '@type': string } }[];
  assert.equal(active[0]!.cluster.name, 'outbound|80||c');
  assert.equal(active[0]!.cluster['@type'], 'type.googleapis.com/envoy.config.cluster.v3.Cluster');
  assert.equal((clusters!['static_clusters'] as unknown[]).length, 2);
  assert.equal((eds!['dynamic_endpoint_configs'] as unknown[]).length, 1);
  assert.equal((listeners!['dynamic_listeners'] as { name: string }[])[0]!.name, 'in');
  assert.equal((routes!['dynamic_route_configs'] as { route_config: { name: string } }[])[0]!.route_config.name, 'r');
  // Envoy's own message types read it.
  assert.equal(fromJson(ConfigDumpSchema, dump as JsonObject, { registry: dumpRegistry }).configs.length, 5);
  const only = JSON.parse((await get(port, '/config_dump?resource=dynamic_listeners')).body) as { configs: unknown[] };
  assert.equal(only.configs.length, 1);
});

test('/clusters, /listeners and /server_info', async (t) => {
  const { port, apply, proxy, backend } = await start(t);
  await apply();
  const text = (await get(port, '/clusters')).body;
  assert.match(text, new RegExp(`^outbound\\|80\\|\\|c::127\\.0\\.0\\.1:${backend.port}::health_flags::healthy$`, 'm'));
  const json = JSON.parse((await get(port, '/clusters?format=json')).body) as {
    cluster_statuses: { name: string; host_statuses: unknown[] }[];
  };
  assert.equal(json.cluster_statuses.find((status) => status.name === 'outbound|80||c')?.host_statuses.length, 1);
  assert.equal((await get(port, '/listeners')).body, `in::127.0.0.1:${proxy.port('in')}\n`);
  const info = JSON.parse((await get(port, '/server_info')).body) as { state: string; node: { id: string } };
  assert.equal(info.state, 'LIVE');
  assert.match(info.node.id, /^sidecar~/);
  assert.deepEqual(JSON.parse((await get(port, '/certs')).body), { certificates: [] });
});

test('what changes something wants POST', async (t) => {
  const { port, proxy, quits, apply } = await start(t);
  await apply();
  for (const path of ['/quitquitquit', '/logging', '/drain_listeners', '/healthcheck/fail'])
    assert.equal((await get(port, path)).status, 405, path);
  assert.equal((await post(port, '/logging?level=error')).status, 200);
  assert.equal(proxy.instance.logger.level, 'error');
  assert.match((await post(port, '/logging?level=loud')).body, /unknown level "loud": use one of trace, debug/);
  const at = proxy.port('in');
  assert.equal((await post(port, '/drain_listeners')).status, 200);
  await assert.rejects(get(at), /ECONNREFUSED/);
  assert.equal((await post(port, '/quitquitquit')).status, 200);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(quits(), 1);
});

test('an unknown path names those that are known', async (t) => {
  const { port } = await start(t);
  const answer = await get(port, '/made-up');
  assert.equal(answer.status, 404);
  assert.match(answer.body, /\/config_dump: /);
});

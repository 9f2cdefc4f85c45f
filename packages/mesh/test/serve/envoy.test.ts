// Real Envoy against our control plane: it must accept everything we compile. Needs an envoy binary (ENVOY, or on PATH).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { ControlPlane } from '../../src/serve/control-plane.ts';
import { CHAIN, CHAIN_PODS, ENTRY, SUBSETS, split } from '../compile/chain.ts';
import { VARIETY } from '../compile/variety.ts';
import { eventually, statusOf, synced, World } from './plane-fixture.ts';

const ENVOY = process.env['ENVOY'] ?? 'envoy';
const version = spawnSync(ENVOY, ['--version'], { encoding: 'utf8' });
const skip = version.status === 0 ? false : `no Envoy to test against: ${ENVOY} does not run (set ENVOY to a binary)`;

/** Resolves with what Envoy has logged, as it grows. */
function startEnvoy(t: TestContext, plane: ControlPlane, nodeId: string): { log: string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'varka-envoy-'));
  const loopback = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const fromAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  const bootstrap = {
    node: { id: nodeId, cluster: 'test' },
    admin: { address: loopback(0) },
    dynamic_resources: {
      lds_config: fromAds,
      cds_config: fromAds,
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds-grpc',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(plane.port) } }] }],
          },
        },
      ],
    },
  };
  const args = ['--config-yaml', JSON.stringify(bootstrap), '--use-dynamic-base-id', '--concurrency', '1'];
  const envoy = spawn(ENVOY, [...args, '-l', 'warning'], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const log: string[] = [];
  envoy.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  t.after(async () => {
    if (envoy.exitCode === null) {
      const ended = new Promise((resolve) => envoy.once('exit', resolve));
      envoy.kill('SIGKILL');
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  });
  return { log };
}

/** Envoy binds the gateway's port for real, and 8080 is a popular one. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

for (const { pod, namespace, type } of [
  { pod: 'b-1', namespace: 'default', type: 'sidecar' },
  { pod: 'ingress-1', namespace: 'istio-system', type: 'router' },
])
  test(`Envoy as a ${type} accepts all we compile, and every change of it`, { skip, timeout: 30_000 }, async (t) => {
    const world = new World();
    world.pods(CHAIN_PODS);
    world.apply(CHAIN.replace('targetPort: 8080', `targetPort: ${await freePort()}`) + ENTRY + VARIETY);
    const plane = await world.start(t);
    const name = `${pod}.${namespace}`;
    const envoy = startEnvoy(t, plane, `${type}~10.244.0.12~${name}~${namespace}.svc.cluster.local`);
    await eventually(() => statusOf(plane, name)?.lds === 'SYNCED' || envoy.log.length > 0, 'listeners', 10_000);
    await synced(plane, name).catch((error: unknown) => assert.fail(`${error}\n${envoy.log.join('')}`));
    const first = plane.snapshot()!.revision;
    world.apply(SUBSETS + split({ 'version-v1': 90, 'version-v2': 10 }));
    await eventually(() => plane.convergence()?.version.endsWith('/2') === true, 'the change to be live', 5000);
    assert.notEqual(plane.snapshot()!.revision, first);
    world.remove(kinds.DestinationRule, 'service-c');
    await eventually(() => plane.convergence()?.version.endsWith('/3') === true, 'the removal to be live', 5000);
    assert.deepEqual(statusOf(plane, name)!.errors, []);
    assert.doesNotMatch(envoy.log.join(''), /deprecated|rejected/i);
    assert.match(statusOf(plane, name)!.version, /^\d+\.\d+\.\d+$/);
    t.diagnostic(`${name}: last change live after ${plane.convergence()!.sinceChangeMs} ms`);
  });

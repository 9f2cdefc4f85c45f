// The bootstrap against the two readers it has to please: Envoy's own types, and Envoy.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@varka/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { RouterSchema } from '@varka/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { HttpConnectionManagerSchema } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { HttpProtocolOptionsSchema } from '@varka/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { bootstrap } from '../../src/inject/bootstrap.ts';

const registry = createRegistry(HttpConnectionManagerSchema, RouterSchema, HttpProtocolOptionsSchema);

const sidecar = bootstrap({
  type: 'sidecar',
  workloadName: 'service-a',
  serviceAccount: 'default',
  labels: { app: 'service-a', version: 'v1' },
  owner: 'kubernetes://apis/apps/v1/namespaces/apps/deployments/service-a',
  appContainers: ['service-a', 'helper'],
});
const gateway = bootstrap({
  type: 'router',
  workloadName: 'istio-ingressgateway',
  serviceAccount: 'istio-ingressgateway',
  labels: { istio: 'ingressgateway' },
});

describe('the bootstrap', () => {
  it('is a Bootstrap message, with no field that the message does not have', () => {
    for (const config of [sidecar, gateway]) {
      const message = fromJson(BootstrapSchema, config as JsonValue, { registry });
      assert.deepEqual(
        message.staticResources?.clusters.map(({ name }) => name),
        ['xds-grpc', 'prometheus_stats'],
      );
      const ports = message.staticResources?.listeners.map(({ address }) =>
        address?.address.case === 'socketAddress' && address.address.value.portSpecifier.case === 'portValue'
          ? address.address.value.portSpecifier.value
          : undefined,
      );
      assert.deepEqual(ports, [15021, 15090]);
      assert.equal(message.dynamicResources?.ldsConfig?.configSourceSpecifier.case, 'ads');
      assert.equal(message.dynamicResources?.cdsConfig?.configSourceSpecifier.case, 'ads');
    }
  });

  it('says who the proxy is, in the form a control plane reads', () => {
    const node = (config: Record<string, unknown>) => config['node'] as Record<string, unknown>;
    assert.equal(
      node(sidecar)['id'],
      'sidecar~$(INSTANCE_IP)~$(POD_NAME).$(POD_NAMESPACE)~$(POD_NAMESPACE).svc.cluster.local',
    );
    assert.match(String(node(gateway)['id']), /^router~/);
    const metadata = node(sidecar)['metadata'] as Record<string, unknown>;
    assert.equal(metadata['WORKLOAD_NAME'], 'service-a');
    assert.equal(metadata['APP_CONTAINERS'], 'service-a,helper');
    assert.deepEqual(metadata['LABELS'], { app: 'service-a', version: 'v1' });
  });

  const envoy = process.env['ENVOY'] ?? 'envoy';
  const version = spawnSync(envoy, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const skip =
    version.status === 0
      ? false
      : `no Envoy here: set ENVOY to its program (${version.error?.message ?? 'not runnable'})`;
  it('is accepted by Envoy itself', { skip }, () => {
    for (const config of [sidecar, gateway]) {
      // As the kubelet hands it over: with the pod's values in place.
      const text = JSON.stringify(config)
        .replaceAll('$(INSTANCE_IP)', '10.244.0.7')
        .replaceAll('$(POD_NAME)', 'service-a-0')
        .replaceAll('$(POD_NAMESPACE)', 'apps');
      const run = spawnSync(envoy, ['--mode', 'validate', '--config-yaml', text], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      assert.equal(run.status, 0, run.stderr);
    }
  });
});

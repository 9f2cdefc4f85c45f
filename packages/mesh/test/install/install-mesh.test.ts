// Installing once, again, and after people have been at it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigMap, Deployment, EndpointSlice, Endpoints, Namespace, Route, Service } from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { INJECTOR_CONFIG } from '../../src/inject/injector-config.ts';
import { installMesh } from '../../src/install/install-mesh.ts';
import { fakeApi } from '../fake-client.ts';

const options = { gatewayHost: '127.0.0.1:8080', gatewayPorts: { http: 80, https: 443 } };
const GATEWAY = 'istio-ingressgateway';

interface ServiceSpec {
  type: string;
  clusterIP?: string;
  ports: { name: string; port: number; targetPort: number; protocol: string }[];
}

describe('installing the mesh', () => {
  it('makes the namespaces and what every mesh has', async () => {
    const api = fakeApi();
    const installed = await installMesh(api.client, options);
    assert.ok(installed.every(({ result }) => result === 'created'));
    for (const name of ['default', 'kube-system', 'istio-system']) assert.ok(api.object(Namespace, name), name);
    const spec = (name: string, namespace: string) => api.object(Service, name, namespace)!['spec'] as ServiceSpec;
    assert.equal(spec('kubernetes', 'default').clusterIP, '10.96.0.1');
    assert.equal(spec('kube-dns', 'kube-system').clusterIP, '10.96.0.10');
    assert.equal(spec('istiod', 'istio-system').clusterIP, '10.96.0.15');
    assert.deepEqual(spec('istiod', 'istio-system').ports, [
      { name: 'grpc-xds', port: 15010, targetPort: 15010, protocol: 'TCP' },
    ]);
    assert.equal(spec(GATEWAY, 'istio-system').type, 'LoadBalancer');
    assert.deepEqual(
      spec(GATEWAY, 'istio-system').ports.map(({ name, port, targetPort }) => [name, port, targetPort]),
      [
        ['status-port', 15021, 15021],
        ['http2', 80, 8080],
        ['https', 443, 8443],
      ],
    );
    assert.equal((api.object(Route, GATEWAY, 'istio-system')!['spec'] as { host: string }).host, '127.0.0.1:8080');
  });

  it('offers the gateway where the host reaches it, and at the standard ports inside in any case', async () => {
    const api = fakeApi();
    await installMesh(api.client, { ...options, gatewayPorts: { http: 8080, https: 443 } });
    const { ports } = api.object(Service, GATEWAY, 'istio-system')!['spec'] as ServiceSpec;
    assert.deepEqual(
      ports.map(({ name, port, targetPort }) => [name, port, targetPort]),
      [
        ['status-port', 15021, 15021],
        ['http2', 8080, 8080],
        ['http2-80', 80, 8080],
        ['https', 443, 8443],
      ],
    );
  });

  it('leaves the injector’s settings to people once they are there', async () => {
    const api = fakeApi();
    await installMesh(api.client, options);
    const { namespace, name } = INJECTOR_CONFIG;
    const edited = JSON.parse(JSON.stringify(api.object(ConfigMap, name, namespace)).replaceAll('enabled', 'disabled'));
    api.put(ConfigMap, edited);
    await installMesh(api.client, options);
    assert.deepEqual(api.object(ConfigMap, name, namespace)?.['data'], edited.data);
  });

  it('gives the Services without pods the addresses where they are really served', async () => {
    const api = fakeApi();
    await installMesh(api.client, options);
    const slice = api.object(EndpointSlice, 'kubernetes', 'default');
    assert.equal(slice?.metadata?.labels?.['kubernetes.io/service-name'], 'kubernetes');
    assert.deepEqual((slice!['endpoints'] as { addresses: string[] }[])[0]?.addresses, ['10.96.0.1']);
    const endpoints = api.object(Endpoints, 'istiod', 'istio-system')!['subsets'] as {
      addresses: { ip: string }[];
      ports: { port: number }[];
    }[];
    assert.deepEqual([endpoints[0]?.addresses[0]?.ip, endpoints[0]?.ports[0]?.port], ['10.96.0.15', 15010]);
  });

  it('runs the gateway as a proxy that a Service and Gateway objects can select', async () => {
    const api = fakeApi();
    await installMesh(api.client, options);
    const template = (
      api.object(Deployment, GATEWAY, 'istio-system')!['spec'] as {
        template: {
          metadata: { labels: Record<string, string> };
          spec: { containers: { name: string; args: string[] }[] };
        };
      }
    ).template;
    assert.equal(template.metadata.labels['istio'], 'ingressgateway');
    const [container] = template.spec.containers;
    assert.equal(container?.name, 'istio-proxy');
    assert.match(JSON.parse(container?.args[1] ?? '').node.id, /^router~/);
  });

  it('changes nothing the second time', async () => {
    const api = fakeApi();
    await installMesh(api.client, options);
    const before = api.writes.length;
    const again = await installMesh(api.client, options);
    assert.ok(again.every(({ result }) => result === 'unchanged'));
    assert.equal(api.writes.length, before);
  });

  it("keeps a user's edits, and brings what has changed on our side", async () => {
    const api = fakeApi();
    await installMesh(api.client, options);
    await api.client.patch(Deployment, GATEWAY, 'istio-system', {
      spec: { replicas: 3 },
      metadata: { labels: { team: 'edge' } },
    });
    const second = await installMesh(api.client, { ...options, gatewayHost: '127.0.0.1:9090' });
    assert.deepEqual(
      second.filter(({ result }) => result !== 'unchanged'),
      [{ name: 'istio-system/routes/istio-ingressgateway', result: 'updated' }],
    );
    const deployment = api.object(Deployment, GATEWAY, 'istio-system');
    assert.equal((deployment!['spec'] as { replicas: number }).replicas, 3);
    assert.equal(deployment?.metadata?.labels?.['team'], 'edge');
    assert.equal((api.object(Route, GATEWAY, 'istio-system')!['spec'] as { host: string }).host, '127.0.0.1:9090');
  });

  it('takes over an object of the same name that somebody else made, or whose record is damaged', async () => {
    for (const annotations of [{}, { 'varka.dev/last-installed': '{"spec"' }]) {
      const api = fakeApi();
      const foreign: KubeObject = {
        metadata: { name: 'istiod', namespace: 'istio-system', annotations },
        spec: { type: 'ClusterIP', clusterIP: '10.96.0.99', ports: [], sessionAffinity: 'None' },
      };
      api.put(Service, foreign);
      await installMesh(api.client, options);
      const spec = api.object(Service, 'istiod', 'istio-system')!['spec'] as ServiceSpec & { sessionAffinity: string };
      assert.equal(spec.clusterIP, '10.96.0.15');
      assert.equal(spec.sessionAffinity, 'None');
    }
  });

  it('fails with the reason of the API when the API refuses', async () => {
    const api = fakeApi();
    const client = { ...api.client, create: () => Promise.reject(new Error('disk full')) };
    await assert.rejects(installMesh(client, options), /disk full/);
  });
});

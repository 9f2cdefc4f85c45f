// The OpenShift objects as their users see them: status columns, hosts, addresses.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '@varka/kube/client/clock.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { type MeshController, startMeshController } from '../../src/install/mesh-controller.ts';
import { type FakeApi, fakeApi } from '../fake-client.ts';
import { silent } from '../fake-informer.ts';

const running: MeshController[] = [];
after(() => Promise.all(running.map((controller) => controller.stop())));

async function start(api: FakeApi, log = silent): Promise<void> {
  running.push(
    await startMeshController({
      client: api.client,
      log,
      controlPlanes: api.informer(kinds.ServiceMeshControlPlane),
      memberRolls: api.informer(kinds.ServiceMeshMemberRoll),
      namespaces: api.informer(kinds.Namespace),
      deployments: api.informer(kinds.Deployment),
      routes: api.informer(kinds.Route),
      services: api.informer(kinds.Service),
      ingresses: api.informer(kinds.Ingress),
      gatewayHost: '127.0.0.1:8080',
      clock: { ...systemClock, now: () => Date.parse('2026-01-02T03:04:05.678Z') },
    }),
  );
}

async function eventually<T>(read: () => T | undefined | false): Promise<T> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const value = read();
    if (value !== undefined && value !== false) return value;
    await turn();
  }
  throw new Error('it did not come about');
}

interface Condition {
  type: string;
  status: string;
  reason: string;
  message?: string;
  lastTransitionTime?: string;
}
type Status = Record<string, unknown> & { conditions: Condition[]; annotations: Record<string, string> };

const statusOf = (object: KubeObject | undefined) => object?.['status'] as Status | undefined;
const condition = (status: Status, type: string) => status.conditions.find((one) => one.type === type);

const gateway = (availableReplicas: number): KubeObject => ({
  metadata: { name: 'istio-ingressgateway', namespace: 'istio-system' },
  status: { availableReplicas },
});
const namespace = (name: string): KubeObject => ({ metadata: { name } });

const controlPlane: KubeObject = {
  metadata: { name: 'basic', namespace: 'istio-system', generation: 3 },
  spec: {
    version: 'v2.4',
    policy: { type: 'Istiod' },
    telemetry: { type: 'Istiod' },
    tracing: { type: 'Jaeger', sampling: 1000 },
    addons: { grafana: { enabled: true }, kiali: { enabled: false }, jaeger: {} },
    proxy: { networking: { trafficControl: { outbound: { policy: 'REGISTRY_ONLY' } } } },
  },
};

describe('a ServiceMeshControlPlane', () => {
  it('is ready when its components are, and says so in the columns', async () => {
    const api = fakeApi();
    api.put(kinds.ServiceMeshControlPlane, controlPlane);
    api.put(kinds.Deployment, gateway(0));
    await start(api);
    const read = () => statusOf(api.object(kinds.ServiceMeshControlPlane, 'basic', 'istio-system'));
    const waiting = await eventually(read);
    assert.equal(waiting.annotations['readyComponentCount'], '2/3');
    assert.equal(condition(waiting, 'Ready')?.status, 'False');
    assert.match(condition(waiting, 'Ready')?.message ?? '', /istio-ingress$/);

    api.put(kinds.Deployment, gateway(1));
    const ready = await eventually(() => {
      const status = read();
      return status?.annotations['readyComponentCount'] === '3/3' && status;
    });
    assert.deepEqual(
      { ...condition(ready, 'Ready') },
      {
        type: 'Ready',
        status: 'True',
        reason: 'ComponentsReady',
        message: 'All component deployments are Available',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    );
    assert.equal(ready['observedGeneration'], 3);
    assert.equal(ready['chartVersion'], '2.4');
  });

  it('names every field that has no effect, and none that has', async () => {
    const api = fakeApi();
    api.put(kinds.ServiceMeshControlPlane, controlPlane);
    await start(api);
    const status = await eventually(() => statusOf(api.object(kinds.ServiceMeshControlPlane, 'basic', 'istio-system')));
    assert.equal(
      condition(status, 'FullySupported')?.message,
      'Accepted, but without effect here: spec.tracing.type=Jaeger, spec.tracing.sampling=1000, ' +
        'spec.addons.grafana.enabled=true',
    );
  });

  it('in another namespace is told that it has no effect', async () => {
    const api = fakeApi();
    api.put(kinds.ServiceMeshControlPlane, { metadata: { name: 'other', namespace: 'mine' } });
    await start(api);
    const status = await eventually(() => statusOf(api.object(kinds.ServiceMeshControlPlane, 'other', 'mine')));
    assert.equal(condition(status, 'Ready')?.status, 'False');
    assert.match(condition(status, 'Reconciled')?.message ?? '', /istio-system/);
  });

  it('is written once, not again and again', async () => {
    const api = fakeApi();
    api.put(kinds.ServiceMeshControlPlane, controlPlane);
    await start(api);
    await eventually(() => statusOf(api.object(kinds.ServiceMeshControlPlane, 'basic', 'istio-system')));
    for (let round = 0; round < 20; round += 1) await turn();
    assert.deepEqual(api.writes, ['PATCH servicemeshcontrolplanes/basic/status']);
  });
});

describe('a ServiceMeshMemberRoll', () => {
  it('has its members pending until their namespaces are there', async () => {
    const api = fakeApi();
    api.put(kinds.Namespace, namespace('here'));
    api.put(kinds.ServiceMeshMemberRoll, {
      metadata: { name: 'default', namespace: 'istio-system' },
      spec: { members: ['later', 'here', 'here'] },
    });
    await start(api);
    const read = () => statusOf(api.object(kinds.ServiceMeshMemberRoll, 'default', 'istio-system'));
    const first = await eventually(read);
    assert.deepEqual(first['configuredMembers'], ['here']);
    assert.deepEqual(first['pendingMembers'], ['later']);
    assert.equal(first.annotations['configuredMemberCount'], '1/2');
    assert.equal(condition(first, 'Ready')?.status, 'False');

    api.put(kinds.Namespace, namespace('later'));
    const second = await eventually(() => {
      const status = read();
      return condition(status!, 'Ready')?.status === 'True' && status;
    });
    assert.deepEqual(second?.['configuredMembers'], ['here', 'later']);
    assert.equal(condition(second!, 'Ready')?.reason, 'Configured');

    api.remove(kinds.Namespace, 'here');
    await eventually(() => read()?.annotations['configuredMemberCount'] === '1/2');
  });
});

describe('Routes', () => {
  it("a Route to the gateway gets the gateway's host, another a name of its own there", async () => {
    const api = fakeApi();
    const route = (name: string, ns: string, to: string): KubeObject => ({
      metadata: { name, namespace: ns },
      spec: { to: { kind: 'Service', name: to } },
    });
    api.put(kinds.Route, route('mine', 'istio-system', 'istio-ingressgateway'));
    api.put(kinds.Route, route('app', 'apps', 'web'));
    await start(api);
    const admitted = async (name: string, ns: string) => {
      const status = await eventually(() => statusOf(api.object(kinds.Route, name, ns)));
      return (status['ingress'] as { host?: string; conditions: Condition[] }[])[0]!;
    };
    const mine = await admitted('mine', 'istio-system');
    assert.deepEqual([mine.host, mine.conditions[0]?.status], ['127.0.0.1:8080', 'True']);
    assert.equal((api.object(kinds.Route, 'mine', 'istio-system')!['spec'] as { host: string }).host, '127.0.0.1:8080');
    const app = await admitted('app', 'apps');
    assert.deepEqual([app.host, app.conditions[0]?.status], ['app-apps.localhost:8080', 'True']);
    api.put(kinds.Route, {
      ...route('through', 'apps', 'web'),
      spec: { to: { name: 'web' }, tls: { termination: 'passthrough' } },
    });
    const through = await admitted('through', 'apps');
    assert.equal(through.conditions[0]?.status, 'False');
    assert.match(through.conditions[0]?.message ?? '', /passthrough/);
    api.put(kinds.Route, {
      ...route('edge', 'apps', 'web'),
      spec: { to: { name: 'web' }, tls: { termination: 'edge' } },
    });
    const edge = await admitted('edge', 'apps');
    assert.equal(edge.conditions[0]?.status, 'True');
    assert.match(edge.conditions[0]?.message ?? '', /without TLS/);
  });

  it('an Ingress of our class is told where the gateway is, and where it has gone', async () => {
    const api = fakeApi();
    const gateway = (ip: string): KubeObject => ({
      metadata: { name: 'istio-ingressgateway', namespace: 'istio-system' },
      status: { loadBalancer: { ingress: [{ ip, ports: [{ port: 80, protocol: 'TCP' }] }] } },
    });
    const ingress = (name: string, className: string): KubeObject => ({
      metadata: { name, namespace: 'apps' },
      spec: { ingressClassName: className },
    });
    api.put(kinds.Service, gateway('127.77.1.1'));
    api.put(kinds.Ingress, ingress('ours', 'istio'));
    api.put(kinds.Ingress, ingress('theirs', 'nginx'));
    await start(api);
    const address = (ip: string) =>
      eventually(() => {
        const status = statusOf(api.object(kinds.Ingress, 'ours', 'apps'));
        return JSON.stringify(status?.['loadBalancer']) === JSON.stringify({ ingress: [{ ip }] }) ? ip : undefined;
      });
    assert.equal(await address('127.77.1.1'), '127.77.1.1');
    api.put(kinds.Service, gateway('127.77.2.1'));
    assert.equal(await address('127.77.2.1'), '127.77.2.1');
    assert.equal(statusOf(api.object(kinds.Ingress, 'theirs', 'apps')), undefined);
  });

  it('tries again after a failure', async () => {
    const api = fakeApi();
    const patch = api.client.patch;
    let failures = 2;
    api.client.patch = (...args) => {
      if (failures === 0) return patch(...args);
      failures -= 1;
      return Promise.reject(new Error('not now'));
    };
    const warnings: string[] = [];
    api.put(kinds.Route, { metadata: { name: 'app', namespace: 'apps' }, spec: { to: { name: 'web' } } });
    const patched = new Promise<void>((resolve) => {
      api.informer(kinds.Route).onEvent((event) => {
        if (statusOf(event.object) !== undefined) resolve();
      });
    });
    await start(api, { ...silent, warn: (message) => warnings.push(message) });
    await patched;
    assert.equal(warnings.length, 2);
    assert.match(warnings[0]!, /could not reconcile route\/apps\/app/);
  });
});

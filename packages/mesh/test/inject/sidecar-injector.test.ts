// The injector as the API server meets it: at a pod's creation, with lookups that may not be ready yet.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigMap, Deployment, Namespace, Pod, ServiceMeshMemberRoll } from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { AdmissionRequest } from '@varka/kube/server/admission.ts';
import { injectorConfigMap } from '../../src/inject/injector-config.ts';
import { sidecarInjector } from '../../src/inject/sidecar-injector.ts';
import type { PodObject } from '../../src/inject/workload.ts';
import { fakeApi } from '../fake-client.ts';
import { fakeInformer, silent } from '../fake-informer.ts';

const enabled: KubeObject = { metadata: { name: 'apps', labels: { 'istio-injection': 'enabled' } } };
const plain: KubeObject = { metadata: { name: 'plain' } };

function creation(namespace: string, annotations: Record<string, string> = {}): AdmissionRequest {
  const object: PodObject = {
    metadata: { name: 'web', namespace, annotations },
    spec: { containers: [{ name: 'web', image: 'web' }] },
  };
  return { operation: 'CREATE', kind: Pod, namespace, object };
}

function containers(object: KubeObject | undefined): string[] {
  return (object as PodObject | undefined)?.spec?.containers.map(({ name }) => name) ?? [];
}

describe('the sidecar injector', () => {
  it('adds the proxy at a pod creation in an enabled namespace, and nowhere else', async () => {
    const plugin = sidecarInjector({
      namespaces: fakeInformer([enabled, plain]),
      memberRolls: fakeInformer(),
      log: silent,
    });
    const response = await plugin.admit(creation('apps'));
    assert.ok(response.allowed);
    assert.deepEqual(containers(response.object), ['web', 'istio-proxy']);
    for (const request of [
      creation('plain'),
      { ...creation('apps'), operation: 'UPDATE' as const },
      { ...creation('apps'), kind: ConfigMap },
    ]) {
      assert.deepEqual(await plugin.admit(request), { allowed: true });
    }
  });

  it('goes by the policy that its ConfigMap has at the moment', async () => {
    const configMap = (config: string): KubeObject => ({ ...injectorConfigMap(), data: { config } });
    let current: KubeObject | undefined;
    const plugin = sidecarInjector({
      namespaces: fakeInformer([enabled]),
      memberRolls: fakeInformer(),
      configMaps: { synced: Promise.resolve(), get: () => current },
      log: silent,
    });
    const injected = async (annotations: Record<string, string> = {}) => {
      const response = await plugin.admit(creation('apps', annotations));
      return response.allowed && containers(response.object).includes('istio-proxy');
    };
    const asks = { 'sidecar.istio.io/inject': 'true' };
    for (const [config, silentPod] of [
      [undefined, true],
      ['policy: enabled\ntemplate: |\n  policy: disabled\n', true],
      ['policy: disabled\n', false],
      ['policy: [', true],
      ['', true],
    ] as const) {
      current = config === undefined ? undefined : configMap(config);
      assert.deepEqual([await injected(), await injected(asks)], [silentPod, true], config);
    }
    current = injectorConfigMap();
    assert.equal(await injected(), true);
  });

  it('warns when a pod asks for a sidecar where it can not have one', async () => {
    const warned: string[] = [];
    const plugin = sidecarInjector({
      namespaces: fakeInformer([plain]),
      memberRolls: fakeInformer(),
      log: { ...silent, warn: (message) => warned.push(message) },
    });
    const response = await plugin.admit(creation('plain', { 'sidecar.istio.io/inject': 'true' }));
    assert.ok(response.allowed && response.object === undefined);
    assert.match(response.warnings?.[0] ?? '', /pod web asks for a sidecar and gets none: namespace plain is neither/);
    assert.deepEqual(warned, response.warnings);
  });

  it('waits for lookups that are not complete, then decides by what they say', async () => {
    const namespaces = fakeInformer([plain], false);
    const memberRolls = fakeInformer<KubeObject>([], false);
    const plugin = sidecarInjector({ namespaces, memberRolls, log: silent });
    const pending = plugin.admit(creation('plain', { 'sidecar.istio.io/inject': 'true' }));
    namespaces.sync();
    memberRolls.set({ metadata: { name: 'default', namespace: 'istio-system' }, spec: { members: ['plain'] } });
    memberRolls.sync();
    const response = await pending;
    assert.ok(response.allowed);
    assert.deepEqual(containers(response.object), ['web', 'istio-proxy']);
  });

  it('waits for a namespace that was made a moment ago', async () => {
    const namespaces = fakeInformer([plain]);
    const plugin = sidecarInjector({ namespaces, memberRolls: fakeInformer(), log: silent });
    const pending = plugin.admit(creation('apps'));
    setImmediate(() => namespaces.set(enabled));
    const response = await pending;
    assert.ok(response.allowed);
    assert.deepEqual(containers(response.object), ['web', 'istio-proxy']);
  });

  it('asks the API itself before a pod goes without: the member roll may have been written a moment ago', async () => {
    const api = fakeApi();
    api.put(Namespace, plain);
    const plugin = sidecarInjector({
      namespaces: fakeInformer([plain]),
      memberRolls: fakeInformer(),
      client: api.client,
      log: silent,
    });
    const asking = creation('plain', { 'sidecar.istio.io/inject': 'true' });
    const without = await plugin.admit(asking);
    assert.ok(without.allowed && without.object === undefined);
    api.put(ServiceMeshMemberRoll, { metadata: { name: 'default' }, spec: { members: ['plain'] } });
    const response = await plugin.admit(asking);
    assert.ok(response.allowed);
    assert.deepEqual(containers(response.object), ['web', 'istio-proxy']);
  });

  it('warns at a Deployment whose pods will ask in vain, and changes nothing about it', async () => {
    const memberRolls = fakeInformer<KubeObject>();
    const plugin = sidecarInjector({ namespaces: fakeInformer([plain]), memberRolls, log: silent });
    const deployment = (more: KubeObject = {}): AdmissionRequest => {
      const { object } = creation('plain', { 'sidecar.istio.io/inject': 'true' });
      return {
        operation: 'CREATE',
        kind: Deployment,
        namespace: 'plain',
        object: { metadata: { name: 'web' }, spec: { template: object }, ...more },
      };
    };
    const response = await plugin.admit(deployment());
    assert.ok(response.allowed && response.object === undefined);
    assert.equal(
      response.warnings?.[0],
      'the pods of Deployment web ask for a sidecar and will get none: namespace plain is neither labelled ' +
        'istio-injection=enabled nor in a ServiceMeshMemberRoll; once the namespace is in the mesh, pods that are ' +
        'there already have to be restarted',
    );
    const scaled = { ...deployment(), operation: 'UPDATE' as const, oldObject: deployment().object };
    const owned = deployment({
      metadata: { name: 'web-1', ownerReferences: [{ controller: true, kind: 'Deployment', name: 'web' } as never] },
    });
    for (const request of [scaled, owned]) assert.deepEqual(await plugin.admit(request), { allowed: true });
    memberRolls.set({ metadata: { name: 'default' }, spec: { members: ['plain'] } });
    assert.deepEqual(await plugin.admit(deployment()), { allowed: true });
  });

  it('refuses, with the reason, rather than let a pod in without knowing', async () => {
    for (const namespaces of [fakeInformer([enabled], false), fakeInformer<KubeObject>([])]) {
      const plugin = sidecarInjector({ namespaces, memberRolls: fakeInformer(), log: silent, lookupTimeoutMs: 20 });
      const response = await plugin.admit(creation('apps'));
      assert.ok(!response.allowed);
      assert.match(response.message, /namespace "apps".*could not be read within 20 ms/);
    }
  });
});

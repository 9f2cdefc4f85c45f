// What the cluster's DNS reads from Services.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInformer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import { Service as ServiceKind, EndpointSlice as SliceKind } from '@varka/kube/kinds/refs.ts';
import { createDnsView } from '../src/dns/view.ts';
import { FakeKube } from './support/fake-kube.ts';
import { log } from './support/log.ts';
import { service } from './support/services.ts';

test('a service answers for the names of its annotation, the older one where two claim a name', async (t) => {
  const kube = new FakeKube();
  const claiming = (name: string, ip: string, names: string, creationTimestamp: string): Service => ({
    ...service(name, ip, [{ port: 80 }]),
    metadata: { name, namespace: 'default', creationTimestamp, annotations: { 'varka.dev/external-names': names } },
  });
  await kube.create(ServiceKind, service('plain', '10.96.1.1', [{ port: 80 }]));
  await kube.create(ServiceKind, claiming('late', '10.96.1.2', 'b.example.org', '2026-01-02T00:00:00Z'));
  await kube.create(
    ServiceKind,
    claiming('early', '10.96.1.3', 'A.example.org., b.example.org,', '2026-01-01T00:00:00Z'),
  );
  const services = createInformer<Service>(kube, ServiceKind, { log });
  const endpointSlices = createInformer<EndpointSlice>(kube, SliceKind, { log });
  t.after(() => Promise.all([services.stop(), endpointSlices.stop()]));
  await Promise.all([services.synced, endpointSlices.synced]);
  const view = createDnsView({ services, endpointSlices, apiAddress: '10.96.0.1' });
  const addressOf = (name: string) => {
    const found = view.standIn(name);
    return found?.kind === 'cluster-ip' ? found.ips : found;
  };
  assert.deepEqual(addressOf('a.example.org'), ['10.96.1.3']);
  assert.deepEqual(addressOf('b.example.org'), ['10.96.1.3']);
  assert.equal(addressOf('c.example.org'), undefined);
  assert.equal(addressOf(''), undefined);
});

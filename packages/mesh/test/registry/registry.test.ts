// What sets off a new round of configuration, and what must not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { Registry } from '../../src/registry/registry.ts';
import { CHAIN, CHAIN_PODS, SUBSETS } from '../compile/chain.ts';
import { World } from '../serve/plane-fixture.ts';

function setUp() {
  const world = new World();
  world.pods(CHAIN_PODS);
  world.apply(CHAIN + SUBSETS);
  let changes = 0;
  const registry = new Registry(world.informers(), {}, () => {
    changes += 1;
  });
  const changesIn = (act: () => void) => {
    const before = changes;
    act();
    return changes - before;
  };
  const pod = () => world.api.object(kinds.Pod, 'c-2', 'default')!;
  const put = (object: KubeObject) => world.api.put(kinds.Pod, object);
  return { world, registry, changesIn, pod, put };
}

test('a pod’s heartbeat is no change; its labels, address and end are', () => {
  const { changesIn, pod, put } = setUp();
  const status = () => pod()['status'] as object;
  assert.equal(
    changesIn(() => put({ ...pod(), status: { ...status(), conditions: [{ type: 'Ready' }] } })),
    0,
  );
  assert.equal(
    changesIn(() => put({ ...pod(), metadata: { ...pod().metadata, annotations: { a: 'b' } } })),
    0,
  );
  assert.equal(
    changesIn(() => put({ ...pod(), metadata: { ...pod().metadata, labels: { app: 'x' } } })),
    1,
  );
  assert.equal(
    changesIn(() => put({ ...pod(), status: { ...status(), podIP: '10.244.0.200' } })),
    1,
  );
  assert.equal(
    changesIn(() => put({ ...pod(), status: { ...status(), phase: 'Failed' } })),
    1,
  );
});

test('a status written on a rule is no change; its spec and its removal are', () => {
  const { world, changesIn } = setUp();
  const rule = () => world.api.object(kinds.DestinationRule, 'service-c', 'default')!;
  assert.equal(
    changesIn(() => world.api.put(kinds.DestinationRule, { ...rule(), status: { conditions: [] } })),
    0,
  );
  assert.equal(
    changesIn(() => world.api.put(kinds.DestinationRule, { ...rule(), spec: { host: 'x' } })),
    1,
  );
  assert.equal(
    changesIn(() => world.remove(kinds.DestinationRule, 'service-c')),
    1,
  );
});

test('nothing is heard after it is stopped', () => {
  const { world, registry, changesIn } = setUp();
  registry.stop();
  assert.equal(
    changesIn(() => world.remove(kinds.DestinationRule, 'service-c')),
    0,
  );
});

test('an address belongs to the pod that has it now, not to one that has finished', () => {
  const { registry, pod, put, world } = setUp();
  put({ ...pod(), status: { podIP: '10.244.0.13', phase: 'Succeeded' } });
  const snapshot = registry.snapshot('1');
  const service = snapshot.service('service-c.default.svc.cluster.local')!;
  const at13 = snapshot.endpoints(service).find(({ address }) => address === '10.244.0.13');
  assert.equal(at13?.workload?.pod, 'c-1');
  assert.equal(snapshot.workload('default', 'c-2')?.pod, 'c-2');
  assert.equal(world.api.object(kinds.Pod, 'c-2', 'default')?.metadata?.name, 'c-2');
});

test('a service that only stands for a name elsewhere has no clusters', () => {
  const { world, registry } = setUp();
  world.apply(
    '{apiVersion: v1, kind: Service, metadata: {name: far}, spec: {type: ExternalName, externalName: example.com}}',
  );
  assert.equal(registry.snapshot('1').service('far.default.svc.cluster.local'), undefined);
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { DiscoveryClient, KubeClient, WatchOptions } from '../src/client/client.ts';
import { systemClock } from '../src/client/clock.ts';
import { EventRecorder } from '../src/client/event-recorder.ts';
import { InformerSet } from '../src/client/informer-set.ts';
import { ResourceMonitor } from '../src/controllers/resource-monitor.ts';
import type { KindRef } from '../src/kinds/kind.ts';
import { CustomResourceDefinition } from '../src/kinds/refs.ts';
import type { KubeObject } from '../src/object.ts';
import { eventually } from './support/eventually.ts';
import { MemoryLogger } from './support/logger.ts';
import { type RealApi, startRealApi } from './support/real-api.ts';

const definition = (version: string): KubeObject => ({
  metadata: { name: 'boats.varka.test' },
  spec: {
    group: 'varka.test',
    scope: 'Namespaced',
    names: { plural: 'boats', kind: 'Boat' },
    versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
});

const boats = (version: string): KindRef => ({
  group: 'varka.test',
  version,
  kind: 'Boat',
  plural: 'boats',
  namespaced: true,
});

describe('the resource monitor', () => {
  const log = new MemoryLogger();
  /** `kind/version` of the watches that are open. */
  const watching = new Set<string>();
  const seen: string[] = [];
  let api: RealApi;
  let informers: InformerSet;
  let monitor: ResourceMonitor;

  beforeEach(async () => {
    api = await startRealApi(log);
    const { client } = api;
    const counting: KubeClient & DiscoveryClient = {
      get: (...args) => client.get(...args),
      list: (...args) => client.list(...args),
      create: (...args) => client.create(...args),
      update: (...args) => client.update(...args),
      patch: (...args) => client.patch(...args),
      delete: (...args) => client.delete(...args),
      discover: () => client.discover(),
      async *watch<T extends KubeObject>(kind: KindRef, options: WatchOptions, signal: AbortSignal) {
        const name = `${kind.kind}/${kind.version}`;
        watching.add(name);
        try {
          yield* client.watch<T>(kind, options, signal);
        } finally {
          watching.delete(name);
        }
      },
    };
    informers = new InformerSet({ client: counting, log });
    const recorder = (component: string) => new EventRecorder({ client, component, log });
    monitor = new ResourceMonitor(
      { client: counting, informers, log, clock: systemClock, random: Math.random, recorder },
      (kind, { type, object }) => {
        if (kind.kind === 'Boat') seen.push(`${type} ${object.metadata?.name}`);
      },
    );
    await monitor.start();
  });

  afterEach(async () => {
    await monitor.stop();
    informers.stop();
    await api.close();
  });

  test('follows a kind from its definition to its end, and anew in another version', async () => {
    for (const version of ['v1', 'v2']) {
      const boat = boats(version);
      await api.client.create(CustomResourceDefinition, definition(version));
      await eventually(() => watching.has(`Boat/${version}`), `boats are followed in ${version}`);
      assert.equal(monitor.kindOf(`varka.test/${version}`, 'Boat')?.version, version);
      await api.client.create<KubeObject>(boat, { metadata: { name: version, namespace: 'default' } });
      await eventually(() => seen.includes(`added ${version}`), 'the boat is seen');
      await api.client.delete(CustomResourceDefinition, 'boats.varka.test');
      await eventually(() => !watching.has(`Boat/${version}`), `boats are no longer followed in ${version}`);
      assert.equal(monitor.kindOf(`varka.test/${version}`, 'Boat'), undefined);
    }
    assert.deepEqual(seen, ['added v1', 'deleted v1', 'added v2', 'deleted v2']);
    assert.deepEqual(log.at('warn'), []);
  });
});

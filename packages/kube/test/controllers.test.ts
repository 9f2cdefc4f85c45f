import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { DiscoveryClient, KubeClient, WatchOptions } from '../src/client/client.ts';
import { InformerSet } from '../src/client/informer-set.ts';
import type {
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  Namespace,
  Pod,
  ReplicaSet,
  Service,
  ServiceAccount,
} from '../src/client/typed-objects.ts';
import type { Controllers } from '../src/controllers/start.ts';
import { startControllers } from '../src/controllers/start.ts';
import type { KindRef } from '../src/kinds/kind.ts';
import * as kinds from '../src/kinds/refs.ts';
import type { KubeObject } from '../src/object.ts';
import { isStatus } from '../src/status-error.ts';
import { eventually } from './support/eventually.ts';
import { MemoryLogger } from './support/logger.ts';
import type { RealApi } from './support/real-api.ts';
import { startRealApi } from './support/real-api.ts';

const NS = 'default';

const deployment = (name: string, replicas: number, labels: Record<string, string> = { app: name }): Deployment => ({
  metadata: { name, namespace: NS },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { containers: [{ name: 'main', image: 'varka/web:v1', ports: [{ name: 'http', containerPort: 8080 }] }] },
    },
  },
});

const service = (name: string, selector: Record<string, string>): Service => ({
  metadata: { name, namespace: NS },
  spec: { selector, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
});

describe('the controllers, on our own API server', () => {
  let log: MemoryLogger;
  let api: RealApi;
  let informers: InformerSet;
  let controllers: Controllers;

  beforeEach(async () => {
    log = new MemoryLogger();
    api = await startRealApi(log);
    informers = new InformerSet({ client: api.client, log });
    controllers = await startControllers({ client: api.client, informers, log, rootCa: 'PEM' });
  });

  afterEach(async () => {
    await controllers.stop();
    informers.stop();
    await api.close();
    assert.deepEqual(log.at('error'), []);
  });

  const list = async <T extends KubeObject>(kind: KindRef, namespace = NS): Promise<T[]> =>
    (await api.client.list<T>(kind, { namespace })).items;
  const get = <T extends KubeObject>(kind: KindRef, name: string, namespace: string | undefined = NS): Promise<T> =>
    api.client.get<T>(kind, name, namespace);
  const gone = async (kind: KindRef, name: string, namespace: string | undefined = NS): Promise<boolean> => {
    try {
      await api.client.get(kind, name, namespace);
      return false;
    } catch (error) {
      return isStatus(error, 'NotFound');
    }
  };
  const podsOf = async (app: string): Promise<Pod[]> =>
    (await api.client.list<Pod>(kinds.Pod, { namespace: NS, labelSelector: `app=${app}` })).items;
  const pods = (app: string, count: number): Promise<Pod[]> =>
    eventually(async () => {
      const found = await podsOf(app);
      return found.length === count ? found : undefined;
    }, `${count} pods of ${app}`);

  let addresses = 0;
  /** What a node agent does: binds the pod and reports it running. */
  const run = async (pod: Pod, ready = true): Promise<void> => {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    if (pod.spec?.nodeName === undefined) {
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace },
        target: { kind: 'Node', name: 'varka' },
      };
      await api.client.create(kinds.Pod, binding, 'binding');
    }
    addresses += 1;
    await api.client.patch(
      kinds.Pod,
      name,
      namespace,
      {
        status: {
          phase: 'Running',
          ...(pod.status?.podIP === undefined ? { podIP: `10.244.1.${addresses}` } : {}),
          conditions: [
            { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: new Date().toISOString() },
          ],
        },
      },
      { subresource: 'status' },
    );
  };
  /** Runs every new pod, and ends those that are asked to go, until stopped. */
  const runAll = (): (() => void) =>
    informers.informer<Pod>(kinds.Pod).onEvent((event) => {
      const { object } = event;
      const act = async () => {
        if (object.metadata?.deletionTimestamp !== undefined) {
          await api.client.delete(kinds.Pod, object.metadata?.name ?? '', NS, { gracePeriodSeconds: 0 });
        } else if (event.type === 'added') await run(object);
      };
      if (event.type === 'deleted') return;
      act().catch((error: unknown) => {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) log.error(String(error));
      });
    });
  const rolledOut = (name: string): Promise<Deployment> =>
    eventually(async () => {
      const found = await get<Deployment>(kinds.Deployment, name);
      const { spec, status, metadata } = found;
      const done =
        status?.observedGeneration === metadata?.generation &&
        status?.updatedReplicas === spec?.replicas &&
        status?.replicas === spec?.replicas &&
        status?.availableReplicas === spec?.replicas;
      return done ? found : undefined;
    }, `${name} rolled out`);
  const addressesIn = (endpoints: Endpoints): string[] =>
    (endpoints.subsets ?? []).flatMap((subset) => (subset.addresses ?? []).map((address) => address.ip)).sort();
  const readyIn = (slices: EndpointSlice[]): string[] =>
    slices
      .flatMap((slice) => slice.endpoints)
      .filter((endpoint) => endpoint.conditions?.ready === true)
      .flatMap((endpoint) => endpoint.addresses)
      .sort();

  test('a Deployment becomes pods, and readiness its status, promptly', async () => {
    const begin = performance.now();
    await api.client.create(kinds.Deployment, deployment('web', 3));
    const made = await pods('web', 3);
    const took = performance.now() - begin;
    assert(took < 1000, `${took} ms from the Deployment to its pods`);
    const [replicaSet, ...others] = await list<ReplicaSet>(kinds.ReplicaSet);
    assert.equal(others.length, 0);
    const hash = replicaSet?.metadata?.labels?.['pod-template-hash'] ?? '';
    assert.equal(replicaSet?.metadata?.name, `web-${hash}`);
    assert.equal(replicaSet?.metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
    for (const pod of made) {
      assert.match(pod.metadata?.name ?? '', new RegExp(`^web-${hash}-[bcdfghjklmnpqrstvwxz2456789]{5}$`));
      assert.equal(pod.metadata?.labels?.['pod-template-hash'], hash);
      assert.equal(pod.metadata?.ownerReferences?.[0]?.uid, replicaSet?.metadata?.uid);
    }
    const before = await eventually(async () => {
      const found = await get<Deployment>(kinds.Deployment, 'web');
      return found.status?.unavailableReplicas === 3 && found.status.replicas === 3 ? found : undefined;
    }, 'a status of three unavailable');
    assert.equal(before.status?.conditions?.find((it) => it.type === 'Available')?.status, 'False');
    for (const pod of made) await run(pod);
    const done = await rolledOut('web');
    assert.equal(done.status?.conditions?.find((it) => it.type === 'Progressing')?.reason, 'NewReplicaSetAvailable');
    assert.equal(done.metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
    const events = await eventually(async () => {
      const found = await list<Event>(kinds.Event);
      return found.length >= 4 ? found : undefined;
    }, 'events');
    assert.deepEqual([...new Set(events.map((event) => event.reason))].sort(), [
      'ScalingReplicaSet',
      'SuccessfulCreate',
    ]);
  });

  test('scales up and down, deleting what nobody will miss', async () => {
    await api.client.create(kinds.Deployment, deployment('web', 3));
    const [first, second] = await pods('web', 3);
    assert(first !== undefined && second !== undefined);
    await run(first);
    await run(second);
    await api.client.patch(kinds.Deployment, 'web', NS, { spec: { replicas: 5 } });
    await pods('web', 5);
    await api.client.patch(kinds.Deployment, 'web', NS, { spec: { replicas: 2 } });
    const left = await pods('web', 2);
    assert.deepEqual(
      left.map((pod) => pod.metadata?.name).sort(),
      [first, second].map((pod) => pod.metadata?.name).sort(),
      'the ready ones stay',
    );
    await api.client.patch(kinds.Deployment, 'web', NS, { spec: { replicas: 0 } });
    await eventually(
      async () => (await podsOf('web')).every((pod) => pod.metadata?.deletionTimestamp),
      'all on their way out',
    );
  });

  test('a deleted pod is replaced', async () => {
    await api.client.create(kinds.Deployment, deployment('web', 2));
    const [victim] = await pods('web', 2);
    await api.client.delete(kinds.Pod, victim?.metadata?.name ?? '', NS);
    const now = await eventually(async () => {
      const found = await podsOf('web');
      return found.length === 2 && found.every((pod) => pod.metadata?.uid !== victim?.metadata?.uid)
        ? found
        : undefined;
    }, 'a new pod');
    assert.equal(now.length, 2);
  });

  test('rolls to a new template within its bounds, keeps the old ReplicaSet, and rolls back', async () => {
    const stop = runAll();
    await api.client.create(kinds.Deployment, deployment('web', 4));
    await rolledOut('web');
    let most = 0;
    let least = 4;
    const off = informers.informer<Pod>(kinds.Pod).onEvent(() => {
      const live = informers
        .informer<Pod>(kinds.Pod)
        .list(NS)
        .filter((pod) => pod.metadata?.deletionTimestamp === undefined);
      const ready = live.filter((pod) =>
        pod.status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True'),
      );
      most = Math.max(most, live.length);
      least = Math.min(least, ready.length);
    });
    const image = (version: string) => ({
      spec: { template: { spec: { containers: [{ name: 'main', image: `varka/web:${version}` }] } } },
    });
    await api.client.patch(kinds.Deployment, 'web', NS, image('v2'), { type: 'strategic' });
    const rolled = await rolledOut('web');
    off();
    assert(most <= 5, `${most} pods at a time`);
    assert(least >= 3, `${least} ready at a time`);
    assert.equal(rolled.metadata?.annotations?.['deployment.kubernetes.io/revision'], '2');
    const sizes = async () =>
      (await list<ReplicaSet>(kinds.ReplicaSet))
        .map((it) => [
          it.spec?.template?.spec?.containers[0]?.image,
          it.spec?.replicas,
          it.metadata?.annotations?.['deployment.kubernetes.io/revision'],
        ])
        .sort();
    assert.deepEqual(await sizes(), [
      ['varka/web:v1', 0, '1'],
      ['varka/web:v2', 4, '2'],
    ]);
    await api.client.patch(kinds.Deployment, 'web', NS, image('v1'), { type: 'strategic' });
    await rolledOut('web');
    assert.deepEqual(await sizes(), [
      ['varka/web:v1', 4, '3'],
      ['varka/web:v2', 0, '2'],
    ]);
    stop();
  });

  test('Recreate never has old and new pods side by side', async () => {
    const recreate = deployment('web', 2);
    await api.client.create(kinds.Deployment, {
      ...recreate,
      spec: {
        ...recreate.spec,
        selector: recreate.spec!.selector,
        template: recreate.spec!.template,
        strategy: { type: 'Recreate' },
      },
    });
    const old = await pods('web', 2);
    for (const pod of old) await run(pod);
    await rolledOut('web');
    const image = { spec: { template: { spec: { containers: [{ name: 'main', image: 'varka/web:v2' }] } } } };
    await api.client.patch(kinds.Deployment, 'web', NS, image, { type: 'strategic' });
    await eventually(
      async () => (await podsOf('web')).every((pod) => pod.metadata?.deletionTimestamp),
      'old ones going',
    );
    assert.equal((await list<ReplicaSet>(kinds.ReplicaSet)).length, 1, 'nothing new yet');
    for (const pod of old) await api.client.delete(kinds.Pod, pod.metadata?.name ?? '', NS, { gracePeriodSeconds: 0 });
    const fresh = await pods('web', 2);
    assert(fresh.every((pod) => pod.spec?.containers[0]?.image === 'varka/web:v2'));
  });

  test('overlapping selectors never steal: each Deployment keeps its own pods', async () => {
    await api.client.create(kinds.Deployment, deployment('web-v1', 2, { app: 'web' }));
    await api.client.create(kinds.Deployment, deployment('web-v2', 3, { app: 'web' }));
    const all = await pods('web', 5);
    const owners = new Map<string, number>();
    for (const pod of all) {
      const owner = pod.metadata?.ownerReferences?.[0]?.name.replace(/-[^-]+$/, '') ?? 'none';
      owners.set(owner, (owners.get(owner) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(owners), { 'web-v1': 2, 'web-v2': 3 });
    await api.client.patch(kinds.Deployment, 'web-v1', NS, { spec: { replicas: 0 } });
    const left = await pods('web', 3);
    assert(left.every((pod) => pod.metadata?.ownerReferences?.[0]?.name.startsWith('web-v2-')));
  });

  test('Endpoints and EndpointSlices follow readiness', async () => {
    await api.client.create(kinds.Service, service('web', { app: 'web' }));
    await api.client.create(kinds.Deployment, deployment('web', 2));
    const [a, b] = await pods('web', 2);
    assert(a !== undefined && b !== undefined);
    const follow = (count: number) =>
      eventually(async () => {
        const ready = addressesIn(await get<Endpoints>(kinds.Endpoints, 'web'));
        const slices = (
          await api.client.list<EndpointSlice>(kinds.EndpointSlice, {
            namespace: NS,
            labelSelector: 'kubernetes.io/service-name=web',
          })
        ).items;
        return ready.length === count && JSON.stringify(readyIn(slices)) === JSON.stringify(ready) ? slices : undefined;
      }, `${count} ready endpoints in both`);
    await follow(0);
    await run(a);
    const [slice] = await follow(1);
    assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
    assert.equal(slice?.endpoints[0]?.targetRef?.uid, a.metadata?.uid);
    assert.equal(slice?.endpoints[0]?.nodeName, 'varka');
    await run(b);
    await follow(2);
    await run(await get<Pod>(kinds.Pod, b.metadata?.name ?? ''), false);
    const after = await follow(1);
    assert.equal(after.flatMap((it) => it.endpoints).length, 2, 'the one not ready is still listed');
    await api.client.delete(kinds.Service, 'web', NS);
    await eventually(() => gone(kinds.Endpoints, 'web'), 'no Endpoints');
    await eventually(
      async () => (await list(kinds.EndpointSlice)).every((it) => !it.metadata?.name?.startsWith('web-')),
      'no slices',
    );
  });

  test('deleting a Deployment takes everything it made with it', async () => {
    await api.client.create(kinds.Deployment, deployment('web', 2));
    await pods('web', 2);
    await api.client.delete(kinds.Deployment, 'web', NS);
    await eventually(
      async () => (await list(kinds.ReplicaSet)).length === 0 && (await podsOf('web')).length === 0,
      'all gone',
    );
  });

  test('foreground deletion waits for the dependents', async () => {
    await api.client.create(kinds.Deployment, deployment('web', 2));
    for (const pod of await pods('web', 2)) await run(pod);
    await api.client.delete(kinds.Deployment, 'web', NS, { propagationPolicy: 'Foreground' });
    await eventually(
      async () => (await podsOf('web')).every((pod) => pod.metadata?.deletionTimestamp !== undefined),
      'pods on their way out',
    );
    assert.equal(await gone(kinds.Deployment, 'web'), false, 'the Deployment waits for its pods');
    for (const pod of await podsOf('web'))
      await api.client.delete(kinds.Pod, pod.metadata?.name ?? '', NS, { gracePeriodSeconds: 0 });
    await eventually(() => gone(kinds.Deployment, 'web'), 'the Deployment gone');
    assert.deepEqual(await list(kinds.ReplicaSet), []);
  });

  test('orphaned ReplicaSets and pods stay, and are adopted by a Deployment that selects them', async () => {
    await api.client.create(kinds.Deployment, deployment('web', 2));
    const before = await pods('web', 2);
    await api.client.delete(kinds.Deployment, 'web', NS, { propagationPolicy: 'Orphan' });
    await eventually(() => gone(kinds.Deployment, 'web'), 'the Deployment gone');
    const [orphan] = await list<ReplicaSet>(kinds.ReplicaSet);
    assert.equal(orphan?.metadata?.ownerReferences, undefined);
    const again = await api.client.create(kinds.Deployment, deployment('web', 2));
    await eventually(async () => {
      const [adopted] = await list<ReplicaSet>(kinds.ReplicaSet);
      return adopted?.metadata?.ownerReferences?.[0]?.uid === again.metadata?.uid;
    }, 'adopted');
    assert.deepEqual(
      (await podsOf('web')).map((pod) => pod.metadata?.uid).sort(),
      before.map((pod) => pod.metadata?.uid).sort(),
    );
  });

  test('an object goes when its last owner is gone, custom kinds included, and not before', async () => {
    await api.client.create(kinds.CustomResourceDefinition, {
      metadata: { name: 'boats.varka.test' },
      spec: {
        group: 'varka.test',
        scope: 'Namespaced',
        names: { plural: 'boats', singular: 'boat', kind: 'Boat' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    });
    const boat = { group: 'varka.test', version: 'v1', kind: 'Boat', plural: 'boats', namespaced: true };
    const make = (name: string) =>
      eventually(() => api.client.create<KubeObject>(boat, { metadata: { name, namespace: NS } }), 'boats are served');
    const [one, two] = [await make('one'), await make('two')];
    const ref = (owner: KubeObject) => ({
      apiVersion: 'varka.test/v1',
      kind: 'Boat',
      name: owner.metadata?.name ?? '',
      uid: owner.metadata?.uid ?? '',
    });
    await api.client.create<ConfigMap>(kinds.ConfigMap, {
      metadata: { name: 'cargo', namespace: NS, ownerReferences: [ref(one), ref(two)] },
    });
    await api.client.delete(boat, 'one', NS);
    const kept = await eventually(async () => {
      const cargo = await get<ConfigMap>(kinds.ConfigMap, 'cargo');
      return cargo.metadata?.ownerReferences?.length === 1 ? cargo : undefined;
    }, 'one owner left');
    assert.equal(kept.metadata?.ownerReferences?.[0]?.name, 'two');
    await api.client.delete(boat, 'two', NS);
    await eventually(() => gone(kinds.ConfigMap, 'cargo'), 'cargo gone');
  });

  test('an owner that never was, or is of another uid, is no owner', async () => {
    await api.client.create<ConfigMap>(kinds.ConfigMap, { metadata: { name: 'namesake', namespace: NS } });
    for (const owner of ['ghost', 'namesake']) {
      const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid: 'of-another-one' };
      await api.client.create<ConfigMap>(kinds.ConfigMap, {
        metadata: { name: `of-${owner}`, namespace: NS, ownerReferences: [reference] },
      });
      await eventually(() => gone(kinds.ConfigMap, `of-${owner}`), `what ${owner} was said to own is gone`);
    }
    assert.equal(await gone(kinds.ConfigMap, 'namesake'), false);
  });

  test('never makes a pod twice, however late the news of it comes', async () => {
    await controllers.stop();
    informers.stop();
    const { client } = api;
    // Pods are seen a while after they are there; everything else at once.
    const late: KubeClient & DiscoveryClient = {
      get: (...args) => client.get(...args),
      list: (...args) => client.list(...args),
      create: (...args) => client.create(...args),
      update: (...args) => client.update(...args),
      patch: (...args) => client.patch(...args),
      delete: (...args) => client.delete(...args),
      discover: () => client.discover(),
      async *watch<T extends KubeObject>(kind: KindRef, options: WatchOptions, signal: AbortSignal) {
        for await (const event of client.watch<T>(kind, options, signal)) {
          if (kind.kind === 'Pod') await pause(30);
          yield event;
        }
      },
    };
    informers = new InformerSet({ client: late, log });
    controllers = await startControllers({ client: late, informers, log });
    await client.create(kinds.Deployment, deployment('web', 3));
    await eventually(
      async () => (await get<Deployment>(kinds.Deployment, 'web')).status?.replicas === 3,
      'the status of three pods',
    );
    await client.patch(kinds.Deployment, 'web', NS, { spec: { replicas: 1 } });
    await eventually(
      async () => (await get<Deployment>(kinds.Deployment, 'web')).status?.replicas === 1,
      'the status of one pod',
    );
    assert.equal((await podsOf('web')).length, 1);
    const counted = async (reason: string) =>
      (await list<Event>(kinds.Event)).filter((event) => event.reason === reason).length;
    await controllers.stop();
    assert.deepEqual([await counted('SuccessfulCreate'), await counted('SuccessfulDelete')], [3, 2]);
  });

  test('a namespace gets its service account and CA, and takes everything with it', async () => {
    await api.client.create<Namespace>(kinds.Namespace, { metadata: { name: 'shop' } });
    const account = await eventually(() => get<ServiceAccount>(kinds.ServiceAccount, 'default', 'shop'), 'an account');
    assert.equal(account.metadata?.name, 'default');
    const ca = await eventually(() => get<ConfigMap>(kinds.ConfigMap, 'kube-root-ca.crt', 'shop'), 'a CA');
    assert.equal(ca.data?.['ca.crt'], 'PEM');
    await api.client.delete(kinds.ServiceAccount, 'default', 'shop');
    await eventually(() => get(kinds.ServiceAccount, 'default', 'shop'), 'an account again');

    const web = deployment('web', 2);
    await api.client.create(kinds.Deployment, { ...web, metadata: { name: 'web', namespace: 'shop' } });
    await api.client.create(kinds.Service, {
      ...service('web', { app: 'web' }),
      metadata: { name: 'web', namespace: 'shop' },
    });
    const made = await eventually(async () => {
      const found = await list<Pod>(kinds.Pod, 'shop');
      return found.length === 2 ? found : undefined;
    }, 'pods');
    for (const pod of made) await run(pod);
    await api.client.delete(kinds.Namespace, 'shop');
    await eventually(
      async () => (await list<Pod>(kinds.Pod, 'shop')).every((pod) => pod.metadata?.deletionTimestamp !== undefined),
      'pods on their way out',
    );
    const going = await get<Namespace>(kinds.Namespace, 'shop', undefined);
    assert.equal(going.status?.phase, 'Terminating');
    const begin = performance.now();
    for (const { metadata } of await list<Pod>(kinds.Pod, 'shop')) {
      await api.client.delete(kinds.Pod, metadata?.name ?? '', 'shop', { gracePeriodSeconds: 0 });
    }
    await eventually(() => gone(kinds.Namespace, 'shop', undefined), 'the namespace gone');
    assert(performance.now() - begin < 1000, 'promptly after its last pod');
    assert.deepEqual(log.at('warn'), []);
  });

  test('nothing is written once everything is as it should be', async () => {
    const stop = runAll();
    await api.client.create(kinds.Service, service('web', { app: 'web' }));
    await api.client.create(kinds.Deployment, deployment('web', 2));
    await rolledOut('web');
    stop();
    const revision = async () => (await api.client.list(kinds.ConfigMap)).metadata.resourceVersion;
    const quiet = await eventually(async () => {
      const before = await revision();
      // A look at every object by every controller: restarting them is the hardest question one can ask.
      await controllers.stop();
      controllers = await startControllers({ client: api.client, informers, log, rootCa: 'PEM' });
      for (let turn = 0; turn < 20; turn += 1) await api.client.list(kinds.Namespace);
      return before === (await revision()) ? before : undefined;
    }, 'no more writes');
    assert.equal(quiet, await revision());
  });
});

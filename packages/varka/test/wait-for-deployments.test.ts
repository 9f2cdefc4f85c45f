// When applied Deployments count as ready, and how fast the hopeless ones are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, Pod } from '@varka/kube/client/typed-objects.ts';
import { waitForDeployments } from '../src/supervisor/wait-for-deployments.ts';

class Source<T extends { metadata?: { namespace?: string; name?: string } }> {
  items: T[] = [];
  #handlers = new Set<() => void>();

  set(...items: T[]): void {
    this.items = items;
    for (const handler of this.#handlers) handler();
  }

  get = (namespace: string | undefined, name: string) =>
    this.items.find(({ metadata }) => metadata?.namespace === namespace && metadata?.name === name);
  list = () => this.items;
  onEvent = (handler: () => void) => {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  };

  get watched(): number {
    return this.#handlers.size;
  }
}

function deployment(name: string, available: number): Deployment {
  return {
    metadata: { namespace: 'apps', name, generation: 2 },
    spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: {} },
    status: { observedGeneration: 2, updatedReplicas: available, availableReplicas: available },
  };
}

function pod(app: string, state: { ready?: boolean; waiting?: string; message?: string }): Pod {
  const waiting =
    state.waiting === undefined ? {} : { waiting: { reason: state.waiting, message: state.message ?? '' } };
  return {
    metadata: { namespace: 'apps', name: `${app}-1`, labels: { app } },
    spec: { containers: [{ name: 'app' }] },
    status: {
      conditions: [{ type: 'Ready', status: state.ready === true ? 'True' : 'False' }],
      containerStatuses: [
        { name: 'app', ready: state.ready === true, restartCount: 0, image: '', imageID: '', state: waiting },
      ],
    },
  };
}

function start(targets: string[], timeoutMs = 60_000) {
  const deployments = new Source<Deployment>();
  const pods = new Source<Pod>();
  const progress: string[] = [];
  const result = waitForDeployments({
    deployments: deployments as never,
    pods: pods as never,
    targets: targets.map((name) => ({ namespace: 'apps', name })),
    timeoutMs,
    onProgress: (ready, wanted) => void progress.push(`${ready}/${wanted}`),
  });
  return { deployments, pods, progress, result };
}

test('it resolves once every Deployment is available, and watches no longer', async () => {
  const { deployments, pods, progress, result } = start(['a', 'b']);
  pods.set(pod('a', { ready: true }), pod('b', {}));
  deployments.set(deployment('a', 1), deployment('b', 0));
  await new Promise(setImmediate);
  pods.set(pod('a', { ready: true }), pod('b', { ready: true }));
  deployments.set(deployment('a', 1), deployment('b', 1));
  assert.deepEqual(await result, { kind: 'available', pods: 2 });
  assert.deepEqual([progress[0], progress.at(-1)], ['1/2', '2/2']);
  assert.deepEqual([deployments.watched, pods.watched], [0, 0]);
});

test('a status about an older generation does not count', async () => {
  const { deployments, result } = start(['a'], 20);
  deployments.set({
    ...deployment('a', 1),
    status: { observedGeneration: 1, updatedReplicas: 1, availableReplicas: 1 },
  });
  assert.equal((await result).kind, 'timeout');
});

test('a Deployment that calls itself available is not, while its pods are not ready', async () => {
  const { deployments, pods, result } = start(['a'], 20);
  pods.set(pod('a', {}));
  deployments.set(deployment('a', 1));
  assert.equal((await result).kind, 'timeout');
});

test('a pod that cannot start is told at once, with its reason, when the others are done', async () => {
  const { deployments, pods, result } = start(['a', 'b']);
  pods.set(pod('a', { waiting: 'ImagePullBackOff', message: 'no program' }), pod('b', { ready: true }));
  deployments.set(deployment('a', 0), deployment('b', 1));
  assert.deepEqual(await result, {
    kind: 'stuck',
    unavailable: [{ namespace: 'apps', name: 'a', reason: 'container app: ImagePullBackOff: no program' }],
  });
});

test('after the time is up it says what was waited for', async () => {
  const { deployments, result } = start(['a', 'b'], 20);
  deployments.set(deployment('a', 0));
  const { kind, ...rest } = await result;
  assert.equal(kind, 'timeout');
  assert.deepEqual('unavailable' in rest && rest.unavailable.map(({ name, reason }) => `${name}: ${reason}`), [
    'a: it has no pods yet',
    'b: it was deleted',
  ]);
});

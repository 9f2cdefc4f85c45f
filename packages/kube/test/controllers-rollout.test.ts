import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../src/client/typed-objects.ts';
import { deploymentStatus } from '../src/controllers/deployment-status.ts';
import { safeHash } from '../src/controllers/hash.ts';
import {
  currentAnnotations,
  nextRevision,
  outdatedReplicaSets,
  sizeAnnotations,
} from '../src/controllers/revisions.ts';
import { boundsOf, currentReplicaSet, planRollout } from '../src/controllers/rollout-plan.ts';

type Strategy = NonNullable<NonNullable<Deployment['spec']>['strategy']>;

const template = (image: string) => ({
  metadata: { labels: { app: 'shop' } },
  spec: { containers: [{ name: 'main', image }] },
});

const deployment = (replicas: number, image = 'v1', strategy: Strategy = {}, extra: Deployment = {}): Deployment => ({
  ...extra,
  metadata: { name: 'shop', namespace: 'default', uid: 'd', generation: 1, ...extra.metadata },
  spec: { replicas, strategy, selector: { matchLabels: { app: 'shop' } }, template: template(image), ...extra.spec },
});

const replicaSet = (
  image: string,
  replicas: number,
  available: number,
  annotations: Record<string, string> = {},
  pods = replicas,
): ReplicaSet => ({
  metadata: {
    name: `shop-${image}`,
    uid: image,
    creationTimestamp: `2030-01-01T00:00:0${image.at(-1)}Z`,
    annotations,
  },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'shop', 'pod-template-hash': image } },
    template: { ...template(image), metadata: { labels: { app: 'shop', 'pod-template-hash': image } } },
  },
  status: { replicas: pods, readyReplicas: available, availableReplicas: available },
});

/** `shop-v1=2` for each resize. */
const planned = (wanted: Deployment, replicaSets: ReplicaSet[], oldPodsRunning = false): string => {
  const step = planRollout({ deployment: wanted, replicaSets, oldPodsRunning });
  if (step.kind === 'create') return `create ${step.replicas}`;
  if (step.kind === 'wait') return 'wait';
  return step.resizes.map((entry) => `${entry.replicaSet.metadata?.name}=${entry.replicas}`).join(' ');
};

describe('the rollout plan', () => {
  test('makes the first ReplicaSet at full size, and the next within the surge', () => {
    assert.equal(planned(deployment(3), []), 'create 3');
    assert.equal(planned(deployment(4, 'v2'), [replicaSet('v1', 4, 4)]), 'create 1');
    const blueGreen = { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } };
    assert.equal(planned(deployment(4, 'v2', blueGreen), [replicaSet('v1', 4, 4)]), 'create 4');
  });

  test('rolls on as new pods become available', () => {
    const rolling = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    const wanted = deployment(3, 'v2', rolling);
    assert.equal(planned(wanted, [replicaSet('v1', 3, 3), replicaSet('v2', 1, 0)]), 'wait');
    assert.equal(planned(wanted, [replicaSet('v1', 3, 3), replicaSet('v2', 1, 1)]), 'shop-v1=2');
    assert.equal(planned(wanted, [replicaSet('v1', 2, 2), replicaSet('v2', 1, 1)]), 'shop-v2=2');
    assert.equal(planned(wanted, [replicaSet('v1', 0, 0), replicaSet('v2', 3, 3)]), 'wait');
    assert.equal(
      planned(wanted, [replicaSet('v1', 2, 3, {}, 3), replicaSet('v2', 2, 1)]),
      'wait',
      'pods about to be deleted do not count as available',
    );
  });

  test('takes broken old pods first, without regard to availability', () => {
    const wanted = deployment(4, 'v3', { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } });
    assert.equal(
      planned(wanted, [replicaSet('v1', 2, 2), replicaSet('v2', 2, 0), replicaSet('v3', 1, 1)]),
      'shop-v2=0',
      'three available is the least allowed, so only the broken go',
    );
    assert.equal(
      planned(wanted, [replicaSet('v1', 4, 0), replicaSet('v3', 1, 0)]),
      'shop-v1=3',
      'as long as the new are no better, enough of the old stay: they may recover',
    );
  });

  test('Recreate ends the old pods before it makes new ones', () => {
    const wanted = deployment(2, 'v2', { type: 'Recreate' });
    assert.equal(planned(wanted, [replicaSet('v1', 2, 2)]), 'shop-v1=0');
    assert.equal(planned(wanted, [replicaSet('v1', 0, 0)], true), 'wait');
    assert.equal(planned(wanted, [replicaSet('v1', 0, 0)], false), 'create 2');
    assert.equal(planned(deployment(2, 'v1', { type: 'Recreate' }), [replicaSet('v1', 0, 0)]), 'shop-v1=2');
  });

  test('going back to an earlier template takes its ReplicaSet up again', () => {
    const back = deployment(4, 'v1');
    assert.equal(planned(back, [replicaSet('v1', 0, 0), replicaSet('v2', 4, 4)]), 'shop-v1=1');
  });

  test('a paused Deployment scales but does not roll', () => {
    const paused = deployment(4, 'v2', {}, { spec: { paused: true } as NonNullable<Deployment['spec']> });
    assert.equal(planned(paused, [replicaSet('v1', 2, 2)]), 'shop-v1=4');
    assert.equal(planned(paused, []), 'wait');
  });

  test('scaling in the middle of a rollout is shared out by size', () => {
    const sizes = sizeAnnotations(deployment(10, 'v2'));
    assert.deepEqual(Object.values(sizes), ['10', '13']);
    const middle = [replicaSet('v1', 8, 8, sizes), replicaSet('v2', 5, 0, sizes)];
    assert.equal(planned(deployment(20, 'v2'), middle), 'shop-v1=15 shop-v2=10');
    assert.equal(planned(deployment(0, 'v2'), middle), 'shop-v1=0 shop-v2=0');
    assert.equal(planned(deployment(5, 'v1'), [replicaSet('v1', 10, 10, sizes)]), 'shop-v1=5');
    const small = sizeAnnotations(deployment(3, 'v2'));
    const nearlyThere = [replicaSet('v1', 1, 1, sizes), replicaSet('v2', 3, 3, small)];
    assert.equal(planned(deployment(3, 'v2'), nearlyThere), 'shop-v1=0', 'a saturated rollout just ends');
  });

  test('surge rounds up, unavailable down, and both cannot be nothing', () => {
    const bounds = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) =>
      Object.values(boundsOf(deployment(replicas, 'v1', { rollingUpdate: { maxSurge, maxUnavailable } })));
    assert.deepEqual(Object.values(boundsOf(deployment(4))), [1, 1]);
    assert.deepEqual(bounds(10, '25%', '25%'), [3, 2]);
    assert.deepEqual(bounds(1, '0%', '25%'), [0, 1]);
    assert.deepEqual(bounds(3, 0, 9), [0, 3]);
  });

  test('never exceeds its bounds, however late the statuses are, and always arrives', () => {
    const strategy = fc
      .tuple(
        fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '50%', '100%')),
        fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '50%', '100%')),
      )
      .map(([maxSurge, maxUnavailable]) => ({ rollingUpdate: { maxSurge, maxUnavailable } }));
    const moves = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: fc.constant('plan' as const) },
        { weight: 5, arbitrary: fc.record({ ready: fc.nat(99) }) },
        { weight: 4, arbitrary: fc.record({ report: fc.nat(99) }) },
        { weight: 1, arbitrary: fc.record({ image: fc.constantFrom('v1', 'v2', 'v3') }) },
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), strategy, moves, (replicas, rolling, script) => {
        const model = new Model(replicas, rolling);
        for (const move of script) {
          if (move === 'plan') model.plan();
          else if ('ready' in move) model.becomeReady(move.ready);
          else if ('report' in move) model.report(move.report);
          else model.image = move.image;
        }
        for (let round = 0; round < 100 && !model.arrived(); round += 1) {
          model.plan();
          model.becomeReady(round);
          for (let index = 0; index < 3; index += 1) model.report(index);
        }
        assert(model.arrived(), `stuck at ${model.describe()}`);
      }),
      { numRuns: 500 },
    );
  });
});

/** ReplicaSets whose pods become ready and whose statuses arrive when the script says, not when it would be convenient. */
class Model {
  image = 'v1';
  readonly #replicas: number;
  readonly #strategy: Strategy;
  readonly #sets = new Map<string, { wanted: number; pods: boolean[]; reported: number; reportedPods: number }>();

  constructor(replicas: number, strategy: Strategy) {
    this.#replicas = replicas;
    this.#strategy = strategy;
    const pods = Array.from({ length: replicas }, () => true);
    this.#sets.set('v1', { wanted: replicas, pods, reported: replicas, reportedPods: replicas });
  }

  plan(): void {
    const wanted = deployment(this.#replicas, this.image, this.#strategy);
    const replicaSets = [...this.#sets].map(([image, set]) =>
      replicaSet(image, set.wanted, set.reported, sizeAnnotations(wanted), set.reportedPods),
    );
    const step = planRollout({ deployment: wanted, replicaSets, oldPodsRunning: false });
    if (step.kind === 'create') {
      assert.equal(currentReplicaSet(wanted, replicaSets), undefined);
      this.#sets.set(this.image, { wanted: 0, pods: [], reported: 0, reportedPods: 0 });
      this.#resize(this.image, step.replicas);
    } else if (step.kind === 'resize') {
      for (const {
        replicaSet: { metadata },
        replicas,
      } of step.resizes)
        this.#resize(metadata?.uid ?? '', replicas);
    }
    const { maxSurge, maxUnavailable } = boundsOf(wanted);
    const all = [...this.#sets.values()];
    const pods = all.reduce((sum, set) => sum + set.pods.length, 0);
    const available = all.reduce((sum, set) => sum + set.pods.filter(Boolean).length, 0);
    assert(pods <= this.#replicas + maxSurge, `${pods} pods: ${this.describe()}`);
    assert(available >= this.#replicas - maxUnavailable, `${available} available: ${this.describe()}`);
  }

  becomeReady(pick: number): void {
    const waiting = [...this.#sets.values()].filter((set) => set.pods.includes(false));
    const set = waiting[pick % Math.max(1, waiting.length)];
    if (set !== undefined) set.pods[set.pods.indexOf(false)] = true;
  }

  report(pick: number): void {
    const set = [...this.#sets.values()][pick % this.#sets.size];
    if (set === undefined) return;
    set.reported = set.pods.filter(Boolean).length;
    set.reportedPods = set.pods.length;
  }

  arrived(): boolean {
    return [...this.#sets].every(([image, set]) => {
      return set.pods.length === (image === this.image ? this.#replicas : 0) && set.pods.every(Boolean);
    });
  }

  describe(): string {
    return JSON.stringify([this.image, this.#replicas, this.#strategy, ...this.#sets]);
  }

  /** As the ReplicaSet controller does: new pods are not ready, and those not ready go first. */
  #resize(image: string, wanted: number): void {
    const set = this.#sets.get(image);
    assert(set !== undefined && wanted >= 0);
    set.wanted = wanted;
    set.pods.sort((a, b) => Number(b) - Number(a));
    while (set.pods.length > wanted) set.pods.pop();
    while (set.pods.length < wanted) set.pods.push(false);
  }
}

describe('a Deployment’s status', () => {
  const now = Date.parse('2030-01-01T00:01:00Z');
  const at = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
  const judge = (wanted: Deployment, replicaSets: ReplicaSet[], time = now, created?: ReplicaSet) =>
    deploymentStatus({
      deployment: wanted,
      replicaSets,
      current: created ?? currentReplicaSet(wanted, replicaSets),
      created,
      collisionCount: undefined,
      now: time,
    });
  const condition = (status: NonNullable<Deployment['status']>, type: string) =>
    status.conditions?.find((it) => it.type === type);

  test('counts over all ReplicaSets and says how far the rollout is', () => {
    const { status } = judge(deployment(4, 'v2'), [replicaSet('v1', 3, 3), replicaSet('v2', 2, 0)]);
    const { conditions, ...counts } = status;
    assert.deepEqual(counts, {
      observedGeneration: 1,
      replicas: 5,
      updatedReplicas: 2,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 2,
    });
    assert.equal(conditions?.length, 2);
    assert.equal(condition(status, 'Available')?.reason, 'MinimumReplicasAvailable');
    assert.equal(condition(status, 'Progressing')?.message, 'ReplicaSet "shop-v2" is progressing.');
    const complete = judge(deployment(4, 'v2'), [replicaSet('v1', 0, 0), replicaSet('v2', 4, 4)]).status;
    assert.equal(condition(complete, 'Progressing')?.reason, 'NewReplicaSetAvailable');
    assert.equal(condition(complete, 'Progressing')?.message, 'ReplicaSet "shop-v2" has successfully progressed.');
    const down = judge(deployment(4, 'v2'), [replicaSet('v2', 4, 1)]).status;
    assert.equal(condition(down, 'Available')?.status, 'False');
    assert.equal(condition(down, 'Available')?.reason, 'MinimumReplicasUnavailable');
    const begun = judge(deployment(4), [], now, replicaSet('v1', 4, 0)).status;
    assert.equal(condition(begun, 'Progressing')?.message, 'Created new replica set "shop-v1"');
  });

  test('times out when nothing progresses, and not before', () => {
    const wanted = deployment(
      2,
      'v2',
      {},
      { spec: { progressDeadlineSeconds: 60 } as NonNullable<Deployment['spec']> },
    );
    const stuck = [replicaSet('v1', 1, 1), replicaSet('v2', 1, 0)];
    const first = judge(wanted, stuck);
    assert.equal(first.changesInMs, 60_000);
    const later = { ...wanted, status: first.status };
    const second = judge(later, stuck, now + 40_000);
    assert.equal(second.changesInMs, 20_000);
    assert.equal(condition(second.status, 'Progressing')?.lastUpdateTime, at(now));
    const third = judge({ ...wanted, status: second.status }, stuck, now + 60_000);
    assert.equal(condition(third.status, 'Progressing')?.reason, 'ProgressDeadlineExceeded');
    assert.equal(condition(third.status, 'Progressing')?.status, 'False');
    const recovered = judge(
      { ...wanted, status: third.status },
      [replicaSet('v1', 1, 1), replicaSet('v2', 1, 1)],
      now + 70_000,
    );
    assert.equal(condition(recovered.status, 'Progressing')?.reason, 'ReplicaSetUpdated');
  });

  test('a finished rollout does not time out later, nor begin anew by losing a pod', () => {
    const wanted = deployment(2, 'v2');
    const done = judge(wanted, [replicaSet('v2', 2, 2)]).status;
    const later = { ...wanted, status: done };
    const wounded = judge(later, [replicaSet('v2', 2, 1)], now + 10_000_000);
    assert.equal(condition(wounded.status, 'Progressing')?.reason, 'NewReplicaSetAvailable');
    assert.equal(wounded.changesInMs, undefined);
    const rolling = judge(later, [replicaSet('v2', 2, 2), replicaSet('v3', 0, 0)], now + 10_000_000);
    assert.notEqual(condition(rolling.status, 'Progressing')?.reason, 'ProgressDeadlineExceeded');
  });

  test('says when paused, and passes on why pods cannot be made', () => {
    const paused = deployment(2, 'v1', {}, { spec: { paused: true } as NonNullable<Deployment['spec']> });
    const failing: ReplicaSet = {
      ...replicaSet('v1', 2, 0),
      status: {
        replicas: 0,
        conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'no room' }],
      },
    };
    const { status } = judge(paused, [failing]);
    assert.equal(condition(status, 'Progressing')?.reason, 'DeploymentPaused');
    assert.equal(condition(status, 'ReplicaFailure')?.message, 'no room');
  });
});

describe('revisions', () => {
  const REVISION = 'deployment.kubernetes.io/revision';

  test('count up, also when an old template is taken up again', () => {
    const v1 = replicaSet('v1', 0, 0, { [REVISION]: '1' });
    const v2 = replicaSet('v2', 3, 3, { [REVISION]: '2' });
    assert.equal(nextRevision([v1, v2], v2), 2);
    assert.equal(nextRevision([v1, v2], undefined), 3);
    const back = currentAnnotations(deployment(3, 'v1'), v1, nextRevision([v1, v2], v1));
    assert.equal(back[REVISION], '3');
    assert.equal(back['deployment.kubernetes.io/revision-history'], '1');
    const annotated = deployment(
      3,
      'v2',
      {},
      {
        metadata: {
          annotations: {
            'kubernetes.io/change-cause': 'why',
            'kubectl.kubernetes.io/last-applied-configuration': '{}',
          },
        },
      },
    );
    const copied = currentAnnotations(annotated, v2, 2);
    assert.equal(copied['kubernetes.io/change-cause'], 'why');
    assert.equal(copied['kubectl.kubernetes.io/last-applied-configuration'], undefined);
  });

  test('beyond the limit the oldest empty ReplicaSets go', () => {
    const old = ['v1', 'v2', 'v3'].map((image, index) => replicaSet(image, 0, 0, { [REVISION]: String(index + 1) }));
    const current = replicaSet('v4', 2, 2, { [REVISION]: '4' });
    const limited = deployment(2, 'v4', {}, { spec: { revisionHistoryLimit: 1 } as NonNullable<Deployment['spec']> });
    const names = (sets: ReplicaSet[]) => sets.map((set) => set.metadata?.name);
    assert.deepEqual(names(outdatedReplicaSets(limited, [...old, current], current)), ['shop-v1', 'shop-v2']);
    assert.deepEqual(names(outdatedReplicaSets(deployment(2, 'v4'), [...old, current], current)), []);
    const busy = [replicaSet('v1', 1, 1, { [REVISION]: '1' }), ...old.slice(1), current];
    assert.deepEqual(names(outdatedReplicaSets(limited, busy, current)), ['shop-v2']);
  });

  test('a template’s hash is short, safe, and changes with the template and after a collision', () => {
    const hash = safeHash(template('v1'), undefined);
    assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
    assert.equal(safeHash({ spec: template('v1').spec, metadata: template('v1').metadata }, undefined), hash);
    assert.notEqual(safeHash(template('v2'), undefined), hash);
    assert.notEqual(safeHash(template('v1'), 1), hash);
  });
});

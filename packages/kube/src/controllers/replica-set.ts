// The ReplicaSet controller: keeps as many pods as a ReplicaSet asks for.
import type { ReplicaSetCondition } from 'kubernetes-types/apps/v1.d.ts';
import type { Clock } from '../client/clock.ts';
import { timestamp } from '../client/clock.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { Pod, ReplicaSet } from '../client/typed-objects.ts';
import { selectorOf } from '../kinds/label-selector.ts';
import { Pod as PodKind, ReplicaSet as ReplicaSetKind } from '../kinds/refs.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller, isNamespaceTerminating, keyOf, splitKey } from './controller.ts';
import { canonicalJson } from './hash.ts';
import { OwnedPods } from './owned-pods.ts';
import { adoptionPatch, claim, controllerRef, controllerRefOf, releasePatch } from './owners.ts';
import { isActive } from './pods.ts';
import { planReplicas, podFor, replicaSetStatus } from './replica-set-plan.ts';

export class ReplicaSetController {
  readonly #context: ControllerContext;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #ownedPods: OwnedPods;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#clock = context.clock;
    this.#events = context.recorder('replicaset-controller');
    this.#replicaSets = context.informers.informer<ReplicaSet>(ReplicaSetKind);
    this.#pods = context.informers.informer<Pod>(PodKind);
    this.#controller = new Controller({
      ...context,
      name: 'replicaset-controller',
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    this.#ownedPods = new OwnedPods(context.client, ReplicaSetKind, this.#events, this.#pods, this.#clock);
    this.#controller.follow(this.#replicaSets, (event) => [keyOf(event.object)]);
    this.#controller.follow(this.#pods, (event) => [
      ...this.#ownersOf(event.object),
      ...(event.type === 'updated' ? this.#ownersOf(event.old) : []),
    ]);
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    this.#ownedPods.close();
  }

  /** The keys of the ReplicaSets a pod concerns: its controller, or those that might adopt it. */
  #ownersOf(pod: Pod): string[] {
    const { namespace } = pod.metadata ?? {};
    const owner = controllerRefOf(pod);
    if (owner !== undefined) return owner.kind === ReplicaSetKind.kind ? [`${namespace}/${owner.name}`] : [];
    return this.#replicaSets
      .list(namespace)
      .filter((replicaSet) => selectorOf(replicaSet.spec?.selector)(pod.metadata?.labels))
      .map(keyOf);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const replicaSet = this.#replicaSets.get(namespace, name);
    if (replicaSet === undefined) return undefined;
    const failure =
      replicaSet.metadata?.deletionTimestamp === undefined ? await this.#manage(replicaSet, signal) : undefined;
    if (signal.aborted) return undefined;
    const owned = this.#claim(replicaSet).owned;
    const { status, changesInMs } = replicaSetStatus(replicaSet, owned, failure?.condition, this.#clock.now());
    if (canonicalJson(status) !== canonicalJson(replicaSet.status)) {
      try {
        await this.#context.client.update(ReplicaSetKind, { ...replicaSet, status }, 'status');
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    if (failure !== undefined) throw failure.error;
    return changesInMs;
  }

  #claim(replicaSet: ReplicaSet) {
    // Pods that have ended stay with their owner but nobody takes up new ones.
    const candidates = this.#pods
      .list(replicaSet.metadata?.namespace)
      .filter((pod) => isActive(pod) || controllerRefOf(pod) !== undefined);
    return claim(replicaSet, candidates, selectorOf(replicaSet.spec?.selector));
  }

  /** Creates and deletes until the number is right. */
  async #manage(replicaSet: ReplicaSet, signal: AbortSignal) {
    const { client, random } = this.#context;
    const { owned, adopt, release } = this.#claim(replicaSet);
    const changes = [
      ...adopt.map((pod) => [pod, adoptionPatch(pod, controllerRef(ReplicaSetKind, replicaSet))] as const),
      ...release.map((pod) => [pod, releasePatch(pod, (reference) => reference.controller === true)] as const),
    ];
    for (const [pod, patch] of changes) {
      await client.patch(PodKind, pod.metadata?.name ?? '', pod.metadata?.namespace, patch);
    }
    const step = planReplicas(replicaSet, [...owned, ...adopt]);
    switch (step.kind) {
      case 'enough':
        return undefined;
      case 'create': {
        const pods = Array.from({ length: step.count }, () => podFor(ReplicaSetKind, replicaSet, random));
        return this.#settle(
          replicaSet,
          'FailedCreate',
          await Promise.allSettled(pods.map((pod) => this.#ownedPods.create(replicaSet, pod, signal))),
        );
      }
      case 'delete':
        return this.#settle(
          replicaSet,
          'FailedDelete',
          await Promise.allSettled(step.pods.map((pod) => this.#ownedPods.delete(replicaSet, pod, signal))),
        );
    }
  }

  /** The first failure becomes an event and the ReplicaFailure condition. */
  #settle(replicaSet: ReplicaSet, reason: string, results: readonly PromiseSettledResult<void>[]) {
    const error = results.find((result) => result.status === 'rejected')?.reason as Error | undefined;
    if (error === undefined) return undefined;
    if (isNamespaceTerminating(error)) throw error;
    const verb = reason === 'FailedCreate' ? 'creating' : 'deleting';
    this.#events.event(ReplicaSetKind, replicaSet, 'Warning', reason, `Error ${verb}: ${error.message}`);
    const condition: ReplicaSetCondition = {
      type: 'ReplicaFailure',
      status: 'True',
      reason,
      message: error.message,
      lastTransitionTime: timestamp(this.#clock),
    };
    return { error, condition };
  }
}

// The Deployment controller: one ReplicaSet per pod template, resized step by step towards the newest.
import type { Clock } from '../client/clock.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { Deployment, Pod, ReplicaSet } from '../client/typed-objects.ts';
import { selectorOf } from '../kinds/label-selector.ts';
import { Deployment as DeploymentKind, Pod as PodKind, ReplicaSet as ReplicaSetKind } from '../kinds/refs.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller, keyOf, splitKey } from './controller.ts';
import { deploymentStatus } from './deployment-status.ts';
import { canonicalJson, safeHash } from './hash.ts';
import { adoptionPatch, claim, controllerRef, controllerRefOf, isControlledBy, releasePatch } from './owners.ts';
import { wantedReplicas } from './replica-set-plan.ts';
import { currentAnnotations, nextRevision, outdatedReplicaSets, REVISION, sizeAnnotations } from './revisions.ts';
import type { Resize } from './rollout-plan.ts';
import { currentReplicaSet, POD_TEMPLATE_HASH, planRollout, templateWithoutHash } from './rollout-plan.ts';

export class DeploymentController {
  readonly #context: ControllerContext;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #deployments: Informer<Deployment>;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#clock = context.clock;
    this.#events = context.recorder('deployment-controller');
    this.#deployments = context.informers.informer<Deployment>(DeploymentKind);
    this.#replicaSets = context.informers.informer<ReplicaSet>(ReplicaSetKind);
    this.#pods = context.informers.informer<Pod>(PodKind);
    this.#controller = new Controller({
      ...context,
      name: 'deployment-controller',
      reconcile: (key) => this.#reconcile(key),
    });
    this.#controller.follow(this.#deployments, (event) => [keyOf(event.object)]);
    this.#controller.follow(this.#replicaSets, (event) => [
      ...this.#ownersOf(event.object),
      ...(event.type === 'updated' ? this.#ownersOf(event.old) : []),
    ]);
    // Recreate goes on when the last old pod is gone, which need not show in any ReplicaSet's status.
    this.#controller.follow(this.#pods, (event) => (event.type === 'deleted' ? this.#recreatesOf(event.object) : []));
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #ownersOf(replicaSet: ReplicaSet): string[] {
    const { namespace } = replicaSet.metadata ?? {};
    const owner = controllerRefOf(replicaSet);
    if (owner !== undefined) return owner.kind === DeploymentKind.kind ? [`${namespace}/${owner.name}`] : [];
    return this.#deployments
      .list(namespace)
      .filter((deployment) => selectorOf(deployment.spec?.selector)(replicaSet.metadata?.labels))
      .map(keyOf);
  }

  #recreatesOf(pod: Pod): string[] {
    const { namespace } = pod.metadata ?? {};
    const owner = controllerRefOf(pod);
    const replicaSet = owner === undefined ? undefined : this.#replicaSets.get(namespace, owner.name);
    return replicaSet === undefined ? [] : this.#ownersOf(replicaSet);
  }

  async #reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    let deployment = this.#deployments.get(namespace, name);
    if (deployment === undefined) return undefined;
    const replicaSets = await this.#claim(deployment);
    if (deployment.metadata?.deletionTimestamp !== undefined) return this.#writeStatus(deployment, replicaSets);

    let created: ReplicaSet | undefined;
    let collisionCount = deployment.status?.collisionCount;
    const step = planRollout({
      deployment,
      replicaSets,
      oldPodsRunning: this.#oldPodsRunning(deployment, replicaSets),
    });
    if (step.kind === 'create') {
      const made = await this.#create(deployment, replicaSets, step.replicas, collisionCount);
      if (made === 'collision') collisionCount = (collisionCount ?? 0) + 1;
      else created = made;
    }
    const current = created ?? currentReplicaSet(deployment, replicaSets);
    const resizes = step.kind === 'resize' ? step.resizes : [];
    await this.#updateReplicaSets(deployment, replicaSets, current, resizes);
    deployment = await this.#writeRevision(deployment, replicaSets, current);
    await this.#cleanUp(deployment, replicaSets, current);
    return this.#writeStatus(deployment, replicaSets, current, created, collisionCount);
  }

  async #claim(deployment: Deployment): Promise<ReplicaSet[]> {
    const candidates = this.#replicaSets.list(deployment.metadata?.namespace);
    const { owned, adopt, release } = claim(deployment, candidates, selectorOf(deployment.spec?.selector));
    const adopted: ReplicaSet[] = [];
    for (const replicaSet of adopt) {
      const patch = adoptionPatch(replicaSet, controllerRef(DeploymentKind, deployment));
      adopted.push(await this.#patch(replicaSet, patch));
    }
    for (const replicaSet of release) {
      await this.#patch(
        replicaSet,
        releasePatch(replicaSet, (reference) => reference.controller === true),
      );
    }
    return [...owned, ...adopted];
  }

  #oldPodsRunning(deployment: Deployment, replicaSets: readonly ReplicaSet[]): boolean {
    const current = currentReplicaSet(deployment, replicaSets);
    const old = new Set(replicaSets.filter((replicaSet) => replicaSet !== current).map((it) => it.metadata?.uid));
    return this.#pods.list(deployment.metadata?.namespace).some((pod) => {
      const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
      return !ended && old.has(controllerRefOf(pod)?.uid);
    });
  }

  /** Makes the ReplicaSet of the current template. A different one under its name is a collision of hashes. */
  async #create(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    replicas: number,
    collisionCount: number | undefined,
  ): Promise<ReplicaSet | 'collision'> {
    const wanted = this.#replicaSetFor(deployment, replicaSets, replicas, collisionCount);
    const { name = '', namespace } = wanted.metadata ?? {};
    try {
      const created = await this.#context.client.create<ReplicaSet>(ReplicaSetKind, wanted);
      this.#scaled(deployment, 'up', created, 0, replicas);
      return created;
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      const existing = await this.#context.client.get<ReplicaSet>(ReplicaSetKind, name, namespace);
      const same = canonicalJson(templateWithoutHash(existing)) === canonicalJson(deployment.spec?.template);
      // Ours from a moment ago, which the informer has yet to show.
      if (same && isControlledBy(existing, deployment)) return existing;
      return 'collision';
    }
  }

  #replicaSetFor(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    replicas: number,
    collisionCount: number | undefined,
  ): ReplicaSet {
    const { name, namespace = '' } = deployment.metadata ?? {};
    const template = structuredClone(deployment.spec?.template);
    const hash = safeHash(template, collisionCount);
    const labels = { ...template?.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
    const { minReadySeconds, selector } = deployment.spec ?? {};
    return {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels,
        annotations: currentAnnotations(deployment, undefined, nextRevision(replicaSets, undefined)),
        ownerReferences: [controllerRef(DeploymentKind, deployment)],
      },
      spec: {
        replicas,
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        // The hash keeps the ReplicaSets of one Deployment, which share its labels, apart.
        selector: { ...selector, matchLabels: { ...selector?.matchLabels, [POD_TEMPLATE_HASH]: hash } },
        template: { ...template, metadata: { ...template?.metadata, labels } },
      },
    };
  }

  /** Writes sizes, and the current one's annotations and minReadySeconds, each ReplicaSet at most once. */
  async #updateReplicaSets(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    current: ReplicaSet | undefined,
    resizes: readonly Resize[],
  ): Promise<void> {
    const revision = nextRevision(replicaSets, current);
    for (const replicaSet of replicaSets) {
      const before = wantedReplicas(replicaSet);
      const resized = resizes.find((entry) => entry.replicaSet === replicaSet);
      const replicas = resized?.replicas ?? before;
      const annotations =
        replicaSet === current
          ? currentAnnotations(deployment, replicaSet, revision)
          : { ...replicaSet.metadata?.annotations, ...(resized === undefined ? {} : sizeAnnotations(deployment)) };
      const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
      const wanted: ReplicaSet = {
        ...replicaSet,
        metadata: { ...replicaSet.metadata, annotations },
        spec: {
          ...replicaSet.spec,
          selector: replicaSet.spec?.selector ?? {},
          replicas,
          ...(replicaSet === current && minReadySeconds !== (replicaSet.spec?.minReadySeconds ?? 0)
            ? { minReadySeconds }
            : {}),
        },
      };
      if (canonicalJson(wanted) === canonicalJson(replicaSet)) continue;
      // With the resourceVersion we decided on: a decision on stale facts is refused, and made anew.
      await this.#context.client.update(ReplicaSetKind, wanted);
      if (replicas !== before)
        this.#scaled(deployment, replicas > before ? 'up' : 'down', replicaSet, before, replicas);
    }
  }

  async #writeRevision(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    current: ReplicaSet | undefined,
  ): Promise<Deployment> {
    if (current === undefined) return deployment;
    const revision = currentAnnotations(deployment, current, nextRevision(replicaSets, current))[REVISION];
    if (deployment.metadata?.annotations?.[REVISION] === revision) return deployment;
    const { name = '', namespace, resourceVersion } = deployment.metadata ?? {};
    // A spec changed meanwhile must not come back with the answer: its generation has not been looked at.
    const patch = { metadata: { resourceVersion, annotations: { [REVISION]: revision } } };
    return this.#context.client.patch<Deployment>(DeploymentKind, name, namespace, patch);
  }

  async #cleanUp(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    current: ReplicaSet | undefined,
  ): Promise<void> {
    for (const { metadata } of outdatedReplicaSets(deployment, replicaSets, current)) {
      const preconditions = { uid: metadata?.uid ?? '', resourceVersion: metadata?.resourceVersion ?? '' };
      try {
        await this.#context.client.delete(ReplicaSetKind, metadata?.name ?? '', metadata?.namespace, { preconditions });
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
  }

  async #writeStatus(
    deployment: Deployment,
    replicaSets: readonly ReplicaSet[],
    current: ReplicaSet | undefined = currentReplicaSet(deployment, replicaSets),
    created?: ReplicaSet,
    collisionCount: number | undefined = deployment.status?.collisionCount,
  ): Promise<number | undefined> {
    const now = this.#clock.now();
    const { status, changesInMs } = deploymentStatus({
      deployment,
      replicaSets,
      current,
      created,
      collisionCount,
      now,
    });
    if (canonicalJson(status) !== canonicalJson(deployment.status)) {
      await this.#context.client.update(DeploymentKind, { ...deployment, status }, 'status');
    }
    return changesInMs;
  }

  #patch(replicaSet: ReplicaSet, patch: object): Promise<ReplicaSet> {
    const { name = '', namespace } = replicaSet.metadata ?? {};
    return this.#context.client.patch<ReplicaSet>(ReplicaSetKind, name, namespace, patch);
  }

  #scaled(deployment: Deployment, way: 'up' | 'down', replicaSet: ReplicaSet, from: number, to: number): void {
    const message = `Scaled ${way} replica set ${replicaSet.metadata?.name} from ${from} to ${to}`;
    this.#events.event(DeploymentKind, deployment, 'Normal', 'ScalingReplicaSet', message);
  }
}

// What a ReplicaSet asks for, decided from its pods: how many to make, which to delete, what its status is.
import type { ReplicaSetCondition, ReplicaSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import type { Job, Pod, ReplicaSet } from '../client/typed-objects.ts';
import { generatedName } from '../kinds/generated-name.ts';
import type { KindRef } from '../kinds/kind.ts';
import { matchesLabels } from '../kinds/label-selector.ts';
import { controllerRef } from './owners.ts';
import { availableIn, isActive, isReady, readySince } from './pods.ts';

export type ReplicasStep =
  | { readonly kind: 'enough' }
  | { readonly kind: 'create'; readonly count: number }
  | { readonly kind: 'delete'; readonly pods: readonly Pod[] };

/** Pods made in one go; the rest follow when these are seen. */
const MAX_BURST = 500;

export function planReplicas(replicaSet: ReplicaSet, owned: readonly Pod[]): ReplicasStep {
  const active = owned.filter(isActive);
  const missing = wantedReplicas(replicaSet) - active.length;
  if (missing > 0) return { kind: 'create', count: Math.min(missing, MAX_BURST) };
  if (missing < 0) return { kind: 'delete', pods: active.toSorted(byExpendability).slice(0, -missing) };
  return { kind: 'enough' };
}

export function wantedReplicas(workload: { spec?: { replicas?: number } }): number {
  return workload.spec?.replicas ?? 1;
}

/**
 * Whom nobody will miss comes first (Kubernetes docs: "ReplicaSet: Scaling a ReplicaSet"): not assigned to a node, not
 * running, not ready, cheaper by annotation, ready for less long, restarted more often, younger.
 */
export function byExpendability(a: Pod, b: Pod): number {
  return (
    Number(a.spec?.nodeName !== undefined) - Number(b.spec?.nodeName !== undefined) ||
    phaseRank(a) - phaseRank(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    (readySince(b) ?? 0) - (readySince(a) ?? 0) ||
    restarts(b) - restarts(a) ||
    createdAt(b) - createdAt(a)
  );
}

/** The pod that the template of a ReplicaSet or Job describes, under a fresh name. */
export function podFor(kind: KindRef, owner: ReplicaSet | Job, random: () => number): Pod {
  const template = owner.spec?.template;
  const base = owner.metadata?.name ?? '';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(template?.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template?.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ...(template?.metadata?.finalizers === undefined ? {} : { finalizers: template.metadata.finalizers }),
      namespace: owner.metadata?.namespace ?? '',
      name: generatedName(`${base}-`, random),
      generateName: `${base}-`,
      ownerReferences: [controllerRef(kind, owner)],
    },
    spec: structuredClone(template?.spec ?? { containers: [] }),
  };
}

export interface ReplicaSetStatusResult {
  readonly status: ReplicaSetStatus;
  /** When time alone changes the status: a ready pod becomes available after minReadySeconds. */
  readonly changesInMs?: number;
}

export function replicaSetStatus(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  failure: ReplicaSetCondition | undefined,
  now: number,
): ReplicaSetStatusResult {
  const active = owned.filter(isActive);
  const templateLabels = replicaSet.spec?.template?.metadata?.labels ?? {};
  const waits = active.map((pod) => availableIn(pod, replicaSet.spec?.minReadySeconds ?? 0, now));
  const pending = waits.filter((wait) => wait !== undefined && wait > 0) as number[];
  const conditions = (replicaSet.status?.conditions ?? []).filter((condition) => condition.type !== 'ReplicaFailure');
  const before = replicaSet.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');
  if (failure !== undefined) {
    const same = before?.status === failure.status && before.reason === failure.reason;
    conditions.push(same ? { ...failure, ...transitionOf(before) } : failure);
  }
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => matchesLabels(templateLabels, pod.metadata?.labels)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      observedGeneration: replicaSet.metadata?.generation ?? 0,
      ...(conditions.length === 0 ? {} : { conditions }),
    },
    ...(pending.length === 0 ? {} : { changesInMs: Math.min(...pending) }),
  };
}

function transitionOf(condition: ReplicaSetCondition) {
  return condition.lastTransitionTime === undefined ? {} : { lastTransitionTime: condition.lastTransitionTime };
}

function phaseRank(pod: Pod): number {
  return ['Pending', 'Unknown', 'Running'].indexOf(pod.status?.phase ?? 'Pending');
}

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
  return Number.isFinite(cost) ? cost : 0;
}

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((container) => container.restartCount));
}

function createdAt(pod: Pod): number {
  return Date.parse(pod.metadata?.creationTimestamp ?? '') || 0;
}

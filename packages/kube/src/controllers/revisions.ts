// The revisions of a Deployment: what `kubectl rollout history` and `undo` read from its ReplicaSets' annotations.
import type { Deployment, ReplicaSet } from '../client/typed-objects.ts';
import { wantedReplicas } from './replica-set-plan.ts';
import { boundsOf, byAge, DESIRED_REPLICAS, MAX_REPLICAS } from './rollout-plan.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DEFAULT_HISTORY_LIMIT = 10;
/** What belongs to the Deployment alone. */
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

export function revisionOf(object: Deployment | ReplicaSet): number {
  return Number(object.metadata?.annotations?.[REVISION] ?? 0) || 0;
}

/** One more than any older ReplicaSet's: a template that is taken up again becomes the newest revision. */
export function nextRevision(replicaSets: readonly ReplicaSet[], current: ReplicaSet | undefined): number {
  const others = replicaSets.filter((it) => it.metadata?.uid !== current?.metadata?.uid).map(revisionOf);
  return Math.max(0, ...others) + 1;
}

/** The annotations the current ReplicaSet should carry. */
export function currentAnnotations(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const copied = Object.entries(deployment.metadata?.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name));
  const before = current === undefined ? 0 : revisionOf(current);
  const kept = Math.max(before, revision);
  const history = current?.metadata?.annotations?.[REVISION_HISTORY];
  const outdated = before > 0 && before < kept ? [history, String(before)].filter((part) => part).join(',') : history;
  return {
    ...current?.metadata?.annotations,
    ...Object.fromEntries(copied),
    ...sizeAnnotations(deployment),
    [REVISION]: String(kept),
    ...(outdated === undefined ? {} : { [REVISION_HISTORY]: outdated }),
  };
}

/** The Deployment's size as a ReplicaSet was last fitted to it: how a later scaling is noticed and shared out. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = wantedReplicas(deployment);
  return {
    [DESIRED_REPLICAS]: String(replicas),
    [MAX_REPLICAS]: String(replicas + boundsOf(deployment).maxSurge),
  };
}

/** The old, empty ReplicaSets beyond revisionHistoryLimit, oldest first. */
export function outdatedReplicaSets(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
  current: ReplicaSet | undefined,
): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT;
  const old = replicaSets.filter(
    (replicaSet) => replicaSet !== current && replicaSet.metadata?.deletionTimestamp === undefined,
  );
  const ordered = old.toSorted((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
  return ordered.slice(0, Math.max(0, ordered.length - limit)).filter(isEmpty);
}

function isEmpty(replicaSet: ReplicaSet): boolean {
  const observed = (replicaSet.status?.observedGeneration ?? 0) >= (replicaSet.metadata?.generation ?? 0);
  return wantedReplicas(replicaSet) === 0 && (replicaSet.status?.replicas ?? 0) === 0 && observed;
}

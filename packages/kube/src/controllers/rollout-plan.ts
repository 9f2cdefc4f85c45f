// The next step of a Deployment's rollout, decided from its ReplicaSets alone (Kubernetes docs: "Deployments: Strategy").
import type { Deployment, ReplicaSet } from '../client/typed-objects.ts';
import { canonicalJson } from './hash.ts';
import { wantedReplicas } from './replica-set-plan.ts';

export const POD_TEMPLATE_HASH = 'pod-template-hash';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly replicas: number;
}

export type RolloutStep =
  /** Make the ReplicaSet of the current template, this big. */
  | { readonly kind: 'create'; readonly replicas: number }
  | { readonly kind: 'resize'; readonly resizes: readonly Resize[] }
  /** Nothing to do until a status changes. */
  | { readonly kind: 'wait' };

export interface RolloutState {
  readonly deployment: Deployment;
  /** All that the Deployment controls. */
  readonly replicaSets: readonly ReplicaSet[];
  /** Pods of old ReplicaSets that have not ended: Recreate waits for the last of them. */
  readonly oldPodsRunning: boolean;
}

export function planRollout(state: RolloutState): RolloutStep {
  const { deployment } = state;
  const current = currentReplicaSet(deployment, state.replicaSets);
  const old = state.replicaSets.filter((replicaSet) => replicaSet !== current);
  if (deployment.spec?.paused === true || isScalingEvent(deployment, state.replicaSets)) {
    return resize(scaleInProportion(deployment, current, old));
  }
  return isRecreate(deployment) ? recreate(state, current, old) : roll(deployment, current, old);
}

/** The ReplicaSet made from the template as it is now; of several, the oldest, so that the choice stays the same. */
export function currentReplicaSet(deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = canonicalJson(deployment.spec?.template);
  return replicaSets.toSorted(byAge).find((replicaSet) => canonicalJson(templateWithoutHash(replicaSet)) === wanted);
}

export function templateWithoutHash(replicaSet: ReplicaSet) {
  const template = replicaSet.spec?.template;
  const { [POD_TEMPLATE_HASH]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

export interface Bounds {
  /** Pods beyond `replicas` that may exist. */
  readonly maxSurge: number;
  /** Pods below `replicas` that may be available. */
  readonly maxUnavailable: number;
}

export function boundsOf(deployment: Deployment): Bounds {
  if (isRecreate(deployment)) return { maxSurge: 0, maxUnavailable: wantedReplicas(deployment) };
  const replicas = wantedReplicas(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = absolute(maxSurge, replicas, Math.ceil);
  const unavailable = Math.min(absolute(maxUnavailable, replicas, Math.floor), replicas);
  // Both 0 would never get anywhere; the validation refuses it, but percentages of few replicas round to it.
  return surge === 0 && unavailable === 0
    ? { maxSurge: 0, maxUnavailable: Math.min(1, replicas) }
    : { maxSurge: surge, maxUnavailable: unavailable };
}

export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [a.metadata?.creationTimestamp ?? '', b.metadata?.creationTimestamp ?? ''];
  if (left !== right) return left < right ? -1 : 1;
  return (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
}

function isRecreate(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type === 'Recreate';
}

function roll(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): RolloutStep {
  const replicas = wantedReplicas(deployment);
  const { maxSurge } = boundsOf(deployment);
  const total = sumWanted(old) + (current === undefined ? 0 : wantedReplicas(current));
  const room = Math.max(0, replicas + maxSurge - total);
  if (current === undefined) return { kind: 'create', replicas: Math.min(room, replicas) };
  const size = wantedReplicas(current);
  if (size > replicas) return resize([{ replicaSet: current, replicas }]);
  const growth = Math.min(room, replicas - size);
  if (growth > 0) return resize([{ replicaSet: current, replicas: size + growth }]);
  return resize(shrinkOld(deployment, current, old));
}

/** Takes pods from old ReplicaSets: first those nobody can use, then available ones as far as the bound allows. */
function shrinkOld(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const minAvailable = wantedReplicas(deployment) - boundsOf(deployment).maxUnavailable;
  const currentSize = wantedReplicas(current);
  // New pods not yet available count as if they never became so.
  let removable = sumWanted(old) + Math.min(available(current), currentSize) - minAvailable;
  let spare = sumOf(old, available) + available(current) - minAvailable;
  const sizes = new Map<ReplicaSet, number>();
  const take = (replicaSet: ReplicaSet, wish: number): number => {
    const size = sizes.get(replicaSet) ?? wantedReplicas(replicaSet);
    const taken = Math.max(0, Math.min(wish, size, removable));
    if (taken > 0) sizes.set(replicaSet, size - taken);
    removable -= taken;
    return taken;
  };
  const oldest = old.toSorted(byAge);
  for (const replicaSet of oldest) take(replicaSet, wantedReplicas(replicaSet) - available(replicaSet));
  for (const replicaSet of oldest) spare -= take(replicaSet, Math.min(spare, available(replicaSet)));
  return [...sizes].map(([replicaSet, replicas]) => ({ replicaSet, replicas }));
}

function recreate(state: RolloutState, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): RolloutStep {
  const replicas = wantedReplicas(state.deployment);
  const standing = old.filter((replicaSet) => wantedReplicas(replicaSet) > 0);
  if (standing.length > 0) return resize(standing.map((replicaSet) => ({ replicaSet, replicas: 0 })));
  if (state.oldPodsRunning) return { kind: 'wait' };
  if (current === undefined) return { kind: 'create', replicas };
  return resize(wantedReplicas(current) === replicas ? [] : [{ replicaSet: current, replicas }]);
}

/** `kubectl scale` in the middle of a rollout is told by the size the ReplicaSets were last fitted to. */
function isScalingEvent(deployment: Deployment, replicaSets: readonly ReplicaSet[]): boolean {
  return replicaSets.some((replicaSet) => {
    const desired = annotated(replicaSet, DESIRED_REPLICAS);
    return wantedReplicas(replicaSet) > 0 && desired !== undefined && desired !== wantedReplicas(deployment);
  });
}

/** Spreads a change of size over all ReplicaSets by their shares, so that scaling does not undo or speed up a rollout. */
function scaleInProportion(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Resize[] {
  const replicas = wantedReplicas(deployment);
  const all = current === undefined ? [...old] : [...old, current];
  const active = all.filter((replicaSet) => wantedReplicas(replicaSet) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? current ?? all.toSorted(byAge).at(-1);
    return only === undefined ? [] : [{ replicaSet: only, replicas }];
  }
  if (current !== undefined && isSaturated(deployment, current)) {
    return active.filter((replicaSet) => replicaSet !== current).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  if (isRecreate(deployment)) return [];
  const allowed = replicas > 0 ? replicas + boundsOf(deployment).maxSurge : 0;
  const change = allowed - sumWanted(active);
  // The biggest share of a growth goes to the newest, of a shrinking to the oldest, when sizes are equal.
  const order = active.toSorted(
    (a, b) => wantedReplicas(b) - wantedReplicas(a) || (change > 0 ? byAge(b, a) : byAge(a, b)),
  );
  let left = change;
  const resizes = order.map((replicaSet) => {
    const share = Math.trunc(clampTowardsZero(shareOf(replicaSet, deployment, allowed), left));
    left -= share;
    return { replicaSet, replicas: wantedReplicas(replicaSet) + share };
  });
  // What rounding left over goes to the first.
  return resizes.map((entry, index) =>
    index === 0 ? { ...entry, replicas: Math.max(0, entry.replicas + left) } : entry,
  );
}

function shareOf(replicaSet: ReplicaSet, deployment: Deployment, allowed: number): number {
  const size = wantedReplicas(replicaSet);
  const before = annotated(replicaSet, MAX_REPLICAS) ?? deployment.status?.replicas ?? 0;
  return before === 0 ? 0 : Math.round((size * allowed) / before) - size;
}

function clampTowardsZero(share: number, left: number): number {
  if (left > 0) return Math.max(0, Math.min(share, left));
  return left < 0 ? Math.min(0, Math.max(share, left)) : 0;
}

function isSaturated(deployment: Deployment, current: ReplicaSet): boolean {
  const replicas = wantedReplicas(deployment);
  return (
    wantedReplicas(current) === replicas &&
    annotated(current, DESIRED_REPLICAS) === replicas &&
    available(current) === replicas
  );
}

/** Of the pods a ReplicaSet is to keep: one just shrunk still reports those it is about to delete. */
function available(replicaSet: ReplicaSet): number {
  return Math.min(replicaSet.status?.availableReplicas ?? 0, wantedReplicas(replicaSet));
}

function resize(resizes: readonly Resize[]): RolloutStep {
  return resizes.length === 0 ? { kind: 'wait' } : { kind: 'resize', resizes };
}

function sumWanted(replicaSets: readonly ReplicaSet[]): number {
  return sumOf(replicaSets, wantedReplicas);
}

export function sumOf(replicaSets: readonly ReplicaSet[], of: (replicaSet: ReplicaSet) => number): number {
  return replicaSets.reduce((sum, replicaSet) => sum + of(replicaSet), 0);
}

function annotated(replicaSet: ReplicaSet, name: string): number | undefined {
  const value = Number(replicaSet.metadata?.annotations?.[name] ?? Number.NaN);
  return Number.isInteger(value) ? value : undefined;
}

function absolute(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value;
  return round((Number.parseFloat(value) * total) / 100);
}

// A Deployment's status and conditions, with the reasons that `kubectl rollout status` goes by.
import type { DeploymentCondition, DeploymentStatus } from 'kubernetes-types/apps/v1.d.ts';
import type { Deployment, ReplicaSet } from '../client/typed-objects.ts';
import { wantedReplicas } from './replica-set-plan.ts';
import { boundsOf, sumOf } from './rollout-plan.ts';

export interface DeploymentStatusInput {
  readonly deployment: Deployment;
  readonly replicaSets: readonly ReplicaSet[];
  readonly current: ReplicaSet | undefined;
  /** The ReplicaSet this look at the Deployment made. */
  readonly created: ReplicaSet | undefined;
  readonly collisionCount: number | undefined;
  readonly now: number;
}

export interface DeploymentStatusResult {
  readonly status: DeploymentStatus;
  /** When time alone changes the status: the progress deadline passes. */
  readonly changesInMs?: number;
}

/** Set by kubectl and the API server when a Deployment says nothing (apps/v1 defaults). */
const DEFAULT_PROGRESS_DEADLINE_SECONDS = 600;
/** Kubernetes' own way to say "no deadline". */
const NO_DEADLINE = 2 ** 31 - 1;

export function deploymentStatus(input: DeploymentStatusInput): DeploymentStatusResult {
  const { deployment, current, collisionCount } = input;
  const all = input.created === undefined ? input.replicaSets : [...input.replicaSets, input.created];
  const availableReplicas = sumOf(all, (replicaSet) => replicaSet.status?.availableReplicas ?? 0);
  const counts = {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas: sumOf(all, (replicaSet) => replicaSet.status?.replicas ?? 0),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sumOf(all, (replicaSet) => replicaSet.status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(0, sumOf(all, wantedReplicas) - availableReplicas),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  const { condition: progressing, changesInMs } = progress(input, counts);
  const conditions = [
    availability(input, availableReplicas),
    ...(progressing === undefined ? [] : [progressing]),
    ...replicaFailure(all),
  ].map((condition) => withTimes(condition, deployment, input.now));
  return { status: { ...counts, conditions }, ...(changesInMs === undefined ? {} : { changesInMs }) };
}

type Judgement = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'> & { refresh?: boolean };

function availability({ deployment }: DeploymentStatusInput, available: number): Judgement {
  const enough = available >= wantedReplicas(deployment) - boundsOf(deployment).maxUnavailable;
  return enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

function progress(
  input: DeploymentStatusInput,
  counts: DeploymentStatus,
): { condition?: Judgement; changesInMs?: number } {
  const { deployment, current, created, now } = input;
  const before = conditionOf(deployment, 'Progressing');
  const judge = (status: string, reason: string, message: string, refresh = false) => ({
    condition: { type: 'Progressing', status, reason, message, refresh },
  });
  if (deployment.spec?.paused === true) return judge('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (before?.reason === 'DeploymentPaused') {
    return judge('Unknown', 'DeploymentResumed', 'Deployment is resumed', true);
  }
  const what =
    current === undefined ? `Deployment "${deployment.metadata?.name}"` : `ReplicaSet "${current.metadata?.name}"`;
  if (created !== undefined) {
    return judge('True', 'NewReplicaSetCreated', `Created new replica set "${created.metadata?.name}"`, true);
  }
  if (isComplete(deployment, counts)) {
    return judge('True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`);
  }
  // A finished rollout that loses a pod is not a new rollout: its condition stands.
  const settled = before?.reason === 'NewReplicaSetAvailable' && counts.replicas === counts.updatedReplicas;
  if (settled) return { condition: before };
  if (before === undefined || hasProgressed(deployment, counts)) {
    const changesInMs = deadlineIn(deployment, now, now);
    return {
      ...judge('True', 'ReplicaSetUpdated', `${what} is progressing.`, true),
      ...(changesInMs === undefined ? {} : { changesInMs }),
    };
  }
  // The clock runs from the first progress of a rollout, not from the end of the one before.
  if (before.reason === 'ProgressDeadlineExceeded' || before.reason === 'NewReplicaSetAvailable') {
    return { condition: before };
  }
  const left = deadlineIn(deployment, Date.parse(before.lastUpdateTime ?? '') || now, now);
  if (left === undefined) return { condition: before };
  if (left > 0) return { condition: before, changesInMs: left };
  return judge('False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`);
}

/** Milliseconds left of the progress deadline that began at `since`; undefined when there is none. */
function deadlineIn(deployment: Deployment, since: number, now: number): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds ?? DEFAULT_PROGRESS_DEADLINE_SECONDS;
  return seconds >= NO_DEADLINE ? undefined : Math.max(0, since + seconds * 1000 - now);
}

function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const replicas = wantedReplicas(deployment);
  return counts.updatedReplicas === replicas && counts.replicas === replicas && counts.availableReplicas === replicas;
}

function hasProgressed(deployment: Deployment, now: DeploymentStatus): boolean {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = deployment.status ?? {};
  const old = (now.replicas ?? 0) - (now.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > updatedReplicas ||
    old < replicas - updatedReplicas ||
    (now.readyReplicas ?? 0) > readyReplicas ||
    (now.availableReplicas ?? 0) > availableReplicas
  );
}

function replicaFailure(replicaSets: readonly ReplicaSet[]): Judgement[] {
  const failure = replicaSets
    .flatMap((replicaSet) => replicaSet.status?.conditions ?? [])
    .find((condition) => condition.type === 'ReplicaFailure' && condition.status === 'True');
  if (failure === undefined) return [];
  return [{ type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' }];
}

/** Transition time changes with the status, update time with the reason or with progress. */
function withTimes(judgement: Judgement, deployment: Deployment, nowMs: number): DeploymentCondition {
  const { refresh = false, type, status, reason, message } = judgement;
  const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const before = conditionOf(deployment, type);
  const condition = {
    type,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
  const sameStatus = before?.status === status;
  const same = sameStatus && before.reason === reason && before.message === message && !refresh;
  return {
    ...condition,
    lastTransitionTime: (sameStatus ? before.lastTransitionTime : undefined) ?? now,
    lastUpdateTime: (same ? before.lastUpdateTime : undefined) ?? now,
  };
}

function conditionOf(deployment: Deployment, type: string): DeploymentCondition | undefined {
  return deployment.status?.conditions?.find((condition) => condition.type === type);
}

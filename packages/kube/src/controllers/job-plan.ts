// What a Job asks for, decided from its pods: how many to make, which to delete, what its status is.
import type { JobCondition, JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type { Job, Pod } from '../client/typed-objects.ts';
import { isActive, isReady } from './pods.ts';

/** Kubernetes' wait after a failed pod: 10 s, doubled with every further one, up to 6 min. */
const BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 360_000;

export interface JobPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
  readonly status: JobStatus;
  /** When to look again though nothing happens; milliseconds from now. */
  readonly againInMs?: number;
}

type Verdict = { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string };

export function isFinished(job: Job): boolean {
  return (job.status?.conditions ?? []).some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

/** For a job that is not finished; `owned` are all of its pods that are still there, `now` in milliseconds. */
export function planJob(job: Job, owned: readonly Pod[], now: number, timestamp: string): JobPlan {
  const { parallelism = 1, completions, suspend = false, activeDeadlineSeconds } = job.spec ?? {};
  const active = owned.filter(isActive);
  const failedPods = owned.filter((pod) => pod.status?.phase === 'Failed');
  // Pods that somebody has deleted since still count.
  const succeeded = Math.max(ended('Succeeded', owned), job.status?.succeeded ?? 0);
  const failed = Math.max(failedPods.length, job.status?.failed ?? 0);
  const startTime = suspend ? undefined : (job.status?.startTime ?? timestamp);
  const deadlineInMs =
    activeDeadlineSeconds === undefined || startTime === undefined
      ? undefined
      : Date.parse(startTime) + activeDeadlineSeconds * 1000 - now;
  const verdict = verdictOn(job, succeeded, failed, active, deadlineInMs);
  const over = verdict !== undefined;
  // Without a number of completions one success is enough, and no pod is started after it.
  const missing = completions === undefined ? (succeeded > 0 ? active.length : parallelism) : completions - succeeded;
  const wanted = over || suspend ? 0 : Math.min(parallelism, missing);
  const waitMs = wanted > active.length ? backoff(failedPods, now) : 0;
  const create = waitMs > 0 ? 0 : Math.max(0, wanted - active.length);
  const againInMs = Math.min(waitMs > 0 ? waitMs : Number.POSITIVE_INFINITY, deadlineInMs ?? Number.POSITIVE_INFINITY);
  return {
    create,
    remove: active.slice(Math.max(0, wanted)),
    status: {
      ...(startTime === undefined ? {} : { startTime }),
      ...(verdict?.type === 'Complete' ? { completionTime: timestamp } : {}),
      active: over ? 0 : active.length,
      ready: over ? 0 : active.filter(isReady).length,
      ...(succeeded === 0 ? {} : { succeeded }),
      ...(failed === 0 ? {} : { failed }),
      ...conditionsOf(job, verdict, suspend, timestamp),
    },
    ...(over || againInMs === Number.POSITIVE_INFINITY ? {} : { againInMs: Math.max(0, againInMs) }),
  };
}

const ended = (phase: string, pods: readonly Pod[]): number => pods.filter((pod) => pod.status?.phase === phase).length;

function verdictOn(
  job: Job,
  succeeded: number,
  failed: number,
  active: readonly Pod[],
  deadlineInMs: number | undefined,
): Verdict | undefined {
  const { completions, backoffLimit = 6, template } = job.spec ?? {};
  if (completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions)
    return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  // Where containers are started again in their pod, the restarts count.
  const restarts =
    template?.spec?.restartPolicy === 'OnFailure' ? active.map(restartsOf).reduce((a, b) => a + b, 0) : 0;
  if (failed > backoffLimit || (restarts > 0 && restarts >= backoffLimit))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if (deadlineInMs !== undefined && deadlineInMs <= 0)
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  return undefined;
}

const restartsOf = (pod: Pod): number =>
  (pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);

/** Milliseconds until the next pod may be made. */
function backoff(failed: readonly Pod[], now: number): number {
  if (failed.length === 0) return 0;
  const last = Math.max(...failed.map(endOf));
  return last + Math.min(BACKOFF_MS * 2 ** (failed.length - 1), MAX_BACKOFF_MS) - now;
}

function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).flatMap(({ state }) => {
    const finished = state?.terminated?.finishedAt;
    return finished === undefined ? [] : [Date.parse(finished)];
  });
  return Math.max(Date.parse(pod.metadata?.creationTimestamp ?? ''), ...ends);
}

function conditionsOf(job: Job, verdict: Verdict | undefined, suspend: boolean, timestamp: string): JobStatus {
  const before = job.status?.conditions ?? [];
  const put = (condition: Pick<JobCondition, 'type' | 'status' | 'reason' | 'message'>): JobCondition[] => {
    const old = before.find(({ type }) => type === condition.type);
    if (old?.status === condition.status) return before;
    const times = { lastProbeTime: timestamp, lastTransitionTime: timestamp };
    return [...before.filter((one) => one !== old), { ...condition, ...times }];
  };
  const wasSuspended = before.some(({ type, status }) => type === 'Suspended' && status === 'True');
  const conditions =
    verdict !== undefined
      ? put({ ...verdict, status: 'True' })
      : suspend
        ? put({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' })
        : wasSuspended
          ? put({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' })
          : before;
  return conditions.length === 0 ? {} : { conditions: [...conditions] };
}

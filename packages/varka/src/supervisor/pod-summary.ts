// A pod in the words of kubectl's table, and why it does not get further.
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { PodStatus } from '../protocol.ts';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** Waiting for these to pass by itself is pointless: somebody has to change something. */
const STUCK = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

function statusesOf(pod: Pod): ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

/** kubectl's STATUS column (printers.go, printPod): the most telling reason, else the phase. */
function reasonOf(pod: Pod): string {
  if (pod.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  for (const { state } of statusesOf(pod)) {
    const reason =
      state?.waiting?.reason ?? (state?.terminated?.exitCode === 0 ? undefined : state?.terminated?.reason);
    if (reason !== undefined && reason !== 'ContainerCreating' && reason !== 'PodInitializing') return reason;
  }
  return pod.status?.reason ?? pod.status?.phase ?? 'Pending';
}

export function summarize(pod: Pod): PodStatus {
  const containers = pod.status?.containerStatuses ?? [];
  const stuck = stuckReason(pod);
  return {
    namespace: pod.metadata?.namespace ?? '',
    name: pod.metadata?.name ?? '',
    ready: `${containers.filter(({ ready }) => ready).length}/${pod.spec?.containers.length ?? 0}`,
    phase: pod.status?.phase ?? 'Pending',
    restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ip: pod.status?.podIP ?? '',
    reason: reasonOf(pod),
    ...(stuck === undefined ? {} : { stuck }),
  };
}

/** `container app: ImagePullBackOff: no program for image …`, when the pod cannot get ready as it is. */
export function stuckReason(pod: Pod): string | undefined {
  for (const { name, state } of statusesOf(pod)) {
    const waiting = state?.waiting;
    if (waiting?.reason !== undefined && STUCK.has(waiting.reason)) {
      return `container ${name}: ${waiting.reason}${waiting.message === undefined ? '' : `: ${waiting.message}`}`;
    }
  }
  return undefined;
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

// What a pod's containers do, as its status in the API says it: pure, field by field what the kubelet writes.
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type {
  ContainerState as ApiState,
  Container,
  ContainerStatus,
  PodCondition,
  PodStatus,
  ResourceRequirements,
} from 'kubernetes-types/core/v1.d.ts';
import type { RestartPolicy } from './restart-backoff.ts';

export interface Terminated {
  readonly kind: 'terminated';
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly containerId: string;
}

export type ContainerState =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly kind: 'running'; readonly startedAt: string; readonly containerId: string }
  | Terminated;

/** All there is to say about one container. */
export interface ContainerReport {
  readonly name: string;
  readonly image: string;
  readonly state: ContainerState;
  readonly last?: Terminated;
  readonly restartCount: number;
  readonly ready: boolean;
  readonly started: boolean;
  /** '' until the image was found. */
  readonly imageId: string;
}

export interface PodReport {
  readonly pod: Pod;
  readonly init: readonly ContainerReport[];
  readonly containers: readonly ContainerReport[];
  readonly podIp?: string;
  readonly hostIp: string;
  readonly startTime: string;
  readonly now: string;
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export function podStatus(report: PodReport): PodStatus {
  const { pod, podIp, hostIp } = report;
  const phase = phaseOf(report);
  const init = report.init.map(containerStatus);
  return {
    phase,
    conditions: conditionsOf(report, phase),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: report.startTime,
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: report.containers.map(containerStatus),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
  };
}

/** Kubernetes: pkg/kubelet getPhase. A container that waits to be restarted counts as stopped, not as waiting. */
function phaseOf({ pod, init, containers }: PodReport): Phase {
  const policy = restartPolicyOf(pod);
  for (const report of init) {
    if (report.state.kind === 'terminated' && report.state.exitCode !== 0 && policy === 'Never') return 'Failed';
  }
  if (!initialized(pod, init)) return 'Pending';
  const stopped = containers.map(endOf);
  if (containers.some(({ state, last }) => state.kind === 'waiting' && last === undefined)) return 'Pending';
  if (containers.some(({ state }) => state.kind === 'running')) return 'Running';
  if (policy === 'Always' && pod.metadata?.deletionTimestamp === undefined) return 'Running';
  const failed = stopped.some((end) => end !== undefined && end.exitCode !== 0);
  if (!failed) return 'Succeeded';
  return policy === 'OnFailure' && pod.metadata?.deletionTimestamp === undefined ? 'Running' : 'Failed';
}

function endOf({ state, last }: ContainerReport): Terminated | undefined {
  return state.kind === 'terminated' ? state : last;
}

/** Init containers one after the other; those that are sidecars (restartPolicy Always) need only have started. */
function initialized(pod: Pod, init: readonly ContainerReport[]): boolean {
  return init.every((report) => initDone(pod, report));
}

function initDone(pod: Pod, report: ContainerReport): boolean {
  const spec = pod.spec?.initContainers?.find(({ name }) => name === report.name);
  if (spec !== undefined && isSidecar(spec)) return report.started;
  return report.state.kind === 'terminated' && report.state.exitCode === 0;
}

/** Kubernetes: "Sidecar containers": an init container with restartPolicy Always. */
export function isSidecar(container: Container): boolean {
  return (container as Container & { restartPolicy?: string }).restartPolicy === 'Always';
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  const policy = pod.spec?.restartPolicy;
  return policy === 'Never' || policy === 'OnFailure' ? policy : 'Always';
}

function conditionsOf(report: PodReport, phase: Phase): PodCondition[] {
  const { pod, init, containers, now, podIp } = report;
  const over = phase === 'Succeeded' || phase === 'Failed';
  const pending = init.filter((container) => !initDone(pod, container)).map(({ name }) => name);
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const sidecars = init.filter(
    (container) => !container.ready && pod.spec?.initContainers?.some((c) => c.name === container.name && isSidecar(c)),
  );
  const notReady = [...sidecars.map(({ name }) => name), ...unready];
  const containersReady: Omit<PodCondition, 'type'> = over
    ? { status: 'False', reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    : notReady.length > 0
      ? {
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${notReady.join(' ')}]`,
        }
      : { status: 'True' };
  const gates = (pod.spec?.readinessGates ?? []).filter(
    ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== 'True',
  );
  const ready: Omit<PodCondition, 'type'> =
    containersReady.status === 'True' && gates.length > 0
      ? {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: gates
            .map(({ conditionType }) => `the status of pod readiness gate "${conditionType}" is not "True"`)
            .join(', '),
        }
      : containersReady;
  const wanted: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: podIp === undefined || over ? 'False' : 'True' },
    pending.length === 0
      ? { type: 'Initialized', status: 'True', ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${pending.join(' ')}]`,
        },
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
    { type: 'PodScheduled', status: 'True' },
  ];
  return mergeConditions(pod.status?.conditions ?? [], wanted, now);
}

/** A condition keeps its transition time while its status stays; conditions of others (readiness gates) are kept. */
export function mergeConditions(
  before: readonly PodCondition[],
  wanted: readonly PodCondition[],
  now: string,
): PodCondition[] {
  const own = wanted.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? now };
  });
  return [...own, ...before.filter(({ type }) => !wanted.some((condition) => condition.type === type))];
}

function containerStatus(report: ContainerReport): ContainerStatus {
  const { name, image, state, last, restartCount, ready, started, imageId } = report;
  const containerId = state.kind === 'waiting' ? last?.containerId : state.containerId;
  return {
    name,
    image,
    imageID: imageId,
    ...(containerId === undefined ? {} : { containerID: containerId }),
    state: apiState(state),
    lastState: last === undefined ? {} : apiState(last),
    restartCount,
    ready,
    started,
  };
}

function apiState(state: ContainerState): ApiState {
  switch (state.kind) {
    case 'waiting':
      return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } };
    case 'running':
      return { running: { startedAt: state.startedAt } };
    case 'terminated': {
      const { kind: _kind, containerId, ...rest } = state;
      return { terminated: { ...rest, containerID: containerId } };
    }
  }
}

/** Kubernetes: "Pod Quality of Service Classes". */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const resources = containers.map((container) => container.resources ?? {});
  const none = (one: ResourceRequirements): boolean =>
    Object.keys(one.limits ?? {}).length === 0 && Object.keys(one.requests ?? {}).length === 0;
  if (resources.every(none)) return 'BestEffort';
  const guaranteed = resources.every(({ limits, requests }) =>
    (['cpu', 'memory'] as const).every(
      (key) => limits?.[key] !== undefined && (requests?.[key] ?? limits[key]) === limits[key],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

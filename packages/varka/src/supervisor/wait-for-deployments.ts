// Waits until Deployments have all their pods, telling how far they are, and names what keeps the others.
import type { Informer } from '@varka/kube/client/informer.ts';
import type { Deployment, Pod } from '@varka/kube/client/typed-objects.ts';
import { isReady, stuckReason } from './pod-summary.ts';

export interface DeploymentName {
  readonly namespace: string;
  readonly name: string;
}

export interface WaitOptions {
  readonly deployments: Pick<Informer<Deployment>, 'get' | 'onEvent'>;
  readonly pods: Pick<Informer<Pod>, 'list' | 'onEvent'>;
  readonly targets: readonly DeploymentName[];
  readonly timeoutMs: number;
  readonly onProgress: (readyPods: number, wantedPods: number) => void;
}

export interface Unavailable extends DeploymentName {
  readonly reason: string;
}

export type WaitResult =
  | { readonly kind: 'available'; readonly pods: number }
  | { readonly kind: 'stuck' | 'timeout'; readonly unavailable: readonly Unavailable[] };

/** As `kubectl rollout status`: the newest template, everywhere, available. */
function isAvailable({ metadata, spec, status }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) >= wanted &&
    (status?.availableReplicas ?? 0) >= wanted
  );
}

function podsOf(deployment: Deployment, pods: readonly Pod[]): Pod[] {
  const wanted = Object.entries(deployment.spec?.selector.matchLabels ?? {});
  return pods.filter(({ metadata }) => {
    if (metadata?.namespace !== deployment.metadata?.namespace || metadata?.deletionTimestamp !== undefined)
      return false;
    return wanted.every(([key, value]) => metadata?.labels?.[key] === value);
  });
}

interface Look {
  readonly ready: number;
  readonly wanted: number;
  /** Not available yet, but nothing says that they will not be. */
  readonly pending: readonly Unavailable[];
  readonly stuck: readonly Unavailable[];
}

function look({ deployments, pods, targets }: WaitOptions): Look {
  let ready = 0;
  let wanted = 0;
  const pending: Unavailable[] = [];
  const stuck: Unavailable[] = [];
  for (const target of targets) {
    const deployment = deployments.get(target.namespace, target.name);
    const replicas = deployment?.spec?.replicas ?? 1;
    wanted += replicas;
    const own = deployment === undefined ? [] : podsOf(deployment, pods.list(target.namespace));
    const readyPods = own.filter(isReady).length;
    ready += Math.min(replicas, readyPods);
    // Right after a restart a Deployment's status still tells of the pods of before; the pods themselves do not.
    if (deployment !== undefined && isAvailable(deployment) && readyPods >= replicas) continue;
    const reason = own.map((pod) => stuckReason(pod)).find((text) => text !== undefined);
    if (reason !== undefined) stuck.push({ ...target, reason });
    else pending.push({ ...target, reason: pendingReason(deployment, own) });
  }
  return { ready, wanted, pending, stuck };
}

function pendingReason(deployment: Deployment | undefined, pods: readonly Pod[]): string {
  if (deployment === undefined) return 'it was deleted';
  if (pods.length > 0) return `${pods.length} pod(s) started, but not ready: their readiness probes have not succeeded`;
  const failure = deployment.status?.conditions?.find(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
  );
  return failure?.message ?? 'it has no pods yet';
}

export function waitForDeployments(options: WaitOptions): Promise<WaitResult> {
  const { deployments, pods, timeoutMs, onProgress } = options;
  return new Promise((resolve) => {
    let current = look(options);
    let scheduled = false;
    const finish = (result: WaitResult) => {
      clearTimeout(timer);
      for (const stop of handlers) stop();
      resolve(result);
    };
    const check = () => {
      scheduled = false;
      current = look(options);
      onProgress(current.ready, current.wanted);
      if (current.pending.length > 0) return;
      finish(
        current.stuck.length === 0
          ? { kind: 'available', pods: current.wanted }
          : { kind: 'stuck', unavailable: current.stuck },
      );
    };
    // Many events arrive at once; one look after them is enough.
    const schedule = () => {
      if (scheduled) return;
      scheduled = true;
      setImmediate(check);
    };
    const timer = setTimeout(
      () => finish({ kind: 'timeout', unavailable: [...current.stuck, ...current.pending] }),
      timeoutMs,
    );
    const handlers = [deployments.onEvent(schedule), pods.onEvent(schedule)];
    schedule();
  });
}

// What comes before a container's process: finding its image, reading its configuration, and trying again until both are
// there. The reasons, events and pauses are the kubelet's.
import { type Clock, sleep } from '@varka/kube/client/clock.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { ContainerConfigError } from '../config/config-error.ts';
import { ImageError } from '../images/image-resolver.ts';
import type { ContainerPlan } from './container-plan.ts';
import { BACKOFF_INITIAL_MS, BACKOFF_MAX_MS, goSeconds } from './restart-backoff.ts';

const CONFIG_RETRY_MS = 1_000;
const CONFIG_RETRY_MAX_MS = 10_000;
/** How long ErrImagePull shows before it turns into ImagePullBackOff. */
const PULL_ERROR_MS = 1_000;

export type EventType = 'Normal' | 'Warning';

/** What preparing needs of the pod. */
export interface PreparationHost {
  readonly clock: Clock;
  /** `onPull` hears that the image is being fetched. Once `stop` has aborted nothing is made any more. */
  plan(container: Container, onPull: () => void, stop: AbortSignal): Promise<ContainerPlan>;
  /** Tells when images that were unknown may be known; answers what takes the listener off again. */
  onImagesChange(listener: () => void): () => void;
  event(type: EventType, reason: string, message: string): void;
}

export interface Preparation {
  readonly host: PreparationHost;
  readonly spec: Container;
  /** Ends it. */
  readonly stop: AbortSignal;
  /** The container waits, for a reason to show. */
  wait(reason: string, message: string): void;
}

/** Undefined when it was stopped before anything could run. */
export async function prepareContainer({ host, spec, stop, wait }: Preparation): Promise<ContainerPlan | undefined> {
  const image = JSON.stringify(spec.image ?? '');
  const pause = (ms: number): Promise<void> => sleepUntilImagesChange(host, ms, stop);
  let pullRetry = BACKOFF_INITIAL_MS;
  let configRetry = CONFIG_RETRY_MS;
  while (!stop.aborted) {
    try {
      const onPull = (): void => host.event('Normal', 'Pulling', `Pulling image ${image}`);
      const plan = await unlessStopped(host.plan(spec, onPull, stop), stop);
      if (plan === undefined) break;
      const took = plan.pulledMs === undefined ? undefined : goSeconds(plan.pulledMs);
      host.event(
        'Normal',
        'Pulled',
        took === undefined
          ? `Container image ${image} already present on machine`
          : `Successfully pulled image ${image} in ${took} (${took} including waiting).`,
      );
      return plan;
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof ImageError && error.reason === 'ErrImagePull') {
        host.event('Warning', 'Failed', `Failed to pull image ${image}: ${message}`);
        host.event('Warning', 'Failed', 'Error: ErrImagePull');
        wait('ErrImagePull', message);
        await pause(PULL_ERROR_MS);
        if (stop.aborted) break;
        host.event('Normal', 'BackOff', `Back-off pulling image ${image}`);
        host.event('Warning', 'Failed', 'Error: ImagePullBackOff');
        wait('ImagePullBackOff', `Back-off pulling image ${image}: ErrImagePull: ${message}`);
        await pause(pullRetry);
        pullRetry = Math.min(pullRetry * 2, BACKOFF_MAX_MS);
      } else {
        const { reason, event, text } = refusal(error as Error);
        host.event('Warning', event, text);
        wait(reason, message);
        await pause(configRetry);
        configRetry = Math.min(configRetry * 2, CONFIG_RETRY_MAX_MS);
      }
    }
  }
  return undefined;
}

/** A pull can take half an hour, which nobody who deletes the pod should have to wait for. */
async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const onStop = (): void => resolve(undefined);
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();
  try {
    return await Promise.race([stopped, work]);
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

function refusal(error: Error): { reason: string; event: string; text: string } {
  const text = `Error: ${error.message}`;
  if (error instanceof ContainerConfigError) return { reason: 'CreateContainerConfigError', event: 'Failed', text };
  if (!(error instanceof ImageError)) return { reason: 'CreateContainerError', event: 'Failed', text };
  const { reason } = error;
  return reason === 'ErrImageNeverPull'
    ? { reason, event: reason, text: error.message }
    : { reason, event: 'InspectFailed', text };
}

async function sleepUntilImagesChange(host: PreparationHost, ms: number, stop: AbortSignal): Promise<void> {
  const changed = new AbortController();
  const off = host.onImagesChange(() => changed.abort());
  await sleep(host.clock, ms, AbortSignal.any([stop, changed.signal]));
  off();
}

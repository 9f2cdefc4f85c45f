// What every controller works with.
import type { DiscoveryClient, KubeClient } from '../client/client.ts';
import type { Clock } from '../client/clock.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { InformerSet } from '../client/informer-set.ts';
import type { Logger } from '../log.ts';

export interface ControllerContext {
  readonly client: KubeClient & DiscoveryClient;
  readonly informers: InformerSet;
  readonly log: Logger;
  readonly clock: Clock;
  /** A draw from [0, 1), for names and jitter. */
  readonly random: () => number;
  /** Events in the name of a component. */
  recorder(component: string): EventRecorder;
}

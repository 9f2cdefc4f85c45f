// Tells people what happened to an object, as v1 Events: what `kubectl describe` and `kubectl get events` show.
import type { KindRef } from '../kinds/kind.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import { Event as EventKind } from '../kinds/refs.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import { systemClock, timestamp } from './clock.ts';
import type { Event } from './typed-objects.ts';

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Who speaks: `kubelet`, `replicaset-controller`. */
  readonly component: string;
  readonly host?: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

interface Occurrence {
  readonly kind: KindRef;
  readonly object: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  count: number;
}

/** Beyond this the oldest are forgotten: their next occurrence makes a new Event. */
const MAX_REMEMBERED = 4096;
/** Events are advice: when the API falls behind they are dropped, not piled up. */
const MAX_PENDING = 1000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Occurrence>();
  readonly #written = new Map<string, Event>();
  #writing: Promise<void> | undefined;
  /** From somewhere at random: recorders that start together must not give their events the same names. */
  #sequence = Math.floor(Math.random() * 1000);

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Records without waiting. The same thing happening again counts up one Event (as client-go's correlator does). */
  event(kind: KindRef, object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const key = JSON.stringify([kind.kind, object.metadata?.uid ?? object.metadata?.name, type, reason, message]);
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      waiting.count += 1;
    } else if (this.#pending.size >= MAX_PENDING) {
      this.#options.log.warn('too many events wait to be written; one is dropped', { reason, message });
    } else {
      this.#pending.set(key, { kind, object, type, reason, message, count: 1 });
    }
    this.#writing ??= this.#write();
  }

  /** Resolves when everything recorded so far is written or given up. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // One at a time: events must not crowd out the work they tell of.
    for (let next = this.#takeFirst(); next !== undefined; next = this.#takeFirst()) {
      const [key, occurrence] = next;
      try {
        this.#remember(key, await this.#store(key, occurrence));
      } catch (error) {
        this.#options.log.debug('an event could not be written', {
          reason: occurrence.reason,
          error: (error as Error).message,
        });
      }
    }
    this.#writing = undefined;
  }

  #takeFirst(): [string, Occurrence] | undefined {
    const first = this.#pending.entries().next();
    if (first.done === true) return undefined;
    this.#pending.delete(first.value[0]);
    return first.value;
  }

  async #store(key: string, occurrence: Occurrence): Promise<Event> {
    const { client } = this.#options;
    const known = this.#written.get(key);
    if (known !== undefined) {
      const patch = { count: (known.count ?? 1) + occurrence.count, lastTimestamp: timestamp(this.#clock) };
      try {
        return await client.patch<Event>(EventKind, known.metadata.name ?? '', known.metadata.namespace, patch);
      } catch (error) {
        // Events expire; this one starts over.
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    return client.create<Event>(EventKind, this.#eventFor(occurrence));
  }

  #remember(key: string, event: Event): void {
    this.#written.delete(key);
    this.#written.set(key, event);
    if (this.#written.size > MAX_REMEMBERED) {
      const oldest = this.#written.keys().next();
      if (oldest.done !== true) this.#written.delete(oldest.value);
    }
  }

  #eventFor({ kind, object, type, reason, message, count }: Occurrence): Event {
    const { component, host } = this.#options;
    const { name = '', namespace, uid, resourceVersion } = object.metadata ?? {};
    const now = this.#clock.now();
    this.#sequence += 1;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      // Unique by time and sequence, like client-go's name.nanoseconds; events of cluster-scoped objects live in default.
      metadata: {
        name: `${name}.${(now * 1000 + (this.#sequence % 1000)).toString(16)}`,
        namespace: namespace ?? 'default',
      },
      involvedObject: {
        apiVersion: apiVersionOf(kind),
        kind: kind.kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type,
      reason,
      message,
      count,
      firstTimestamp: timestamp(this.#clock),
      lastTimestamp: timestamp(this.#clock),
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }
}

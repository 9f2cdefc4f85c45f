// Events are news, not state: Kubernetes forgets them after an hour, and so do we.
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import type { Store } from '../store/store.ts';
import { RevisionConflict } from '../store/store-error.ts';

const LIFETIME_MS = 60 * 60 * 1000;
const SWEEP_MS = 60 * 1000;

/** Removes old events once a minute. Returns what stops it. */
export function expireEvents(store: Store, now: () => Date, log: Logger): () => void {
  const timer = setInterval(() => {
    sweepEvents(store, now()).catch((error: unknown) =>
      log.warn('old events could not be removed', { error: String(error) }),
    );
  }, SWEEP_MS);
  timer.unref();
  return () => clearInterval(timer);
}

export async function sweepEvents(store: Store, now: Date): Promise<void> {
  const old = store.list('events').items.filter((event) => now.getTime() - lastSeen(event) > LIFETIME_MS);
  const removals = old.map((event) => store.remove('events', event, event.metadata?.resourceVersion));
  for (const outcome of await Promise.allSettled(removals)) {
    // Somebody who wrote to the event just now keeps it alive.
    if (outcome.status === 'rejected' && !(outcome.reason instanceof RevisionConflict)) throw outcome.reason;
  }
}

function lastSeen(event: KubeObject): number {
  const times = [event['lastTimestamp'], event['eventTime'], event.metadata?.creationTimestamp];
  return Math.max(0, ...times.map((time) => Date.parse(String(time ?? ''))).filter((time) => !Number.isNaN(time)));
}

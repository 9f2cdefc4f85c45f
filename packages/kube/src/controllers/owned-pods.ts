// Makes and deletes the pods of a workload, with the events that tell of it, and waits until the informer shows them.
import type { KubeClient } from '../client/client.ts';
import type { Clock } from '../client/clock.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { Pod } from '../client/typed-objects.ts';
import type { KindRef } from '../kinds/kind.ts';
import { Pod as PodKind } from '../kinds/refs.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import { keyOf } from './controller.ts';
import { Expectations } from './expectations.ts';

export class OwnedPods {
  readonly #client: KubeClient;
  readonly #kind: KindRef;
  readonly #events: EventRecorder;
  readonly #expectations: Expectations<Pod>;

  /** To be made before the controller follows the informer: what is expected is seen before it is looked at. */
  constructor(client: KubeClient, kind: KindRef, events: EventRecorder, pods: Informer<Pod>, clock: Clock) {
    this.#client = client;
    this.#kind = kind;
    this.#events = events;
    this.#expectations = new Expectations(pods, clock);
  }

  close(): void {
    this.#expectations.close();
  }

  async create(owner: KubeObject, pod: Pod, signal: AbortSignal): Promise<void> {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    await this.#expectations.created(
      keyOf(pod),
      () => this.#client.create(PodKind, pod),
      () => exists(this.#client.get(PodKind, name, namespace)),
      signal,
    );
    this.#events.event(this.#kind, owner, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`);
  }

  async delete(owner: KubeObject, pod: Pod, signal: AbortSignal): Promise<void> {
    const { name = '', namespace, uid = '' } = pod.metadata ?? {};
    await this.#expectations.deleted(
      keyOf(pod),
      async () => {
        // Gone already, or another pod of that name by now: the informer will say so.
        if (!(await exists(this.#client.delete(PodKind, name, namespace, { preconditions: { uid } })))) return;
        this.#events.event(this.#kind, owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
      },
      signal,
    );
  }
}

/** False when the answer is that there is no such object (any more). */
async function exists(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return false;
    throw error;
  }
}

// Writes a pod's status to the API: one write at a time, the latest state only, again when it failed.
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, sleep } from '@varka/kube/client/clock.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import type { PodStatus } from 'kubernetes-types/core/v1.d.ts';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

interface Target {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export class StatusWriter {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #target: Target;
  readonly #stop: AbortSignal;
  readonly #onWritten: (pod: Pod) => void;
  #wanted: PodStatus | undefined;
  #written = '';
  #running: Promise<void> | undefined;

  constructor(options: {
    client: KubeClient;
    clock: Clock;
    log: Logger;
    target: Target;
    stop: AbortSignal;
    onWritten: (pod: Pod) => void;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#target = options.target;
    this.#stop = options.stop;
    this.#onWritten = options.onWritten;
  }

  write(status: PodStatus): void {
    this.#wanted = status;
    this.#running ??= this.#run();
  }

  /** Resolves when what was asked for so far is written, or can never be. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Changes of the same turn of the event loop (a container started, a probe answered) go out as one.
    await Promise.resolve();
    let delay = RETRY_FIRST_MS;
    try {
      while (this.#wanted !== undefined && !this.#stop.aborted) {
        const status = this.#wanted;
        this.#wanted = undefined;
        const text = JSON.stringify(status);
        if (text === this.#written) continue;
        try {
          const { namespace, name, uid } = this.#target;
          // A merge patch, as the kubelet sends: no resourceVersion to conflict on, and the uid guards against writing
          // to a later pod of the same name. null takes off what an earlier status had.
          const patch = { metadata: { uid }, status: { reason: null, message: null, ...status } };
          const stored = await this.#client.patch<Pod>(PodKind, name, namespace, patch, { subresource: 'status' });
          this.#written = text;
          this.#onWritten(stored);
          delay = RETRY_FIRST_MS;
        } catch (error) {
          if (isStatus(error, 'NotFound')) return;
          if (isStatus(error, 'Invalid')) {
            this.#log.error('the API refused a pod’s status', { ...this.#target, error: String(error) });
            continue;
          }
          this.#log.debug('a pod’s status was not written', { ...this.#target, error: String(error) });
          this.#wanted ??= status;
          await sleep(this.#clock, delay, this.#stop);
          delay = Math.min(delay * 2, RETRY_MAX_MS);
        }
      }
    } finally {
      this.#running = undefined;
    }
  }
}

// Runs one controller: informers say which keys changed, and `reconcile` makes the world match what a key asks for.
import type { Clock } from '../client/clock.ts';
import { systemClock } from '../client/clock.ts';
import type { Informer, InformerEvent } from '../client/informer.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import { isStatus, StatusError } from '../status-error.ts';
import { WorkQueue } from './work-queue.ts';

export interface ControllerOptions {
  readonly name: string;
  /** Looks at one key; a returned number is how many milliseconds later to look again. The signal aborts on stop. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #stopping = new AbortController();
  readonly #synced: Promise<void>[] = [];
  readonly #off: (() => void)[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      process: (key) => this.#process(key),
      onFailure: (key, error, retryInMs) => this.#report(key, error, retryInMs),
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
    });
  }

  /** Enqueues the keys an informer's events concern. */
  follow<T extends KubeObject>(informer: Informer<T>, keysOf: (event: InformerEvent<T>) => Iterable<string>): void {
    this.#synced.push(informer.synced);
    this.#off.push(
      informer.onEvent((event) => {
        for (const key of keysOf(event)) this.#queue.add(key);
      }),
    );
  }

  enqueue(key: string): void {
    this.#queue.add(key);
  }

  /** Begins to reconcile once every informer followed has its first list: half a picture leads to wrong deeds. */
  async start(): Promise<void> {
    await Promise.all(this.#synced);
    this.#queue.start();
  }

  /** Resolves when what was under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const off of this.#off.splice(0)) off();
    await this.#queue.stop();
  }

  async #process(key: string): Promise<number | undefined> {
    try {
      return await this.#options.reconcile(key, this.#stopping.signal);
    } catch (error) {
      // Nothing can be made in a namespace on its way out; what is in it goes with it.
      if (isNamespaceTerminating(error)) return undefined;
      throw error;
    }
  }

  #report(key: string, error: unknown, retryInMs: number): void {
    if (this.#stopping.signal.aborted) return;
    // Conflicts are how optimistic concurrency works: somebody else was first, look again.
    const level = isStatus(error, 'Conflict') ? 'debug' : 'warn';
    this.#options.log[level](`${this.#options.name}: could not reconcile ${key}`, {
      error: error instanceof Error ? error.message : String(error),
      retryInMs: Math.round(retryInMs),
    });
  }
}

export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof StatusError)) return false;
  return error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false;
}

/** `namespace/name`, or only the name of what is in no namespace. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash === -1 ? '' : key.slice(0, slash), name: key.slice(slash + 1) };
}

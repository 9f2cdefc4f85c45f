// One informer a kind, shared by all who need it: one copy in memory, one watch on the server.
import type { KindRef } from '../kinds/kind.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { Informer } from './informer.ts';
import { createInformer } from './informer.ts';

export interface InformerSetOptions {
  readonly client: KubeClient;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class InformerSet {
  readonly #options: InformerSetOptions;
  readonly #informers = new Map<string, Informer>();

  constructor(options: InformerSetOptions) {
    this.#options = options;
  }

  /** The informer of a whole kind, started on first use. It belongs to the set: don't stop it, stop the set. */
  informer<T extends KubeObject>(kind: KindRef): Informer<T> {
    const key = keyOf(kind);
    const existing = this.#informers.get(key);
    // A set is asked for one type a kind; the kind is what decides it.
    if (existing !== undefined) return existing as unknown as Informer<T>;
    const { client, ...options } = this.#options;
    const informer = createInformer<T>(client, kind, options);
    this.#informers.set(key, informer as unknown as Informer);
    return informer;
  }

  /** Stops following a kind that is no longer served. Asked for again, it is followed anew. */
  drop(kind: KindRef): void {
    const key = keyOf(kind);
    this.#informers.get(key)?.stop();
    this.#informers.delete(key);
  }

  /** Resolves when every informer asked for so far has its first list. */
  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced));
  }

  stop(): void {
    for (const informer of this.#informers.values()) informer.stop();
    this.#informers.clear();
  }
}

function keyOf(kind: KindRef): string {
  return `${kind.group}/${kind.version}/${kind.plural}`;
}

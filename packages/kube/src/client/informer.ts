// A local copy of a kind, kept current by list and watch (the pattern of client-go's informers).
import type { KindRef } from '../kinds/kind.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import type { KubeClient } from './client.ts';
import type { ReflectorOptions } from './reflector.ts';
import { Reflector } from './reflector.ts';

export type InformerEvent<T extends KubeObject> =
  | { type: 'added'; object: T }
  | { type: 'updated'; object: T; old: T }
  | { type: 'deleted'; object: T };

export interface Informer<T extends KubeObject = KubeObject> {
  /** Resolves after the first complete list has been delivered; rejects when stopped before that. */
  readonly synced: Promise<void>;
  get(namespace: string | undefined, name: string): T | undefined;
  /** All, or those of one namespace. The objects are shared: treat them as read-only. */
  list(namespace?: string): T[];
  /** Called for every change, first with what is already there. Returns what takes the handler off again. */
  onEvent(handler: (event: InformerEvent<T>) => void): () => void;
  stop(): void;
}

export type InformerOptions = ReflectorOptions;

/** Starts following `kind` at once. */
export function createInformer<T extends KubeObject>(
  client: KubeClient,
  kind: KindRef,
  options: InformerOptions,
): Informer<T> {
  const cache = new Cache<T>(kind, options.log);
  const reflector = new Reflector<T>(client, kind, cache, options);
  void reflector.run();
  return {
    synced: cache.synced,
    get: (namespace, name) => cache.get(namespace, name),
    list: (namespace) => cache.list(namespace),
    onEvent: (handler) => cache.onEvent(handler),
    stop: () => {
      reflector.stop();
      cache.close();
    },
  };
}

type Handler<T extends KubeObject> = (event: InformerEvent<T>) => void;

/** The copy itself: turns what the reflector says into differences, and tells the handlers. */
class Cache<T extends KubeObject> {
  readonly #kind: KindRef;
  readonly #log: Logger;
  /** Namespace ('' for cluster-scoped kinds) → name → object. */
  readonly #objects = new Map<string, Map<string, T>>();
  readonly #handlers = new Set<Handler<T>>();
  readonly #synced = Promise.withResolvers<void>();

  constructor(kind: KindRef, log: Logger) {
    this.#kind = kind;
    this.#log = log;
    // Whoever waits sees the rejection; when nobody waits it must not end the process.
    this.#synced.promise.catch((error: Error) => log.debug(error.message));
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(namespace ?? '')?.get(name);
  }

  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#objects.get(namespace)?.values() ?? [])];
    return [...this.#objects.values()].flatMap((byName) => [...byName.values()]);
  }

  onEvent(handler: Handler<T>): () => void {
    for (const object of this.list()) this.#call(handler, { type: 'added', object });
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  replace(objects: readonly T[]): void {
    const present = new Set(objects.map((object) => keyOf(object)));
    for (const object of this.list()) {
      if (!present.has(keyOf(object))) this.remove(object);
    }
    for (const object of objects) this.upsert(object);
    this.#synced.resolve();
  }

  upsert(object: T): void {
    const old = this.get(object.metadata?.namespace, object.metadata?.name ?? '');
    if (old === undefined) {
      this.#put(object);
      this.#tell({ type: 'added', object });
      return;
    }
    const before = old.metadata;
    const now = object.metadata;
    if (before?.uid !== now?.uid) {
      // Deleted and made again while we were not looking: to anyone who goes by uid these are two objects.
      this.remove(old);
      this.#put(object);
      this.#tell({ type: 'added', object });
      return;
    }
    if (before?.resourceVersion !== undefined && before.resourceVersion === now?.resourceVersion) return;
    this.#put(object);
    this.#tell({ type: 'updated', object, old });
  }

  remove(object: T): void {
    const { namespace = '', name = '' } = object.metadata ?? {};
    const byName = this.#objects.get(namespace);
    if (byName === undefined || !byName.delete(name)) return;
    if (byName.size === 0) this.#objects.delete(namespace);
    this.#tell({ type: 'deleted', object });
  }

  close(): void {
    this.#handlers.clear();
    this.#synced.reject(new Error(`the informer of ${this.#kind.plural} was stopped before its first list`));
  }

  #put(object: T): void {
    const { namespace = '', name = '' } = object.metadata ?? {};
    const byName = this.#objects.get(namespace);
    if (byName === undefined) this.#objects.set(namespace, new Map([[name, object]]));
    else byName.set(name, object);
  }

  #tell(event: InformerEvent<T>): void {
    // A copy: a handler put on while this event goes round has already been shown the object.
    for (const handler of [...this.#handlers]) {
      if (this.#handlers.has(handler)) this.#call(handler, event);
    }
  }

  #call(handler: Handler<T>, event: InformerEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      // One consumer's mistake must not keep the news from the others.
      this.#log.error(`a handler of ${this.#kind.plural} failed`, {
        event: event.type,
        object: keyOf(event.object),
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

// A Kubernetes API in memory, as much of it as the node agent speaks to.
import { randomUUID } from 'node:crypto';
import { EventEmitter, on } from 'node:events';
import type { DeleteOptions, KubeClient, ListOptions, PatchOptions } from '@varka/kube/client/client.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import type { KubeList, KubeObject, WatchEvent } from '@varka/kube/object.ts';
import { StatusError } from '@varka/kube/status-error.ts';

type Stored = KubeObject & { metadata: NonNullable<KubeObject['metadata']> };

export class FakeKube implements KubeClient {
  readonly #objects = new Map<string, Stored>();
  readonly #changes = new EventEmitter().setMaxListeners(100);
  readonly #history: { revision: number; plural: string; event: WatchEvent }[] = [];
  #revision = 0;
  /** When set, every call fails with it. */
  failure: Error | undefined;

  async get<T extends KubeObject>(kind: KindRef, name: string, namespace?: string): Promise<T> {
    return structuredClone(this.#find(kind, name, namespace)) as unknown as T;
  }

  async list<T extends KubeObject>(kind: KindRef, options: ListOptions = {}): Promise<KubeList<T>> {
    this.#check();
    const items = [...this.#objects]
      .filter(([key]) => key.startsWith(`${kind.plural}/`))
      .map(([, object]) => object)
      .filter(({ metadata }) => options.namespace === undefined || metadata.namespace === options.namespace);
    return { metadata: { resourceVersion: String(this.#revision) }, items: structuredClone(items) as unknown as T[] };
  }

  async create<T extends KubeObject>(kind: KindRef, object: T, subresource?: string): Promise<T> {
    this.#check();
    const { name = '', namespace } = object.metadata ?? {};
    if (subresource === 'binding') {
      const pod = this.#find(kind, name, namespace);
      const spec = { ...(pod['spec'] as object), nodeName: (object['target'] as { name: string }).name };
      this.#store(kind, { ...pod, spec }, 'MODIFIED');
      return object;
    }
    const key = keyOf(kind, name, namespace);
    if (this.#objects.has(key)) throw StatusError.alreadyExists(kind, name);
    const metadata = { ...object.metadata, uid: randomUUID(), creationTimestamp: new Date().toISOString() };
    return this.#store(kind, { ...object, metadata }, 'ADDED') as unknown as T;
  }

  async update<T extends KubeObject>(kind: KindRef, object: T): Promise<T> {
    const { name = '', namespace } = object.metadata ?? {};
    const before = this.#find(kind, name, namespace);
    return this.#store(
      kind,
      { ...object, metadata: { ...object.metadata, uid: before.metadata.uid ?? '' } },
      'MODIFIED',
    ) as unknown as T;
  }

  async patch<T extends KubeObject>(
    kind: KindRef,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    _options?: PatchOptions,
  ): Promise<T> {
    const before = this.#find(kind, name, namespace);
    const uid = (patch as KubeObject).metadata?.uid;
    if (uid !== undefined && uid !== before.metadata.uid) throw StatusError.conflict(kind, name);
    return this.#store(kind, mergePatch(before, patch) as Stored, 'MODIFIED') as unknown as T;
  }

  async delete(kind: KindRef, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    const object = this.#find(kind, name, namespace);
    const uid = options.preconditions?.uid;
    if (uid !== undefined && uid !== object.metadata.uid) throw StatusError.conflict(kind, name);
    const spec = object['spec'] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
    const grace = options.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;
    if (kind.kind === 'Pod' && spec?.nodeName !== undefined && grace > 0) {
      const metadata = {
        ...object.metadata,
        deletionTimestamp: new Date().toISOString(),
        deletionGracePeriodSeconds: grace,
      };
      this.#store(kind, { ...object, metadata }, 'MODIFIED');
      return;
    }
    this.#objects.delete(keyOf(kind, name, namespace));
    this.#tell(kind, { type: 'DELETED', object: { ...object, metadata: this.#stamp(object.metadata) } });
  }

  async *watch<T extends KubeObject>(
    kind: KindRef,
    options: ListOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const after = Number(options.resourceVersion ?? 0);
    try {
      const live = on(this.#changes, kind.plural, { signal });
      const missed = this.#history.filter(({ plural, revision }) => plural === kind.plural && revision > after);
      for (const { event } of missed) yield structuredClone(event) as WatchEvent<T>;
      for await (const [event] of live) yield event as WatchEvent<T>;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  #find(kind: KindRef, name: string, namespace: string | undefined): Stored {
    this.#check();
    const found = this.#objects.get(keyOf(kind, name, namespace));
    if (found === undefined) throw StatusError.notFound(kind, name);
    return found;
  }

  #stamp(metadata: Stored['metadata']): Stored['metadata'] {
    this.#revision += 1;
    return { ...metadata, resourceVersion: String(this.#revision) };
  }

  #store(kind: KindRef, object: KubeObject, type: 'ADDED' | 'MODIFIED'): Stored {
    const stored: Stored = { ...structuredClone(object), metadata: this.#stamp(object.metadata ?? {}) };
    this.#objects.set(keyOf(kind, stored.metadata.name ?? '', stored.metadata.namespace), stored);
    this.#tell(kind, { type, object: stored });
    return structuredClone(stored);
  }

  #tell(kind: KindRef, event: WatchEvent): void {
    this.#history.push({ revision: this.#revision, plural: kind.plural, event: structuredClone(event) });
    this.#changes.emit(kind.plural, structuredClone(event));
  }
}

function keyOf(kind: KindRef, name: string, namespace: string | undefined): string {
  return `${kind.plural}/${kind.namespaced ? (namespace ?? 'default') : ''}/${name}`;
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(typeof target === 'object' && !Array.isArray(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

// A Kubernetes API in memory, as far as installing and reconciling need one: create, get, merge patch, and watchers.
import type { KubeClient, PatchOptions } from '@varka/kube/client/client.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import { type FakeInformer, fakeInformer } from './fake-informer.ts';

export interface FakeApi {
  readonly client: KubeClient;
  /** Every call so far that changed something, `PATCH routes/istio-system/x`. */
  readonly writes: string[];
  informer(kind: KindRef): Informer;
  object(kind: KindRef, name: string, namespace?: string): KubeObject | undefined;
  put(kind: KindRef, object: KubeObject): void;
  remove(kind: KindRef, name: string, namespace?: string): void;
}

export function fakeApi(): FakeApi {
  const stores = new Map<string, FakeInformer<KubeObject>>();
  const writes: string[] = [];
  let revision = 0;

  const store = (kind: KindRef): FakeInformer<KubeObject> => {
    const found = stores.get(kind.plural) ?? fakeInformer<KubeObject>();
    stores.set(kind.plural, found);
    return found;
  };
  const put = (kind: KindRef, object: KubeObject): KubeObject => {
    revision += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    store(kind).set(stored);
    return stored;
  };
  const existing = (kind: KindRef, name: string, namespace?: string): KubeObject => {
    const found = store(kind).get(namespace, name);
    if (found === undefined) throw StatusError.notFound(kind, name);
    return found;
  };
  const unused = (): never => {
    throw new Error('the fake API does not do that');
  };

  const client: KubeClient = {
    async get<T extends KubeObject>(kind: KindRef, name: string, namespace?: string) {
      return existing(kind, name, namespace) as T;
    },
    async create<T extends KubeObject>(kind: KindRef, object: T) {
      const { name = '', namespace } = object.metadata ?? {};
      if (store(kind).get(namespace, name) !== undefined) throw StatusError.alreadyExists(kind, name);
      writes.push(`POST ${kind.plural}/${name}`);
      return put(kind, object) as T;
    },
    async patch<T extends KubeObject>(
      kind: KindRef,
      name: string,
      namespace: string | undefined,
      patch: unknown,
      options?: PatchOptions,
    ) {
      const old = existing(kind, name, namespace);
      const { status, ...rest } = patch as KubeObject;
      const effective = options?.subresource === 'status' ? { status } : rest;
      const merged = merge(old, effective) as KubeObject;
      writes.push(`PATCH ${kind.plural}/${name}${options?.subresource ? `/${options.subresource}` : ''}`);
      // As in Kubernetes, a patch that changes nothing makes no new revision and no event.
      if (JSON.stringify(merged) === JSON.stringify(old)) return old as T;
      return put(kind, merged) as T;
    },
    async list<T extends KubeObject>(kind: KindRef) {
      return { metadata: { resourceVersion: String(revision) }, items: store(kind).list() as T[] };
    },
    update: unused,
    delete: unused,
    watch: unused,
  };

  return {
    client,
    writes,
    informer: store,
    object: (kind, name, namespace) => store(kind).get(namespace, name),
    put,
    remove: (kind, name, namespace) => store(kind).remove(existing(kind, name, namespace)),
  };
}

/** RFC 7386, section 2. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (value !== undefined) result[name] = merge(result[name], value);
  }
  return result;
}

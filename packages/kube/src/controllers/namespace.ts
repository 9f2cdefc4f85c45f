// The namespace controller: gives each namespace its default service account, and empties those on their way out.
import type { DiscoveredKind } from '../client/client.ts';
import type { Informer, InformerEvent } from '../client/informer.ts';
import type { ConfigMap, Namespace, ServiceAccount } from '../client/typed-objects.ts';
import type { KindRef } from '../kinds/kind.ts';
import {
  ConfigMap as ConfigMapKind,
  Namespace as NamespaceKind,
  ServiceAccount as ServiceAccountKind,
} from '../kinds/refs.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller } from './controller.ts';

const FINALIZER = 'kubernetes';
const DEFAULT_SERVICE_ACCOUNT = 'default';
/** Where a pod finds the authority that signed the API server's certificate. */
const ROOT_CA = 'kube-root-ca.crt';
/** What is left is looked at again when any of it goes, and after this long for what nobody tells of. */
const RECHECK_MS = 1_000;

export class NamespaceController {
  readonly #context: ControllerContext;
  readonly #rootCa: string | undefined;
  readonly #namespaces: Informer<Namespace>;
  readonly #accounts: Informer<ServiceAccount>;
  readonly #configMaps: Informer<ConfigMap>;
  readonly #controller: Controller;

  constructor(context: ControllerContext, rootCa: string | undefined) {
    this.#context = context;
    this.#rootCa = rootCa;
    this.#namespaces = context.informers.informer<Namespace>(NamespaceKind);
    this.#accounts = context.informers.informer<ServiceAccount>(ServiceAccountKind);
    this.#configMaps = context.informers.informer<ConfigMap>(ConfigMapKind);
    this.#controller = new Controller({
      ...context,
      name: 'namespace-controller',
      reconcile: (name) => this.#reconcile(name),
    });
    this.#controller.follow(this.#namespaces, ({ type, object }) =>
      type === 'deleted' ? [] : [object.metadata?.name ?? ''],
    );
    const restored = ({ object }: InformerEvent<KubeObject>) =>
      [DEFAULT_SERVICE_ACCOUNT, ROOT_CA].includes(object.metadata?.name ?? '')
        ? [object.metadata?.namespace ?? '']
        : [];
    this.#controller.follow(this.#accounts, restored);
    this.#controller.follow(this.#configMaps, restored);
  }

  /** What a ResourceMonitor calls: a namespace on its way out may be empty now. */
  readonly handle = (_kind: DiscoveredKind, { type, object }: InformerEvent<KubeObject>): void => {
    const { namespace } = object.metadata ?? {};
    if (type !== 'deleted' || namespace === undefined) return;
    if (this.#namespaces.get(undefined, namespace)?.metadata?.deletionTimestamp !== undefined) {
      this.#controller.enqueue(namespace);
    }
  };

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #reconcile(name: string): Promise<number | undefined> {
    const namespace = this.#namespaces.get(undefined, name);
    if (namespace === undefined) return undefined;
    if (namespace.metadata?.deletionTimestamp === undefined) {
      await this.#furnish(name);
      return undefined;
    }
    if (!(namespace.spec?.finalizers ?? []).includes(FINALIZER)) return undefined;
    // Twice: what goes at once is gone at the second look.
    const empty = (await this.#removeContent(name)) === 0 || (await this.#removeContent(name)) === 0;
    if (!empty) return RECHECK_MS;
    await this.#finalize(name);
    return undefined;
  }

  async #furnish(namespace: string): Promise<void> {
    if (this.#accounts.get(namespace, DEFAULT_SERVICE_ACCOUNT) === undefined) {
      await this.#create(ServiceAccountKind, { metadata: { namespace, name: DEFAULT_SERVICE_ACCOUNT } });
    }
    if (this.#rootCa === undefined) return;
    const data = { 'ca.crt': this.#rootCa };
    const published = this.#configMaps.get(namespace, ROOT_CA);
    if (published === undefined) {
      await this.#create(ConfigMapKind, { metadata: { namespace, name: ROOT_CA }, data });
    } else if (published.data?.['ca.crt'] !== this.#rootCa) {
      await this.#context.client.update(ConfigMapKind, { ...published, data });
    }
  }

  async #create(kind: KindRef, object: KubeObject): Promise<void> {
    try {
      await this.#context.client.create(kind, object);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }

  /** Deletes what a namespace holds, of every kind the API serves. Returns how many objects there were. */
  async #removeContent(namespace: string): Promise<number> {
    const { client } = this.#context;
    const kinds = (await client.discover()).filter(
      (kind) => kind.namespaced && kind.verbs.includes('list') && kind.verbs.includes('delete'),
    );
    const counts = await Promise.all(
      kinds.map(async (kind) => {
        const { items } = await client.list<KubeObject>(kind, { namespace });
        const staying = items.filter((item) => item.metadata?.deletionTimestamp === undefined);
        await Promise.all(staying.map((item) => this.#remove(kind, item)));
        return items.length;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #remove(kind: KindRef, { metadata }: KubeObject): Promise<void> {
    try {
      await this.#context.client.delete(kind, metadata?.name ?? '', metadata?.namespace, {
        propagationPolicy: 'Background',
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  /** Kubernetes docs, "Namespaces: automatic deletion": without its finalizer the API server lets the namespace go. */
  async #finalize(name: string): Promise<void> {
    const { client } = this.#context;
    try {
      const live = await client.get<Namespace>(NamespaceKind, name);
      const finalizers = (live.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      await client.update(NamespaceKind, { ...live, spec: { ...live.spec, finalizers } }, 'finalize');
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }
}

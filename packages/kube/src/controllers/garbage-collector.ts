// The garbage collector: deletes what has lost all its owners, and sees foreground and orphan deletions through.
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { DiscoveredKind } from '../client/client.ts';
import type { InformerEvent } from '../client/informer.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller } from './controller.ts';
import { releasePatch } from './owners.ts';
import { FOREGROUND, type GraphNode, judge, ORPHAN, type OwnerState, OwnershipGraph } from './ownership-graph.ts';
import type { ResourceMonitor } from './resource-monitor.ts';

export class GarbageCollector {
  readonly #context: ControllerContext;
  readonly #graph = new OwnershipGraph();
  /** Keys are uids. */
  readonly #controller: Controller;
  #kinds: Pick<ResourceMonitor, 'kindOf'> | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#controller = new Controller({
      ...context,
      name: 'garbage-collector',
      reconcile: (uid) => this.#reconcile(uid),
    });
  }

  /** What a ResourceMonitor calls for every change of every kind. */
  readonly handle = (kind: DiscoveredKind, event: InformerEvent<KubeObject>): void => {
    const uid = event.object.metadata?.uid ?? '';
    if (event.type === 'deleted') {
      const dependents = this.#graph.dependentsOf(uid);
      const node = this.#graph.remove(uid);
      for (const dependent of dependents) this.#controller.enqueue(dependent.uid);
      // An owner may be waiting for this one to be gone.
      for (const owner of node?.owners ?? []) {
        if (this.#graph.get(owner.uid)?.foreground === true) this.#controller.enqueue(owner.uid);
      }
      return;
    }
    const node = this.#graph.put(kind, event.object);
    if (node.owners.length > 0 || node.foreground || node.orphaning) this.#controller.enqueue(uid);
  };

  /** Begins once the monitor has seen everything: before that, any owner might merely not have been listed yet. */
  start(kinds: Pick<ResourceMonitor, 'kindOf'>): Promise<void> {
    this.#kinds = kinds;
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #reconcile(uid: string): Promise<undefined> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (node.foreground || node.orphaning) {
      await this.#finish(node);
      return;
    }
    if (node.owners.every((owner) => this.#knownState(node, owner) === 'present')) return;
    const live = await this.#live(node);
    if (live === undefined) return;
    const owners = live.metadata?.ownerReferences ?? [];
    const states: [OwnerReference, OwnerState][] = [];
    for (const owner of owners) states.push([owner, await this.#stateOf(node, owner)]);
    const verdict = judge(live, states, this.#graph.dependentsOf(uid).length > 0);
    if (verdict.kind === 'unreference') {
      await this.#patch(
        node,
        releasePatch(live, (owner) => verdict.uids.has(owner.uid)),
      );
    } else if (verdict.kind === 'delete') {
      const { uid, resourceVersion = '' } = live.metadata as { uid: string; resourceVersion?: string };
      // With the resourceVersion: an owner added this moment keeps the object.
      await this.#context.client
        .delete(node.kind, node.name, node.namespace, {
          propagationPolicy: verdict.propagationPolicy,
          preconditions: { uid, resourceVersion },
        })
        .catch(unlessGone);
      this.#context.log.debug(`garbage-collector: deleted ${node.kind.plural} ${node.namespace ?? ''}/${node.name}`);
    }
  }

  /** Does what an object on its way out waits for, and takes its finalizer off when that is done. */
  async #finish(node: GraphNode): Promise<void> {
    const dependents = this.#graph.dependentsOf(node.uid);
    if (node.orphaning) {
      for (const dependent of dependents) {
        const live = await this.#live(dependent);
        if (live !== undefined)
          await this.#patch(
            dependent,
            releasePatch(live, (owner) => owner.uid === node.uid),
          );
      }
      await this.#removeFinalizer(node, ORPHAN);
      return;
    }
    const blocking = dependents.filter((dependent) =>
      dependent.owners.some((owner) => owner.uid === node.uid && owner.blockOwnerDeletion === true),
    );
    for (const dependent of dependents) this.#controller.enqueue(dependent.uid);
    if (blocking.length === 0) await this.#removeFinalizer(node, FOREGROUND);
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const live = await this.#live(node);
    const finalizers = live?.metadata?.finalizers;
    if (live === undefined || finalizers === undefined || !finalizers.includes(finalizer)) return;
    const { uid, resourceVersion } = live.metadata ?? {};
    await this.#patch(node, {
      metadata: { uid, resourceVersion, finalizers: finalizers.filter((name) => name !== finalizer) },
    });
  }

  /** What the graph says of an owner; undefined when it does not know it. */
  #knownState(node: GraphNode, owner: OwnerReference): OwnerState | undefined {
    const known = this.#graph.get(owner.uid);
    if (known === undefined) return undefined;
    // An owner in another namespace is none (Kubernetes docs: "Owners and Dependents").
    if (known.namespace !== undefined && known.namespace !== node.namespace) return 'absent';
    return known.foreground ? 'waiting' : 'present';
  }

  async #stateOf(node: GraphNode, owner: OwnerReference): Promise<OwnerState> {
    const known = this.#knownState(node, owner);
    if (known !== undefined) return known;
    const kind = this.#kinds?.kindOf(owner.apiVersion, owner.kind);
    if (kind === undefined) {
      throw new Error(
        `the owner ${owner.apiVersion} ${owner.kind} "${owner.name}" is of a kind this API does not serve`,
      );
    }
    try {
      const namespace = kind.namespaced ? node.namespace : undefined;
      const live = await this.#context.client.get<KubeObject>(kind, owner.name, namespace);
      return live.metadata?.uid === owner.uid ? 'present' : 'absent';
    } catch (error) {
      if (isStatus(error, 'NotFound')) return 'absent';
      throw error;
    }
  }

  async #live(node: GraphNode): Promise<KubeObject | undefined> {
    try {
      const live = await this.#context.client.get<KubeObject>(node.kind, node.name, node.namespace);
      return live.metadata?.uid === node.uid ? live : undefined;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #patch(node: GraphNode, patch: object): Promise<void> {
    await this.#context.client.patch(node.kind, node.name, node.namespace, patch).catch(unlessGone);
  }
}

function unlessGone(error: unknown): void {
  if (!isStatus(error, 'NotFound')) throw error;
}

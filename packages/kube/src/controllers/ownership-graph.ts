// Who depends on whom, over all kinds, by uid: the garbage collector's memory.
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { KindRef } from '../kinds/kind.ts';
import type { KubeObject } from '../object.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export interface GraphNode {
  readonly uid: string;
  readonly kind: KindRef;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly owners: readonly OwnerReference[];
  /** On its way out, and waiting for its dependents to go first. */
  readonly foreground: boolean;
  /** On its way out, and its dependents are to be let go first. */
  readonly orphaning: boolean;
}

export class OwnershipGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((dependent) => this.#nodes.get(dependent) as GraphNode);
  }

  put(kind: KindRef, object: KubeObject): GraphNode {
    const node = nodeFor(kind, object);
    this.remove(node.uid);
    this.#nodes.set(node.uid, node);
    for (const owner of node.owners) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents === undefined) this.#dependents.set(owner.uid, new Set([node.uid]));
      else dependents.add(node.uid);
    }
    return node;
  }

  remove(uid: string): GraphNode | undefined {
    const node = this.#nodes.get(uid);
    if (node === undefined) return undefined;
    this.#nodes.delete(uid);
    for (const owner of node.owners) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
    return node;
  }
}

export function nodeFor(kind: KindRef, object: KubeObject): GraphNode {
  const { uid = '', name = '', namespace, ownerReferences, finalizers, deletionTimestamp } = object.metadata ?? {};
  const going = deletionTimestamp !== undefined;
  return {
    uid,
    kind,
    name,
    namespace,
    owners: ownerReferences ?? [],
    foreground: going && (finalizers?.includes(FOREGROUND) ?? false),
    orphaning: going && (finalizers?.includes(ORPHAN) ?? false),
  };
}

/** What is known of one owner of an object. */
export type OwnerState = 'present' | 'waiting' | 'absent';

export type Verdict =
  | { readonly kind: 'keep' }
  /** Some owners are left: only the references to the others go. */
  | { readonly kind: 'unreference'; readonly uids: ReadonlySet<string> }
  | { readonly kind: 'delete'; readonly propagationPolicy: 'Foreground' | 'Background' | 'Orphan' };

/** Kubernetes docs, "Garbage Collection": an object goes when none of its owners is left. */
export function judge(
  object: KubeObject,
  states: readonly (readonly [OwnerReference, OwnerState])[],
  hasDependents: boolean,
): Verdict {
  const gone = states.filter(([, state]) => state !== 'present').map(([owner]) => owner.uid);
  if (gone.length === 0) return { kind: 'keep' };
  if (gone.length < states.length) return { kind: 'unreference', uids: new Set(gone) };
  if (object.metadata?.deletionTimestamp !== undefined) return { kind: 'keep' };
  // An owner that waits for its dependents must also wait for theirs.
  if (hasDependents && states.some(([, state]) => state === 'waiting')) {
    return { kind: 'delete', propagationPolicy: 'Foreground' };
  }
  const finalizers = object.metadata?.finalizers ?? [];
  if (finalizers.includes(ORPHAN)) return { kind: 'delete', propagationPolicy: 'Orphan' };
  if (finalizers.includes(FOREGROUND)) return { kind: 'delete', propagationPolicy: 'Foreground' };
  return { kind: 'delete', propagationPolicy: 'Background' };
}

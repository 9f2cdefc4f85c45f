// Who owns what (meta/v1 OwnerReference). An object has any number of owners and at most one controller.
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { KindRef } from '../kinds/kind.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import type { KubeObject } from '../object.ts';

export function controllerRefOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((reference) => reference.controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  const uid = owner.metadata?.uid;
  return uid !== undefined && controllerRefOf(object)?.uid === uid;
}

/** The reference that makes `owner` the controller of what carries it. */
export function controllerRef(kind: KindRef, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name: owner.metadata?.name ?? '',
    uid: owner.metadata?.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claim<T> {
  /** Ours already, and still selected. */
  readonly owned: T[];
  /** Nobody's, and selected: to be made ours. */
  readonly adopt: T[];
  /** Ours, and no longer selected: to be let go. */
  readonly release: T[];
}

/**
 * Sorts candidates by whether `owner` has a right to them. Only what has no controller can be adopted: where selectors
 * overlap, the controller reference decides, never the labels (Kubernetes docs: "ReplicaSet: Non-Template Pod
 * acquisitions").
 */
export function claim<T extends KubeObject>(
  owner: KubeObject,
  candidates: readonly T[],
  selects: (labels: Record<string, string> | undefined) => boolean,
): Claim<T> {
  const result: Claim<T> = { owned: [], adopt: [], release: [] };
  const ownerGoing = owner.metadata?.deletionTimestamp !== undefined;
  for (const candidate of candidates) {
    const selected = selects(candidate.metadata?.labels);
    const controller = controllerRefOf(candidate);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata?.uid) continue;
      if (selected) result.owned.push(candidate);
      else if (!ownerGoing) result.release.push(candidate);
    } else if (selected && !ownerGoing && candidate.metadata?.deletionTimestamp === undefined) {
      result.adopt.push(candidate);
    }
  }
  return result;
}

/** Merge patch that adds `reference`; the uid makes the server refuse when the object is another one by now. */
export function adoptionPatch(object: KubeObject, reference: OwnerReference): object {
  const ownerReferences = [...(object.metadata?.ownerReferences ?? []), reference];
  return {
    metadata: { uid: object.metadata?.uid, resourceVersion: object.metadata?.resourceVersion, ownerReferences },
  };
}

/** Merge patch that takes away the references `drop` picks. */
export function releasePatch(object: KubeObject, drop: (reference: OwnerReference) => boolean): object {
  const ownerReferences = (object.metadata?.ownerReferences ?? []).filter((reference) => !drop(reference));
  return {
    metadata: {
      uid: object.metadata?.uid,
      resourceVersion: object.metadata?.resourceVersion,
      ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
    },
  };
}

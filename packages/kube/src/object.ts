// The shape every Kubernetes object shares, whatever its kind.
import type { ObjectMeta as K8sObjectMeta } from 'kubernetes-types/meta/v1.d.ts';

export type ObjectMeta = K8sObjectMeta;

/** Any API object. `spec`, `status` and the rest are as its kind says; typed kinds narrow this. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  [field: string]: unknown;
}

/** A list answer: `metadata.resourceVersion` is where a watch may go on. */
export interface KubeList<T extends KubeObject = KubeObject> {
  apiVersion?: string;
  kind?: string;
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

export type WatchEvent<T extends KubeObject = KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: Status };

/** meta/v1 Status: what the API answers when there is no object to answer with. */
export interface Status {
  apiVersion: 'v1';
  kind: 'Status';
  metadata: Record<string, unknown>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  code?: number;
}

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

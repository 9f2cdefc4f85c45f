// What the rest of Varka may ask of a Kubernetes API, ours or a real cluster's.
import type { KindRef } from '../kinds/kind.ts';
import type { KubeList, KubeObject, WatchEvent } from '../object.ts';

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  limit?: number;
  continue?: string;
}

export interface WatchOptions extends ListOptions {
  /** Asks the server for BOOKMARK events, so that a quiet watch still knows a recent resourceVersion. */
  allowWatchBookmarks?: boolean;
  /** How long the server keeps the watch open. */
  timeoutSeconds?: number;
}

export interface PatchOptions {
  /** Content type of the patch; merge (RFC 7386) unless told. */
  type?: 'merge' | 'strategic' | 'json';
  subresource?: string;
  fieldManager?: string;
}

export interface DeleteOptions {
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** Every call rejects with a `StatusError` (see status-error.ts) when the API answers with a failure Status. */
export interface KubeClient {
  get<T extends KubeObject>(kind: KindRef, name: string, namespace?: string): Promise<T>;
  list<T extends KubeObject>(kind: KindRef, options?: ListOptions): Promise<KubeList<T>>;
  /** With a subresource (`binding`, `eviction`), posts to that of the object named by `metadata.name`. */
  create<T extends KubeObject>(kind: KindRef, object: T, subresource?: string): Promise<T>;
  /** Replaces; `metadata.resourceVersion`, when set, must still be the stored one (409 Conflict otherwise). */
  update<T extends KubeObject>(kind: KindRef, object: T, subresource?: 'status' | 'finalize'): Promise<T>;
  patch<T extends KubeObject>(
    kind: KindRef,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    options?: PatchOptions,
  ): Promise<T>;
  delete(kind: KindRef, name: string, namespace?: string, options?: DeleteOptions): Promise<void>;
  /** Events after `resourceVersion`, until the signal aborts or the server ends the watch (then the iteration ends). */
  watch<T extends KubeObject>(kind: KindRef, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
}

/** A kind as the API's discovery describes it. */
export interface DiscoveredKind extends KindRef {
  readonly verbs: readonly string[];
}

export interface DiscoveryClient {
  /** Every kind the API serves, in its group's preferred version; subresources left out. */
  discover(): Promise<DiscoveredKind[]>;
}

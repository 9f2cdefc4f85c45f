// A local copy of a kind, kept current by list and watch (the pattern of client-go's informers).
import type { KubeObject } from '../object.ts';

export type InformerEvent<T extends KubeObject> =
  | { type: 'added'; object: T }
  | { type: 'updated'; object: T; old: T }
  | { type: 'deleted'; object: T };

export interface Informer<T extends KubeObject = KubeObject> {
  /** Resolves after the first complete list has been delivered. */
  readonly synced: Promise<void>;
  get(namespace: string | undefined, name: string): T | undefined;
  /** All, or those of one namespace. The objects are shared: treat them as read-only. */
  list(namespace?: string): T[];
  /** Called for every change, first with what is already there. Returns what takes the handler off again. */
  onEvent(handler: (event: InformerEvent<T>) => void): () => void;
  stop(): void;
}

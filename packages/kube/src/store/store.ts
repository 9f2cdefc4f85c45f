// The revisioned object store: memory for reading, SQLite for keeping, a bounded history for watching.
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import { Database, type RowChange } from './database.ts';
import { RevisionCompacted, RevisionConflict, StoreCorruptError, StoreError } from './store-error.ts';

/** One committed change. `previous` is what was there before; objects are shared and must not be changed. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: string;
  readonly revision: number;
  /** For DELETED the last state, with the revision of the deletion as its resourceVersion. */
  readonly object: KubeObject;
  readonly previous?: KubeObject;
}

/** A change as the history keeps it. */
interface Kept extends StoreEvent {
  readonly bytes: number;
}

export interface StoreOptions {
  readonly path: string;
  readonly log: Logger;
  /** Changes kept for watches and consistent lists; fewer when they are large. */
  readonly historySize?: number;
  /** The file's limit; writes beyond it fail as on a full disk. */
  readonly maxBytes?: number;
}

export interface Snapshot {
  readonly revision: number;
  readonly items: readonly KubeObject[];
}

type Listener = (event: StoreEvent) => void;

/** What a write expects to find: nothing, anything, or the object at one revision. */
type Expectation = 'absent' | 'present' | { readonly revision: string };

interface PendingWrite {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly expect: Expectation;
  /** Undefined removes. */
  readonly object: KubeObject | undefined;
  resolve(object: KubeObject): void;
  reject(error: Error): void;
}

const DEFAULT_HISTORY = 10_000;
/** What the kept changes may be together, as JSON: ten thousand changes of a large object would fill the memory. */
const HISTORY_BYTES = 32 * 1024 * 1024;
const DEFAULT_MAX_BYTES = 1024 ** 3;

export class Store {
  readonly path: string;
  readonly #database: Database;
  readonly #log: Logger;
  readonly #historySize: number;
  /** resource → `namespace/name` → object. */
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #history: Kept[] = [];
  #historyBytes = 0;
  /** Watches may start at this revision or later. */
  #oldest: number;
  #revision: number;
  #queue: PendingWrite[] = [];
  /** What the last write failed with, when it did. */
  #failure: string | undefined;
  #closed = false;

  private constructor(database: Database, options: StoreOptions) {
    this.path = options.path;
    this.#database = database;
    this.#log = options.log;
    this.#historySize = options.historySize ?? DEFAULT_HISTORY;
    this.#revision = database.revision();
    this.#oldest = this.#revision;
    for (const row of database.rows()) {
      this.#bucket(row.resource).set(
        `${row.namespace}/${row.name}`,
        parse(options.path, row.resource, row.name, row.value),
      );
    }
  }

  /** Throws a StoreError that says what is wrong with the file. */
  static open(options: StoreOptions): Store {
    const database = Database.open(options.path, options.maxBytes ?? DEFAULT_MAX_BYTES);
    try {
      return new Store(database, options);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The newest committed revision. */
  get revision(): number {
    return this.#revision;
  }

  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(resource)?.get(`${namespace ?? ''}/${name}`);
  }

  /** In the order of namespace and name, as the API lists. */
  list(resource: string, namespace?: string): Snapshot {
    return { revision: this.#revision, items: inOrder(this.#objects.get(resource) ?? new Map(), namespace) };
  }

  /** The list as it was at a revision; throws RevisionCompacted when that is too long ago. */
  listAt(resource: string, revision: number, namespace?: string): Snapshot {
    if (revision >= this.#revision) return this.list(resource, namespace);
    if (revision < this.#oldest) throw new RevisionCompacted(this.#oldest);
    const state = new Map(this.#objects.get(resource));
    for (const event of this.#history.toReversed()) {
      if (event.revision <= revision) break;
      if (event.resource !== resource) continue;
      const key = keyOf(event.object);
      if (event.previous === undefined) state.delete(key);
      else state.set(key, event.previous);
    }
    return { revision, items: inOrder(state, namespace) };
  }

  /** Resolves with the stored object once it is on the disk; rejects with RevisionConflict or a StoreError. */
  create(resource: string, object: KubeObject): Promise<KubeObject> {
    return this.#write(resource, object, 'absent', object);
  }

  /** Replaces the object if it is still at `expectedRevision`. */
  replace(resource: string, object: KubeObject, expectedRevision: string): Promise<KubeObject> {
    return this.#write(resource, object, { revision: expectedRevision }, object);
  }

  /** Removes the object, if it is still at `expectedRevision` when that is given. Resolves with its last state. */
  remove(resource: string, object: KubeObject, expectedRevision?: string): Promise<KubeObject> {
    return this.#write(
      resource,
      object,
      expectedRevision === undefined ? 'present' : { revision: expectedRevision },
      undefined,
    );
  }

  /**
   * Every change of the resource after `fromRevision`, then those to come, in order and each once.
   * Throws RevisionCompacted when the history does not reach back. Returns what ends the watch.
   */
  watch(resource: string, fromRevision: number, listener: Listener): () => void {
    if (fromRevision < this.#oldest) throw new RevisionCompacted(this.#oldest);
    const missed = this.#history.filter((event) => event.revision > fromRevision && event.resource === resource);
    const listeners = this.#listeners.get(resource) ?? new Set();
    this.#listeners.set(resource, listeners);
    listeners.add(listener);
    for (const event of missed) listener(event);
    return () => listeners.delete(listener);
  }

  /** Writes what is waiting, then closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#database.close();
  }

  #write(
    resource: string,
    target: KubeObject,
    expect: Expectation,
    object: KubeObject | undefined,
  ): Promise<KubeObject> {
    if (this.#closed) return Promise.reject(new StoreError('closed', this.path, `the store ${this.path} is closed`));
    return new Promise((resolve, reject) => {
      // Group commit: all writes of one turn of the event loop share one transaction, and so one fsync.
      if (this.#queue.length === 0) setImmediate(() => this.#flush());
      const { namespace = '', name = '' } = target.metadata ?? {};
      this.#queue.push({ resource, namespace, name, expect, object, resolve, reject });
    });
  }

  #flush(): void {
    const batch = this.#queue;
    this.#queue = [];
    if (batch.length === 0) return;
    const changes: RowChange[] = [];
    const events: Kept[] = [];
    const accepted: { write: PendingWrite; result: KubeObject }[] = [];
    const overlay = new Map<string, KubeObject | undefined>();
    let revision = this.#revision;
    for (const write of batch) {
      const key = `${write.resource} ${write.namespace}/${write.name}`;
      const current = overlay.has(key) ? overlay.get(key) : this.get(write.resource, write.namespace, write.name);
      const conflict = conflictOf(write.expect, current);
      if (conflict !== undefined) {
        write.reject(conflict);
        continue;
      }
      revision += 1;
      const last = write.object ?? (current as KubeObject);
      const result = { ...last, metadata: { ...last.metadata, resourceVersion: String(revision) } };
      const row = { resource: write.resource, namespace: write.namespace, name: write.name, revision };
      const value = JSON.stringify(result);
      changes.push(write.object === undefined ? { kind: 'remove', row } : { kind: 'put', row: { ...row, value } });
      overlay.set(key, write.object === undefined ? undefined : result);
      events.push({
        type: write.object === undefined ? 'DELETED' : current === undefined ? 'ADDED' : 'MODIFIED',
        resource: write.resource,
        revision,
        object: result,
        ...(current === undefined ? {} : { previous: current }),
        bytes: value.length,
      });
      accepted.push({ write, result });
    }
    if (changes.length === 0) return;
    try {
      this.#database.apply(changes, revision);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      // Everybody tries again while the disk is full: it is told once, and each writer gets the error.
      const level = this.#failure === failure.message ? 'debug' : 'error';
      this.#failure = failure.message;
      this.#log[level]('the store could not write', {
        path: this.path,
        writes: changes.length,
        error: failure.message,
      });
      for (const { write } of accepted) write.reject(failure);
      return;
    }
    if (this.#failure !== undefined) this.#log.info('the store can write again', { path: this.path });
    this.#failure = undefined;
    this.#publish(events, revision);
    for (const { write, result } of accepted) write.resolve(result);
  }

  #publish(events: readonly Kept[], revision: number): void {
    for (const event of events) {
      const bucket = this.#bucket(event.resource);
      if (event.type === 'DELETED') bucket.delete(keyOf(event.object));
      else bucket.set(keyOf(event.object), event.object);
    }
    this.#revision = revision;
    this.#remember(events);
    for (const event of events) {
      for (const listener of this.#listeners.get(event.resource) ?? []) {
        try {
          listener(event);
        } catch (error) {
          // One watcher's mistake must neither stop the others nor undo a committed write.
          this.#log.error('a watcher of the store failed', { resource: event.resource, error: String(error) });
        }
      }
    }
  }

  #remember(events: readonly Kept[]): void {
    for (const event of events) {
      this.#history.push(event);
      this.#historyBytes += event.bytes;
    }
    // Many at a time: all that stays is moved.
    if (this.#history.length <= this.#historySize * 2 && this.#historyBytes <= HISTORY_BYTES * 2) return;
    let count = 0;
    for (const { bytes, revision } of this.#history) {
      if (this.#history.length - count <= this.#historySize && this.#historyBytes <= HISTORY_BYTES) break;
      count += 1;
      this.#historyBytes -= bytes;
      this.#oldest = revision;
    }
    this.#history.splice(0, count);
  }

  #bucket(resource: string): Map<string, KubeObject> {
    const bucket = this.#objects.get(resource) ?? new Map<string, KubeObject>();
    this.#objects.set(resource, bucket);
    return bucket;
  }
}

function conflictOf(expect: Expectation, current: KubeObject | undefined): RevisionConflict | undefined {
  if (expect === 'absent') return current === undefined ? undefined : new RevisionConflict('present');
  if (current === undefined) return new RevisionConflict('absent');
  if (expect === 'present' || current.metadata?.resourceVersion === expect.revision) return undefined;
  return new RevisionConflict('changed');
}

const keyOf = (object: KubeObject): string => `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;

function inOrder(objects: ReadonlyMap<string, KubeObject>, namespace: string | undefined): KubeObject[] {
  const wanted =
    namespace === undefined ? [...objects] : [...objects].filter(([key]) => key.startsWith(`${namespace}/`));
  return wanted.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)).map(([, object]) => object);
}

function parse(path: string, resource: string, name: string, value: string): KubeObject {
  try {
    return JSON.parse(value) as KubeObject;
  } catch (error) {
    throw new StoreCorruptError(path, `the row of ${resource} "${name}" is not JSON`, { cause: error });
  }
}

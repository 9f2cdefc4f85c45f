// Keeps telling a sink what an API holds of one kind: a paged list, then a watch from there, for ever.
import type { KindRef } from '../kinds/kind.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import type { Logger } from '../log.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import { sleep, systemClock } from './clock.ts';
import { WatchDecodeError } from './watch-decoder.ts';

export interface ReflectorSink<T extends KubeObject> {
  /** Everything there is; what the sink has beyond it is gone. */
  replace(objects: readonly T[]): void;
  upsert(object: T): void;
  remove(object: T): void;
}

export interface ReflectorOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** A draw from [0, 1), for jitter. */
  readonly random?: () => number;
  readonly pageSize?: number;
}

const PAGE_SIZE = 500;
const BACKOFF_INITIAL_MS = 100;
const BACKOFF_MAX_MS = 15_000;
/** The server ends each watch after 5 to 10 minutes, spread so that a cluster's clients do not come back together. */
const WATCH_SECONDS = 300;
/** A watch that outlives its timeout by this much is talking to nobody. */
const WATCH_OVERTIME_MS = 30_000;
/** A watch that the server ends sooner than this, and without an event, counts as a failure. */
const WATCH_TOO_SHORT_MS = 1_000;

export class Reflector<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #kind: KindRef;
  readonly #sink: ReflectorSink<T>;
  readonly #options: ReflectorOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  /** Where the next watch starts; undefined when only a new list can tell. */
  #resourceVersion: string | undefined;
  #lastFailure: string | undefined;

  constructor(client: KubeClient, kind: KindRef, sink: ReflectorSink<T>, options: ReflectorOptions) {
    this.#client = client;
    this.#kind = kind;
    this.#sink = sink;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ initialMs: BACKOFF_INITIAL_MS, maxMs: BACKOFF_MAX_MS, random: this.#random });
  }

  /** Runs until stopped. Never rejects: every failure is logged and tried again. */
  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const delay = await this.#round();
      if (delay > 0) await sleep(this.#clock, delay, this.#stopping.signal);
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** One list (when needed) and one watch. Returns how long to wait before the next. */
  async #round(): Promise<number> {
    const progress = { events: 0, watchingSince: this.#clock.now() };
    try {
      if (this.#resourceVersion === undefined) await this.#list();
      progress.watchingSince = this.#clock.now();
      await this.#watch(progress);
      const fruitful = progress.events > 0 || this.#clock.now() - progress.watchingSince >= WATCH_TOO_SHORT_MS;
      if (fruitful) this.#recovered();
      return fruitful ? 0 : this.#backoff.next();
    } catch (error) {
      if (this.#stopping.signal.aborted) return 0;
      const expired = error instanceof StatusError && error.code === 410;
      // What a watch said wrongly may be wrong again at the same place: only a new list gets past it.
      if (expired || error instanceof WatchErrorEvent || error instanceof WatchDecodeError) {
        this.#resourceVersion = undefined;
      }
      if (expired && progress.events > 0) return 0;
      this.#failed(error as Error);
      return this.#backoff.next();
    }
  }

  async #list(): Promise<void> {
    const selection = this.#selection();
    const limit = this.#options.pageSize ?? PAGE_SIZE;
    let page = await this.#client.list<T>(this.#kind, { ...selection, limit });
    // Later pages may be as of a later revision. Watching from the first page's misses nothing and repeats a little.
    let resourceVersion = page.metadata.resourceVersion;
    let objects = page.items;
    while (page.metadata.continue !== undefined && page.metadata.continue !== '') {
      try {
        page = await this.#client.list<T>(this.#kind, { ...selection, limit, continue: page.metadata.continue });
        objects = objects.concat(page.items);
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== 410) throw error;
        // The snapshot behind the pages was compacted away while we read: take it all in one piece.
        page = await this.#client.list<T>(this.#kind, selection);
        resourceVersion = page.metadata.resourceVersion;
        objects = page.items;
      }
    }
    if (this.#stopping.signal.aborted) return;
    if (resourceVersion === undefined || resourceVersion === '') {
      throw new WatchDecodeError('the list has no metadata.resourceVersion to watch from');
    }
    for (const object of objects) checkIdentity(object);
    this.#sink.replace(objects);
    this.#resourceVersion = resourceVersion;
  }

  async #watch(progress: { events: number }): Promise<void> {
    const timeoutSeconds = WATCH_SECONDS + Math.floor(this.#random() * WATCH_SECONDS);
    const overtime = new AbortController();
    const timer = this.#clock.after(timeoutSeconds * 1000 + WATCH_OVERTIME_MS, () => overtime.abort());
    try {
      const events = this.#client.watch<T>(
        this.#kind,
        {
          ...this.#selection(),
          ...(this.#resourceVersion === undefined ? {} : { resourceVersion: this.#resourceVersion }),
          allowWatchBookmarks: true,
          timeoutSeconds,
        },
        AbortSignal.any([this.#stopping.signal, overtime.signal]),
      );
      for await (const event of events) {
        if (this.#stopping.signal.aborted) return;
        if (event.type === 'ERROR') throw errorEvent(event.object);
        const version = event.object.metadata?.resourceVersion;
        if (version === undefined) throw new WatchDecodeError(`a ${event.type} event has no metadata.resourceVersion`);
        if (event.type !== 'BOOKMARK') {
          checkIdentity(event.object);
          event.object.apiVersion ??= apiVersionOf(this.#kind);
          event.object.kind ??= this.#kind.kind;
          if (event.type === 'DELETED') this.#sink.remove(event.object);
          else this.#sink.upsert(event.object);
        }
        this.#resourceVersion = version;
        progress.events += 1;
        if (progress.events === 1) this.#recovered();
      }
      if (overtime.signal.aborted)
        throw new Error(`the watch outlived its ${timeoutSeconds} s: the connection is dead`);
    } finally {
      timer.cancel();
    }
  }

  #selection() {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  #failed(error: Error): void {
    // The same failure again and again is told once; its end is told too.
    const again = this.#lastFailure === error.message;
    this.#lastFailure = error.message;
    this.#options.log[again ? 'debug' : 'warn'](`cannot follow ${this.#kind.plural}; trying again`, {
      error: error.message,
    });
  }

  #recovered(): void {
    this.#backoff.reset();
    if (this.#lastFailure !== undefined) this.#options.log.info(`following ${this.#kind.plural} again`);
    this.#lastFailure = undefined;
  }
}

class WatchErrorEvent extends Error {}

function errorEvent(status: unknown): Error {
  const { code, message, reason } = status as { code?: number; message?: string; reason?: string };
  if (code === 410) return StatusError.expired(message ?? 'the resourceVersion is too old');
  return new WatchErrorEvent(`the watch reported ${reason ?? 'an error'}: ${message ?? 'no message'}`);
}

function checkIdentity(object: KubeObject): void {
  if (typeof object.metadata?.name !== 'string') throw new WatchDecodeError('an object has no metadata.name');
}

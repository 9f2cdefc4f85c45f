// Waiting until an informer has caught up with a write of ours: acting again before would make everything twice.
import type { Clock } from '../client/clock.ts';
import { sleep } from '../client/clock.ts';
import type { Informer } from '../client/informer.ts';
import type { KubeObject } from '../object.ts';
import { keyOf } from './controller.ts';

/** How often it is asked whether an object that does not show up was deleted again before the informer could see it. */
const DOUBT_AFTER_MS = 5_000;

export class Expectations<T extends KubeObject> {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, () => void>();
  readonly #off: () => void;

  constructor(informer: Informer<T>, clock: Clock) {
    this.#clock = clock;
    this.#off = informer.onEvent(({ type, object }) => {
      this.#seen(`create ${keyOf(object)}`);
      if (type === 'deleted' || object.metadata?.deletionTimestamp !== undefined) this.#seen(`delete ${keyOf(object)}`);
    });
  }

  /**
   * Does `create`, and resolves when the informer has shown the object, or `stillThere` says it is gone again, or the
   * signal aborts.
   */
  async created(
    key: string,
    create: () => Promise<unknown>,
    stillThere: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#expect(`create ${key}`, create, stillThere, signal);
  }

  /** Does `remove`, and resolves when the informer has shown the object deleted or on its way out. */
  async deleted(key: string, remove: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    // What is in the informer's copy now must leave it sometime: there is nothing to doubt.
    await this.#expect(`delete ${key}`, remove, () => Promise.resolve(true), signal);
  }

  close(): void {
    this.#off();
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }

  async #expect(
    what: string,
    write: () => Promise<unknown>,
    doubt: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> {
    const observed = Promise.withResolvers<void>();
    const done = new AbortController();
    // Before the write: its event may be here before its answer.
    this.#waiting.set(what, () => {
      observed.resolve();
      done.abort();
    });
    const until = AbortSignal.any([signal, done.signal]);
    const abort = () => observed.resolve();
    signal.addEventListener('abort', abort);
    try {
      await write();
      const doubting = this.#doubt(doubt, until, observed.resolve);
      await Promise.race([observed.promise, doubting]);
      await observed.promise;
    } finally {
      this.#waiting.delete(what);
      signal.removeEventListener('abort', abort);
      done.abort();
    }
  }

  async #doubt(stillThere: () => Promise<boolean>, until: AbortSignal, giveUp: () => void): Promise<void> {
    for (;;) {
      await sleep(this.#clock, DOUBT_AFTER_MS, until);
      if (until.aborted) return;
      if (!(await stillThere())) giveUp();
    }
  }

  #seen(what: string): void {
    this.#waiting.get(what)?.();
    this.#waiting.delete(what);
  }
}

// Keys that need looking at: each once, one look at a time per key, failures again after a growing wait.
import { Backoff } from '../client/backoff.ts';
import type { Clock, Timer } from '../client/clock.ts';

export interface WorkQueueOptions {
  /** What is done for a key. A rejection puts the key back after a wait; a number of milliseconds after that long. */
  readonly process: (key: string) => Promise<number | undefined>;
  readonly onFailure: (key: string, error: unknown, retryInMs: number) => void;
  readonly clock: Clock;
  readonly random: () => number;
  /** Keys looked at side by side. */
  readonly workers?: number;
}

const RETRY_INITIAL_MS = 5;
const RETRY_MAX_MS = 30_000;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting for a worker, oldest first. */
  readonly #ready = new Set<string>();
  /** With a worker now. */
  readonly #busy = new Map<string, Promise<void>>();
  /** Added again while with a worker: looked at once more after it. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { at: number; timer: Timer }>();
  readonly #backoffs = new Map<string, Backoff>();
  #state: 'holding' | 'running' | 'stopped' = 'holding';
  #pumping = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys may be added from the beginning; they are worked on from here on. */
  start(): void {
    if (this.#state !== 'holding') return;
    this.#state = 'running';
    this.#pump();
  }

  add(key: string): void {
    if (this.#state === 'stopped') return;
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
    if (this.#busy.has(key)) this.#again.add(key);
    else this.#ready.add(key);
    this.#pump();
  }

  /** The earliest of several delays counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#state === 'stopped') return;
    const at = this.#options.clock.now() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.at <= at) return;
    waiting?.timer.cancel();
    this.#delayed.set(key, { at, timer: this.#options.clock.after(delayMs, () => this.add(key)) });
  }

  /** Takes nothing more up, and resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    await Promise.all(this.#busy.values());
  }

  #pump(): void {
    if (this.#pumping || this.#state !== 'running') return;
    this.#pumping = true;
    // After the current run of events: ten changes of one object in a row are one look.
    queueMicrotask(() => {
      this.#pumping = false;
      if (this.#state !== 'running') return;
      for (const key of this.#ready) {
        if (this.#busy.size >= (this.#options.workers ?? 4)) return;
        this.#ready.delete(key);
        this.#busy.set(key, this.#work(key));
      }
    });
  }

  async #work(key: string): Promise<void> {
    try {
      const againInMs = await this.#options.process(key);
      this.#backoffs.delete(key);
      if (againInMs !== undefined) this.addAfter(key, againInMs);
    } catch (error) {
      const backoff = this.#backoffs.get(key) ?? this.#newBackoff(key);
      const delayMs = backoff.next();
      this.#options.onFailure(key, error, delayMs);
      this.addAfter(key, delayMs);
    } finally {
      this.#busy.delete(key);
      if (this.#again.delete(key)) this.add(key);
      this.#pump();
    }
  }

  #newBackoff(key: string): Backoff {
    const { random } = this.#options;
    const backoff = new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS, random });
    this.#backoffs.set(key, backoff);
    return backoff;
  }
}

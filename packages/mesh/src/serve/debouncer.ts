// Turns a burst of changes into one action: soon after the last of them, later while they pour in, never too late.
import type { Clock, Timer } from '@varka/kube/client/clock.ts';

export interface DebounceOptions {
  /** Quiet time after which to act. A person's single change waits no longer than this. */
  readonly quietMs: number;
  /** Quiet time once a burst has grown past `stormEvents`. */
  readonly stormQuietMs: number;
  readonly stormEvents: number;
  /** Longest time from the first change of a burst. */
  readonly maxMs: number;
}

export const DEFAULT_DEBOUNCE: DebounceOptions = { quietMs: 10, stormQuietMs: 100, stormEvents: 50, maxMs: 1000 };

/** What one action answers. */
export interface Burst {
  readonly events: number;
  /** When its first event came, on the clock given. */
  readonly startedAt: number;
}

export class Debouncer {
  readonly #clock: Clock;
  readonly #options: DebounceOptions;
  readonly #act: (burst: Burst) => void;
  #events = 0;
  #startedAt = 0;
  #lastAt = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, options: DebounceOptions, act: (burst: Burst) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#act = act;
  }

  /** Something has changed. */
  event(): void {
    this.#lastAt = this.#clock.now();
    if (this.#events === 0) this.#startedAt = this.#lastAt;
    this.#events += 1;
    // The timer is not moved for each event: when it fires, it looks whether it is time.
    if (this.#timer === undefined) this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #dueAt(): number {
    const { quietMs, stormQuietMs, stormEvents, maxMs } = this.#options;
    const quiet = this.#events > stormEvents ? stormQuietMs : quietMs;
    return Math.min(this.#lastAt + quiet, this.#startedAt + maxMs);
  }

  #arm(): void {
    this.#timer = this.#clock.after(Math.max(0, this.#dueAt() - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    if (this.#clock.now() < this.#dueAt()) {
      this.#arm();
      return;
    }
    const burst = { events: this.#events, startedAt: this.#startedAt };
    this.#events = 0;
    this.#timer = undefined;
    this.#act(burst);
  }
}

// Exponential backoff with a ceiling and jitter, so that many clients of one failing server do not retry in step.

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** A draw from [0, 1). */
  readonly random: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The wait before the next try: between half of and the whole of initial·2^failures, at most `maxMs`. */
  next(): number {
    const { initialMs, maxMs, random } = this.#options;
    const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return ceiling / 2 + (random() * ceiling) / 2;
  }

  reset(): void {
    this.#failures = 0;
  }
}

// Host names of STRICT_DNS and LOGICAL_DNS clusters: looked up again and again, the last answer kept when one fails.
import { lookup } from 'node:dns/promises';
import type { DnsFamily } from './cluster-spec.ts';

/** Every address of a name; rejects when it has none. Passed in, so that tests need no name server. */
export type Resolve = (name: string, family: DnsFamily) => Promise<readonly string[]>;

/** By the system's resolver, which knows /etc/hosts and the search domains. */
export const systemResolve: Resolve = async (name, family) => {
  const answers = await lookup(name, { all: true, family: family === 'v4' ? 4 : family === 'v6' ? 6 : 0 });
  return answers.map((answer) => answer.address);
};

export interface ResolvedName {
  readonly name: string;
  /** undefined until the first success. */
  readonly addresses: readonly string[] | undefined;
}

/** Keeps one name resolved until stopped. */
export class NameWatch {
  readonly #timers: { readonly refreshMs: number; readonly failureRefreshMs: number };
  readonly #resolve: () => Promise<readonly string[]>;
  readonly #onAnswer: (addresses: readonly string[] | undefined, error: Error | undefined) => void;
  #timer: NodeJS.Timeout | undefined = undefined;
  #stopped = false;

  /** `onAnswer` gets the addresses, or the error; it is called once for each look-up. */
  constructor(
    resolve: () => Promise<readonly string[]>,
    timers: { readonly refreshMs: number; readonly failureRefreshMs: number },
    onAnswer: (addresses: readonly string[] | undefined, error: Error | undefined) => void,
  ) {
    this.#resolve = resolve;
    this.#timers = timers;
    this.#onAnswer = onAnswer;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    let wait = this.#timers.refreshMs;
    try {
      const addresses = await this.#resolve();
      if (!this.#stopped) this.#onAnswer(addresses, undefined);
    } catch (error) {
      wait = this.#timers.failureRefreshMs;
      if (!this.#stopped) this.#onAnswer(undefined, error as Error);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#look(), wait);
    // A process with nothing else to do must not be kept alive by its look-ups.
    this.#timer.unref();
  }
}

// Trying again, as programs must whose database or broker may start after them.
import { setTimeout } from 'node:timers/promises';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

/** 0.1 s before the first retry, twice as long before each further one, and never over 10 s. */
export function delayMs(retry: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (retry - 1), LONGEST_DELAY_MS);
}

/** Runs `action` until it succeeds, up to `retries` times more; then throws its last error. */
export async function withRetries<T>(
  retries: number,
  action: () => Promise<T>,
  failed: (error: unknown, retry: number) => void,
): Promise<T> {
  for (let retry = 1; ; retry++) {
    try {
      return await action();
    } catch (error) {
      if (retry > retries) throw error;
      failed(error, retry);
      await setTimeout(delayMs(retry));
    }
  }
}

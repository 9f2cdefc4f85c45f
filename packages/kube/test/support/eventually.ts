// Waiting for something to become true, with an end: tests neither sleep nor hang.
import { setTimeout as pause } from 'node:timers/promises';

/** Returns the first value of `probe` that is neither undefined nor false; fails after `withinMs` with the last error. */
export async function eventually<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  withinMs = 5_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let last: unknown = 'never true';
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}: ${String(last)}`);
    await pause(5);
  }
}

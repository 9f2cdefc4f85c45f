// Delays for setTimeout, which takes what is over 2^31-1 ms (25 days) for one millisecond.

const LONGEST_MS = 2 ** 31 - 1;

export function timerDelay(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST_MS);
}

// How far a count of random choices may stray before it is evidence of a wrong share.

/** ln(n!) for 0..n. */
function logFactorials(n: number): Float64Array {
  const table = new Float64Array(n + 1);
  for (let i = 1; i <= n; i++) table[i] = (table[i - 1] ?? 0) + Math.log(i);
  return table;
}

/**
 * The narrowest [low, high] such that a Binomial(n, p) count falls below low, or above high, each with probability at
 * most `alpha / 2`. Exact: the distribution is summed, not approximated.
 */
export function binomialBounds(n: number, p: number, alpha: number): { low: number; high: number } {
  const factorials = logFactorials(n);
  const at = (index: number) => factorials[index] ?? 0;
  const probability = (k: number) => Math.exp(at(n) - at(k) - at(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p));
  let low = 0;
  for (let tail = probability(0); tail <= alpha / 2; tail += probability(low)) low++;
  let high = n;
  for (let tail = probability(n); tail <= alpha / 2; tail += probability(high)) high--;
  return { low, high };
}

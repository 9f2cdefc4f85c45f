// Counts and histograms of durations and sizes, with fortio's buckets and percentiles.
import { formatG } from './go-format.ts';

export class Counter {
  count = 0;
  min = 0;
  max = 0;
  sum = 0;
  #sumOfSquares = 0;

  record(value: number): void {
    if (this.count === 0 || value < this.min) this.min = value;
    if (this.count === 0 || value > this.max) this.max = value;
    this.count += 1;
    this.sum += value;
    this.#sumOfSquares += value * value;
  }

  merge(other: Counter): void {
    if (other.count === 0) return;
    this.min = this.count === 0 ? other.min : Math.min(this.min, other.min);
    this.max = this.count === 0 ? other.max : Math.max(this.max, other.max);
    this.count += other.count;
    this.sum += other.sum;
    this.#sumOfSquares += other.#sumOfSquares;
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** Of all that was counted, not of a sample. */
  get deviation(): number {
    if (this.count === 0) return 0;
    // Rounding may make a tiny negative number of nothing.
    return Math.sqrt(Math.max(0, this.#sumOfSquares / this.count - this.average ** 2));
  }

  line(title: string): string {
    const g = formatG;
    return `${title} : count ${this.count} avg ${g(this.average, 8)} +/- ${g(this.deviation, 4)} min ${g(this.min)} max ${g(this.max)} sum ${g(this.sum, 9)}`;
  }
}

/** Upper ends, to be multiplied by the resolution; the first takes what is not above 0, a last one what is above all. */
const BOUNDS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100, 120, 140, 160,
  180, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000, 2000, 3000, 4000, 5000, 7500, 10_000, 20_000,
  30_000, 40_000, 50_000, 75_000, 100_000,
] as const;

export interface Bucket {
  readonly Start: number;
  readonly End: number;
  /** Of all values, up to the end of this bucket. */
  readonly Percent: number;
  readonly Count: number;
}

/** The shape of fortio's JSON, as it is printed. */
export interface HistogramData {
  readonly Count: number;
  readonly Min: number;
  readonly Max: number;
  readonly Sum: number;
  readonly Avg: number;
  readonly StdDev: number;
  readonly Data: readonly Bucket[] | null;
  readonly Percentiles?: readonly { readonly Percentile: number; readonly Value: number }[];
}

export class Histogram {
  readonly counter = new Counter();
  readonly #resolution: number;
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0);

  constructor(resolution: number) {
    this.#resolution = resolution;
  }

  record(value: number): void {
    this.counter.record(value);
    // A value on a bound belongs below it; what division adds to it must not lift it over.
    const scaled = value / this.#resolution - 1e-12;
    let low = 0;
    let high: number = BOUNDS.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((BOUNDS[middle] as number) >= scaled) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] as number) + 1;
  }

  /** Of the same resolution. */
  merge(other: Histogram): void {
    this.counter.merge(other.counter);
    other.#counts.forEach((count, index) => {
      this.#counts[index] = (this.#counts[index] as number) + count;
    });
  }

  /** With the percentiles asked for, where there is anything to take them of. */
  export(percentiles: readonly number[] = []): HistogramData {
    const { count, min, max, sum, average, deviation } = this.counter;
    const buckets: Bucket[] = [];
    let total = 0;
    this.#counts.forEach((inBucket, index) => {
      if (inBucket === 0) return;
      total += inBucket;
      const start = buckets.length === 0 ? min : (BOUNDS[index - 1] as number) * this.#resolution;
      const end = index < BOUNDS.length ? (BOUNDS[index] as number) * this.#resolution : max;
      buckets.push({ Start: start, End: end, Percent: (100 * total) / count, Count: inBucket });
    });
    // The last one ends where the values do.
    const last = buckets.at(-1);
    if (last !== undefined) buckets[buckets.length - 1] = { ...last, End: max };
    const data = { Count: count, Min: min, Max: max, Sum: sum, Avg: average, StdDev: deviation };
    if (buckets.length === 0) return { ...data, Data: null };
    const values = percentiles.map((percentile) => ({
      Percentile: percentile,
      Value: valueAt(percentile, buckets, this.counter),
    }));
    return { ...data, Data: buckets, ...(values.length === 0 ? {} : { Percentiles: values }) };
  }
}

/** Linear within a bucket; the smallest value alone stands for the first 1/count. */
function valueAt(percentile: number, buckets: readonly Bucket[], { min, max, count }: Counter): number {
  if (percentile >= 100) return max;
  let previous = 100 / count;
  if (percentile <= previous) return min;
  for (const { Start, End, Percent } of buckets) {
    if (percentile <= Percent) return Start + ((percentile - previous) / (Percent - previous)) * (End - Start);
    previous = Percent;
  }
  return max;
}

/** As fortio prints it: a line of sums, the buckets, the percentiles. */
export function histogramLines(title: string, data: HistogramData): string[] {
  if (data.Data === null) return [`${title} : no data`];
  const g = formatG;
  return [
    sumLine(title, data),
    '# range, mid point, percentile, count',
    ...data.Data.map(
      ({ Start, End, Percent, Count }, at) =>
        `${at === 0 ? '>=' : '>'} ${g(Start, 6)} <= ${g(End, 6)} , ${g((Start + End) / 2, 6)} , ${Percent.toFixed(2)}, ${Count}`,
    ),
    ...percentileLines(data),
  ];
}

export function sumLine(title: string, { Count, Avg, StdDev, Min, Max, Sum }: HistogramData): string {
  const g = formatG;
  return `${title} : count ${Count} avg ${g(Avg, 8)} +/- ${g(StdDev, 4)} min ${g(Min)} max ${g(Max)} sum ${g(Sum, 9)}`;
}

export function percentileLines({ Percentiles = [] }: HistogramData): string[] {
  return Percentiles.map(({ Percentile, Value }) => `# target ${formatG(Percentile)}% ${formatG(Value, 6)}`);
}

// How many requests were answered and how long they took, in Prometheus' text format.

/** Upper bounds in seconds; the client libraries' own default. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  readonly labels: string;
  /** How many took at most the bucket's bound. */
  readonly buckets: number[];
  count: number;
  sum: number;
}

export class RequestMetrics {
  readonly #service: string;
  // Routes are few and statuses too: the number of series is bounded by what the service can answer.
  readonly #series = new Map<string, Series>();

  constructor(service: string) {
    this.#service = service;
  }

  observe(method: string, route: string, status: number, seconds: number): void {
    const labels = `service="${this.#service}",method="${method.toLowerCase()}",route="${route}",status_code="${status}"`;
    const series = this.#series.get(labels) ?? { labels, buckets: BUCKETS.map(() => 0), count: 0, sum: 0 };
    this.#series.set(labels, series);
    series.count += 1;
    series.sum += seconds;
    for (const [index, bound] of BUCKETS.entries()) {
      if (seconds <= bound) series.buckets[index] = (series.buckets[index] ?? 0) + 1;
    }
  }

  text(): string {
    const name = 'request_duration_seconds';
    const lines = [`# HELP ${name} Time (in seconds) spent serving HTTP requests.`, `# TYPE ${name} histogram`];
    for (const { labels, buckets, count, sum } of this.#series.values()) {
      for (const [index, bound] of BUCKETS.entries()) {
        lines.push(`${name}_bucket{${labels},le="${bound}"} ${buckets[index]}`);
      }
      lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
      lines.push(`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
    }
    lines.push('# HELP process_resident_memory_bytes Resident memory size in bytes.');
    lines.push('# TYPE process_resident_memory_bytes gauge');
    lines.push(`process_resident_memory_bytes ${process.memoryUsage.rss()}`);
    return `${lines.join('\n')}\n`;
  }
}

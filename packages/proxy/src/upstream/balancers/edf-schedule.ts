// Earliest deadline first: hosts come up in proportion to their weights, spread out evenly rather than in runs.
import type { Host } from '../host.ts';

interface Entry {
  deadline: number;
  /** Ties go to who was put in first, so equal weights take turns. */
  order: number;
  readonly host: Host;
}

function before(a: Entry, b: Entry): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

/** A binary heap by deadline; a picked host comes back at now + 1 / weight (Envoy: EdfScheduler). */
export class EdfSchedule {
  readonly #heap: Entry[] = [];
  readonly #weight: (host: Host) => number;
  #now = 0;
  #order = 0;

  constructor(hosts: readonly Host[], weight: (host: Host) => number) {
    this.#weight = weight;
    for (const host of hosts) {
      this.#heap.push({ deadline: 1 / weight(host), order: this.#order++, host });
      this.#up(this.#heap.length - 1);
    }
  }

  next(): Host | undefined {
    const top = this.#heap[0];
    if (top === undefined) return undefined;
    this.#now = top.deadline;
    top.deadline = this.#now + 1 / this.#weight(top.host);
    top.order = this.#order++;
    this.#down();
    return top.host;
  }

  #up(start: number): void {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (before(this.#heap[parent]!, this.#heap[i]!)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(): void {
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#heap.length && before(this.#heap[child]!, this.#heap[least]!)) least = child;
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(a: number, b: number): void {
    const entry = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = entry;
  }
}

export function sameWeights(hosts: readonly Host[]): boolean {
  return hosts.every((host) => host.weight === hosts[0]!.weight);
}

// ROUND_ROBIN: hosts in turn, heavier ones more often, starting anywhere so that many proxies don't start together.
import type { Host } from '../host.ts';
import type { Balancer, Draw } from './balancer.ts';
import { EdfSchedule, sameWeights } from './edf-schedule.ts';

export class RoundRobin implements Balancer {
  readonly #draw: Draw;
  #hosts: readonly Host[] = [];
  /** Only with unequal weights: an index is enough otherwise. */
  #schedule: EdfSchedule | undefined = undefined;
  #next: number | undefined = undefined;

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    this.#schedule = undefined;
    if (hosts.length === 0) return;
    this.#next ??= Math.floor(this.#draw() * hosts.length);
    if (sameWeights(hosts)) return;
    this.#schedule = new EdfSchedule(hosts, (host) => host.weight);
    for (let skip = Math.floor(this.#draw() * hosts.length); skip > 0; skip--) this.#schedule.next();
  }

  pick(): Host | undefined {
    if (this.#schedule !== undefined) return this.#schedule.next();
    if (this.#hosts.length === 0) return undefined;
    const index = (this.#next ?? 0) % this.#hosts.length;
    this.#next = index + 1;
    return this.#hosts[index];
  }
}

// LEAST_REQUEST: of a few hosts drawn at random the one with the least under way; with unequal weights a weighted
// round robin in which what is under way takes from a host's weight (Envoy: LeastRequestLoadBalancer).
import type { Host } from '../host.ts';
import type { Balancer, Draw } from './balancer.ts';
import { EdfSchedule, sameWeights } from './edf-schedule.ts';

export class LeastRequest implements Balancer {
  readonly #draw: Draw;
  readonly #choices: number;
  #hosts: readonly Host[] = [];
  #schedule: EdfSchedule | undefined = undefined;

  constructor(draw: Draw, choices: number) {
    this.#draw = draw;
    this.#choices = choices;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
    this.#schedule = sameWeights(hosts) ? undefined : new EdfSchedule(hosts, (host) => host.weight / (host.active + 1));
  }

  pick(): Host | undefined {
    if (this.#schedule !== undefined) return this.#schedule.next();
    const hosts = this.#hosts;
    let best: Host | undefined;
    for (let i = 0; i < this.#choices && hosts.length > 0; i++) {
      const host = hosts[Math.floor(this.#draw() * hosts.length)]!;
      if (best === undefined || host.active < best.active) best = host;
    }
    return best;
  }
}

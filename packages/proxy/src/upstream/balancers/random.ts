// RANDOM: any host, whatever its weight (Envoy: RandomLoadBalancer).
import type { Host } from '../host.ts';
import type { Balancer, Draw } from './balancer.ts';

export class Random implements Balancer {
  readonly #draw: Draw;
  #hosts: readonly Host[] = [];

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts;
  }

  pick(): Host | undefined {
    return this.#hosts[Math.floor(this.#draw() * this.#hosts.length)];
  }
}

// What every load balancer is: a choice among the hosts that may be used now.
import type { Host } from '../host.ts';

export interface Balancer {
  /** Replaces the hosts to choose from. */
  update(hosts: readonly Host[]): void;
  /** The next host, or undefined when there is none. */
  pick(): Host | undefined;
}

/** A number in [0, 1). */
export type Draw = () => number;

// A cluster's hosts by address. A host that stays keeps its identity, so its connections and counts outlive an update.

import { formatEndpoint } from '../runtime/addresses.ts';
import type { EndpointSpec } from './cluster-spec.ts';
import { Host } from './host.ts';

interface Member {
  readonly host: Host;
  readonly healthy: boolean;
  readonly priority: number;
}

export class HostSet {
  #members = new Map<string, Member>();

  get members(): Iterable<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  /** Takes the list as it is now; who is no longer in it is marked removed and returned. */
  update(endpoints: readonly EndpointSpec[]): readonly Host[] {
    const next = new Map<string, Member>();
    for (const { address, port, weight, healthy, priority } of endpoints) {
      const label = formatEndpoint(address, port);
      // The first of a repeated address counts, as in Envoy (BaseDynamicClusterImpl::updateDynamicHostList).
      if (next.has(label)) continue;
      const known = this.#members.get(label)?.host;
      // One that another version of the cluster has retired meanwhile does not come back to life.
      const host = known === undefined || known.removed ? new Host(address, port, weight) : known;
      host.weight = weight;
      next.set(label, { host, healthy, priority });
    }
    const removed: Host[] = [];
    for (const [label, { host }] of this.#members) if (!next.has(label)) removed.push(host);
    this.#members = next;
    return removed;
  }

  /** Another version of the same cluster goes on with these hosts. */
  adopt(from: HostSet): void {
    this.#members = from.#members;
  }

  /**
   * The hosts to choose from: the healthy ones of the first priority that has any, or all of them alike when too few
   * are healthy to carry the load (Envoy: panic threshold).
   */
  usable(panicThreshold: number): readonly Host[] {
    const priorities = [...new Set([...this.#members.values()].map((member) => member.priority))].sort((a, b) => a - b);
    for (const priority of priorities) {
      const level = [...this.#members.values()].filter((member) => member.priority === priority);
      const healthy = level.filter(isUsable);
      if (healthy.length > 0 && (healthy.length * 100) / level.length >= panicThreshold) return healthy.map(hostOf);
    }
    const all = [...this.#members.values()];
    const healthy = all.filter(isUsable);
    return (healthy.length * 100 < all.length * panicThreshold ? all : healthy).map(hostOf);
  }
}

function isUsable({ healthy, host }: Member): boolean {
  return healthy && !host.ejected;
}

function hostOf(member: Member): Host {
  return member.host;
}

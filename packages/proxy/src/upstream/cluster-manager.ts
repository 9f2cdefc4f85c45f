// All clusters by name. A new or changed cluster is first warmed beside the old one and then takes its place in one
// step; one that did not change keeps its object, and hosts that stay keep their connections.
import type { ClusterManager as Clusters } from './cluster.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';
import { type ClusterDeps, ManagedCluster } from './managed-cluster.ts';

/** Static clusters come from the bootstrap and win over dynamic ones of the same name, as in Envoy. */
export type Origin = 'static' | 'dynamic';

/**
 * A cluster that CDS has dropped serves on for this long: routes that no longer name it arrive a moment later, and
 * what they carry meanwhile should not fail (make before break).
 */
const REMOVAL_GRACE_MS = 250;

export class ClusterManager implements Clusters {
  readonly #deps: ClusterDeps;
  readonly #active = new Map<string, ManagedCluster>();
  readonly #warming = new Map<string, ManagedCluster>();
  readonly #origins = new Map<string, Origin>();
  /** The last answer of EDS by service name, for clusters that ask later. */
  readonly #assignments = new Map<string, readonly EndpointSpec[]>();
  readonly #removals = new Map<string, NodeJS.Timeout>();

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
  }

  get(name: string): ManagedCluster | undefined {
    return this.#active.get(name);
  }

  get active(): Iterable<ManagedCluster> {
    return this.#active.values();
  }

  get warming(): Iterable<ManagedCluster> {
    return this.#warming.values();
  }

  /** What to ask EDS for. */
  get edsNames(): readonly string[] {
    const names = new Set<string>();
    for (const cluster of [...this.#active.values(), ...this.#warming.values()]) {
      const { discovery } = cluster.spec;
      if (discovery.kind === 'eds' && !this.#removals.has(cluster.name)) names.add(discovery.serviceName);
    }
    return [...names].sort();
  }

  /** Makes `specs` all there is of this origin. */
  apply(origin: Origin, specs: readonly ClusterSpec[]): void {
    const wanted = new Set(specs.map((spec) => spec.name));
    for (const [name, from] of this.#origins) if (from === origin && !wanted.has(name)) this.#remove(name);
    for (const spec of specs) {
      if (origin === 'dynamic' && this.#origins.get(spec.name) === 'static') continue;
      this.#origins.set(spec.name, origin);
      this.#put(spec);
    }
  }

  /** An answer of EDS. */
  assign(serviceName: string, endpoints: readonly EndpointSpec[]): void {
    this.#assignments.set(serviceName, endpoints);
    for (const cluster of this.#active.values()) if (asksFor(cluster, serviceName)) cluster.setEndpoints(endpoints);
    for (const cluster of [...this.#warming.values()]) {
      if (!asksFor(cluster, serviceName)) continue;
      cluster.setEndpoints(endpoints);
      this.#promote(cluster);
    }
  }

  /** Settles when every cluster that is warming now has been warmed or replaced. */
  async warmed(): Promise<void> {
    await Promise.all([...this.#warming.values()].map((cluster) => cluster.warm));
  }

  stop(): void {
    for (const timer of this.#removals.values()) clearTimeout(timer);
    for (const cluster of [...this.#warming.values(), ...this.#active.values()]) cluster.stop(undefined);
    this.#warming.clear();
    this.#active.clear();
  }

  #put(spec: ClusterSpec): void {
    clearTimeout(this.#removals.get(spec.name));
    this.#removals.delete(spec.name);
    const current = this.#active.get(spec.name);
    const pending = this.#warming.get(spec.name);
    if ((pending ?? current)?.spec.fingerprint.equals(spec.fingerprint)) return;
    if (pending !== undefined) {
      this.#warming.delete(spec.name);
      pending.stop(current);
    }
    if (current?.spec.fingerprint.equals(spec.fingerprint)) return;
    const next = new ManagedCluster(spec, this.#deps);
    this.#warming.set(spec.name, next);
    next.start(current);
    const { discovery } = spec;
    const known = discovery.kind === 'eds' ? this.#assignments.get(discovery.serviceName) : undefined;
    if (known !== undefined) next.setEndpoints(known);
    if (next.isWarm) this.#promote(next);
    else void next.warm.then(() => this.#promote(next));
  }

  #promote(next: ManagedCluster): void {
    // Replaced or removed while it warmed.
    if (this.#warming.get(next.name) !== next) return;
    this.#warming.delete(next.name);
    const current = this.#active.get(next.name);
    this.#active.set(next.name, next);
    current?.stop(next);
  }

  #remove(name: string): void {
    this.#origins.delete(name);
    const pending = this.#warming.get(name);
    this.#warming.delete(name);
    pending?.stop(this.#active.get(name));
    if (!this.#active.has(name) || this.#removals.has(name)) return;
    this.#removals.set(name, setTimeout(() => this.#finishRemoval(name), REMOVAL_GRACE_MS).unref());
  }

  #finishRemoval(name: string): void {
    this.#removals.delete(name);
    this.#active.get(name)?.stop(undefined);
    this.#active.delete(name);
    this.#deps.stats.dropCluster(name);
    this.#forgetUnused();
  }

  /** An assignment nobody asks for any more would be stale when somebody does again. */
  #forgetUnused(): void {
    const asked = new Set(this.edsNames);
    for (const name of this.#assignments.keys()) if (!asked.has(name)) this.#assignments.delete(name);
  }
}

function asksFor(cluster: ManagedCluster, serviceName: string): boolean {
  const { discovery } = cluster.spec;
  return discovery.kind === 'eds' && discovery.serviceName === serviceName;
}

// One version of one cluster: its settings, its hosts and the balancer over them.
import type { ClusterStats, StatsStore } from '../observe/stats.ts';
import type { Balancer, Draw } from './balancers/balancer.ts';
import { makeBalancer, pickUntried } from './balancers/make-balancer.ts';
import { CircuitBreakers } from './circuit-breakers.ts';
import type { Cluster, PickContext } from './cluster.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';
import { NameWatch, type Resolve } from './dns.ts';
import type { Host } from './host.ts';
import { HostSet } from './host-set.ts';
import { OriginalDstHosts } from './original-dst-hosts.ts';
import { OutlierDetector } from './outlier-detection.ts';

export interface ClusterDeps {
  readonly stats: StatsStore;
  readonly draw: Draw;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly resolve: Resolve;
  readonly log: (level: 'info' | 'warning', text: string) => void;
  /** Takes leave of a host: its idle connections close, what is under way finishes. */
  readonly retire: (host: Host) => void;
  /** True for the proxy's own listening sockets, which an ORIGINAL_DST cluster must not connect to. */
  readonly isOwnAddress: (address: string, port: number) => boolean;
}

export class ManagedCluster implements Cluster {
  readonly spec: ClusterSpec;
  readonly stats: ClusterStats;
  readonly outliers: OutlierDetector | undefined;
  #breakers: CircuitBreakers;
  readonly #deps: ClusterDeps;
  readonly #hosts = new HostSet();
  readonly #balancer: Balancer;
  readonly #originalDst: OriginalDstHosts | undefined;
  readonly #warm = Promise.withResolvers<void>();
  #isWarm = false;
  #stop: () => void = () => undefined;
  #outlierTimer: NodeJS.Timeout | undefined = undefined;

  constructor(spec: ClusterSpec, deps: ClusterDeps) {
    this.spec = spec;
    this.#deps = deps;
    this.stats = deps.stats.cluster(spec.name);
    this.#breakers = new CircuitBreakers(spec.limits);
    this.outliers =
      spec.outlierDetection &&
      new OutlierDetector(spec.outlierDetection, {
        hosts: () => this.#currentHosts(),
        draw: deps.draw,
        changed: () => this.#rebalance(),
        stats: this.stats,
      });
    this.#balancer = makeBalancer(spec.loadBalancing, deps.draw);
    this.#originalDst = spec.discovery.kind === 'original-dst' ? new OriginalDstHosts(spec.discovery, deps) : undefined;
  }

  get name(): string {
    return this.spec.name;
  }

  get breakers(): CircuitBreakers {
    return this.#breakers;
  }

  get connectTimeoutMs(): number {
    return this.spec.connection.connectTimeoutMs;
  }

  get sourceAddress(): string | undefined {
    return this.spec.connection.sourceAddress;
  }

  get socketMark(): number {
    return this.spec.connection.socketMark;
  }

  get maxRequestsPerConnection(): number {
    return this.spec.connection.maxRequestsPerConnection;
  }

  get idleTimeoutMs(): number {
    return this.spec.connection.idleTimeoutMs;
  }

  /** Settles when the first endpoints are known, or known to be none. */
  get warm(): Promise<void> {
    return this.#warm.promise;
  }

  get isWarm(): boolean {
    return this.#isWarm;
  }

  /** For the admin pages. */
  get hosts(): readonly { readonly host: Host; readonly healthy: boolean; readonly priority: number }[] {
    if (this.#originalDst === undefined) return [...this.#hosts.members];
    return this.#originalDst.hosts.map((host) => ({ host, healthy: true, priority: 0 }));
  }

  /** Begins to look for endpoints; `previous` is the version this one is to take over from. */
  start(previous: ManagedCluster | undefined): void {
    if (previous !== undefined && sameConnections(previous.spec, this.spec)) {
      this.#hosts.adopt(previous.#hosts);
      this.#breakers = new CircuitBreakers(this.spec.limits, previous.breakers.inUse);
    }
    const { discovery, outlierDetection } = this.spec;
    if (outlierDetection !== undefined) {
      const sweep = () => this.outliers?.sweep(this.#deps.now());
      this.#outlierTimer = setInterval(sweep, outlierDetection.intervalMs).unref();
    }
    switch (discovery.kind) {
      case 'static':
        this.setEndpoints(discovery.endpoints);
        break;
      case 'dns':
        this.#watchNames(discovery);
        break;
      case 'original-dst':
        this.#settle();
        break;
      case 'eds':
        this.#boundWait(discovery.fetchTimeoutMs);
        break;
    }
  }

  /** From EDS, or from what DNS says. */
  setEndpoints(endpoints: readonly EndpointSpec[]): void {
    for (const host of this.#hosts.update(endpoints)) this.#retire(host);
    this.#rebalance();
    this.#settle();
  }

  pick(context: PickContext): Host | undefined {
    if (this.#originalDst !== undefined) return this.#originalDst.pick(context.originalDst);
    return pickUntried(this.#balancer, context.tried);
  }

  /** The cluster is gone or replaced; hosts that `heir` goes on with stay as they are. */
  stop(heir: ManagedCluster | undefined): void {
    this.#stop();
    clearInterval(this.#outlierTimer);
    this.outliers?.stop();
    // Whom this version had ejected the next one may choose again.
    if (heir !== undefined) heir.#rebalance();
    this.#settle();
    const kept = new Set(heir?.hosts.map((member) => member.host));
    for (const { host } of this.hosts) if (!kept.has(host)) this.#retire(host);
    this.#originalDst?.stop();
  }

  *#currentHosts(): Iterable<Host> {
    for (const { host } of this.#hosts.members) yield host;
  }

  #rebalance(): void {
    this.#balancer.update(this.#hosts.usable(this.spec.panicThreshold));
  }

  #retire(host: Host): void {
    host.removed = true;
    this.#deps.retire(host);
  }

  #settle(): void {
    this.#isWarm = true;
    this.#warm.resolve();
  }

  /** Envoy: ConfigSource.initial_fetch_timeout; after it the cluster is used without endpoints. 0 waits for ever. */
  #boundWait(timeoutMs: number): void {
    if (timeoutMs === 0) return;
    const timer = setTimeout(() => this.#settle(), timeoutMs);
    timer.unref();
    this.#stop = () => clearTimeout(timer);
  }

  #watchNames(discovery: Extract<ClusterSpec['discovery'], { kind: 'dns' }>): void {
    const answers = new Map<EndpointSpec, readonly string[]>();
    let open = discovery.endpoints.length;
    if (open === 0) this.setEndpoints([]);
    const watches = discovery.endpoints.map((endpoint) => {
      let first = true;
      const watch = new NameWatch(
        () => this.#deps.resolve(endpoint.address, discovery.family),
        discovery,
        (addresses, error) => {
          if (error !== undefined)
            this.#deps.log('warning', `cluster ${this.name}: cannot resolve ${endpoint.address}: ${error.message}`);
          else answers.set(endpoint, discovery.logical ? stay(answers.get(endpoint), addresses!) : addresses!);
          if (first) open--;
          first = false;
          // Hosts appear together once every name has had its first answer, so that load does not pile on the first.
          if (open === 0) this.setEndpoints(expand(discovery.endpoints, answers));
        },
      );
      watch.start();
      return watch;
    });
    this.#stop = () => {
      for (const watch of watches) watch.stop();
    };
  }
}

/** LOGICAL_DNS: one address, the present one for as long as the name still has it. */
function stay(current: readonly string[] | undefined, answer: readonly string[]): readonly string[] {
  const kept = current?.filter((address) => answer.includes(address)) ?? [];
  return kept.length > 0 ? kept : answer.slice(0, 1);
}

function expand(
  endpoints: readonly EndpointSpec[],
  answers: ReadonlyMap<EndpointSpec, readonly string[]>,
): readonly EndpointSpec[] {
  return endpoints.flatMap((endpoint) => (answers.get(endpoint) ?? []).map((address) => ({ ...endpoint, address })));
}

function sameConnections(a: ClusterSpec, b: ClusterSpec): boolean {
  const [left, right] = [a.connection, b.connection];
  return (Object.keys(left) as (keyof typeof left)[]).every((key) => left[key] === right[key]);
}

// One proxy: everything it is made of, and nothing that is shared with another one in the same process.
import { Problems } from '@varka/decide/problems.ts';
import { AdsClient, type Subscription } from '@varka/xds/ads-client.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '@varka/xds/type-urls.ts';
import { type BootstrapConfig, BootstrapError } from '../bootstrap.ts';
import { takeConnection } from '../downstream/connection-intake.ts';
import { ListenerManager } from '../downstream/listener-manager.ts';
import type { Logger } from '../observe/logger.ts';
import { StatsStore } from '../observe/stats.ts';
import { ClusterManager } from '../upstream/cluster-manager.ts';
import type { ClusterSpec } from '../upstream/cluster-spec.ts';
import { type Resolve, systemResolve } from '../upstream/dns.ts';
import { formatEndpoint } from './addresses.ts';
import type { OpenLog } from './compile-access-log.ts';
import { compileCluster } from './compile-cluster.ts';
import { compileContext } from './compile-context.ts';
import { compileListener } from './compile-listener.ts';
import { RouteStore } from './route-store.ts';
import type { ListenerTable } from './tables.ts';
import { XdsUpdates } from './xds-updates.ts';

/** Envoy's server states, as /ready and /server_info name them. */
export type ServerState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING';

export interface ProxyInstanceOptions {
  readonly bootstrap: BootstrapConfig;
  readonly logger: Logger;
  readonly openLog: OpenLog;
  readonly draw?: () => number;
  readonly now?: () => number;
  readonly resolve?: Resolve;
  /** How long connections of a listener or filter chain that is gone may go on (Istio: drainDuration, 45 s). */
  readonly drainTimeMs?: number;
  readonly maxConnectionsPerListener?: number;
}

const DRAIN_TIME_MS = 45_000;

/** Envoy has no limit unless told; one listener that takes every file descriptor would starve the others. */
const MAX_CONNECTIONS = 16_384;

export class ProxyInstance {
  readonly bootstrap: BootstrapConfig;
  readonly stats = new StatsStore();
  readonly clusters: ClusterManager;
  readonly listeners: ListenerManager;
  readonly updates: XdsUpdates;
  readonly logger: Logger;
  readonly startedAt: number;
  readonly now: () => number;
  readonly #routes = new RouteStore();
  readonly #openLog: OpenLog;
  readonly drainTimeMs: number;
  readonly #draw: () => number;
  readonly #ready = Promise.withResolvers<void>();
  #ads: AdsClient | undefined = undefined;
  #endpoints: Subscription | undefined = undefined;
  #routeNames: Subscription | undefined = undefined;
  #initialized = false;
  #haveClusters = false;
  #haveListeners = false;
  /** POST /healthcheck/fail; /healthcheck/ok takes it back. */
  healthcheckFailed = false;

  constructor(options: ProxyInstanceOptions) {
    const { bootstrap, logger } = options;
    this.bootstrap = bootstrap;
    this.logger = logger;
    this.#openLog = options.openLog;
    this.drainTimeMs = options.drainTimeMs ?? DRAIN_TIME_MS;
    this.#draw = options.draw ?? Math.random;
    this.now = options.now ?? Date.now;
    this.startedAt = this.now();
    const intake = {
      draw: this.#draw,
      now: this.now,
      onFault: (error: unknown) => logger.log('error', 'main', `a fault of the proxy's own: ${describe(error)}`),
      maxConnections: options.maxConnectionsPerListener ?? MAX_CONNECTIONS,
    };
    this.listeners = new ListenerManager({
      stats: this.stats,
      log: (level, text) => logger.log(level, 'config', text),
      onConnection: (socket, accepting) =>
        takeConnection(socket, accepting, this.listeners, { ...intake, clusters: this.clusters }),
      drainTimeMs: this.drainTimeMs,
    });
    this.clusters = new ClusterManager({
      stats: this.stats,
      draw: this.#draw,
      now: this.now,
      resolve: options.resolve ?? systemResolve,
      log: (level, text) => logger.log(level, 'upstream', text),
      retire: (host) => host.pool?.closeIdle(),
      isOwnAddress: (address, port) => this.listeners.isOwnAddress(address, port),
    });
    this.updates = new XdsUpdates({
      clusters: this.clusters,
      listeners: this.listeners,
      routes: this.#routes,
      stats: this.stats,
      openLog: options.openLog,
      now: this.now,
      log: (level, text) => logger.log(level, 'upstream', text),
      onEndpointNames: (names) => this.#endpoints?.setNames(names),
      onRouteNames: (names) => this.#routeNames?.setNames(names),
    });
  }

  get state(): ServerState {
    if (this.healthcheckFailed || this.listeners.draining) return 'DRAINING';
    return this.#initialized ? 'LIVE' : 'PRE_INITIALIZING';
  }

  /** Settles when the first configuration is in force. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Applies what is static, then asks for the rest. Throws a BootstrapError when the static part is wrong. */
  async start(): Promise<void> {
    const problems = new Problems();
    const clusters = this.#compileStaticClusters(problems);
    const listeners = this.#compileStaticListeners(problems);
    if (problems.list.length > 0) throw new BootstrapError(problems.list.join('; '));
    this.clusters.apply('static', clusters);
    const failures = await this.listeners.apply('static', listeners);
    if (failures.length > 0) throw new BootstrapError(failures.join('; '));
    const { ads, dynamicClusters, dynamicListeners } = this.bootstrap;
    this.#haveClusters = !dynamicClusters;
    this.#haveListeners = !dynamicListeners;
    if (ads !== undefined) this.#subscribe(formatEndpoint(ads.host, ads.port));
    this.#checkInitialized();
  }

  /** Tells the world not to send more, stops accepting and lets what is under way finish, for `limitMs` at most. */
  async drain(limitMs: number): Promise<void> {
    await this.listeners.drain(limitMs);
  }

  /** Ends everything now. */
  stop(): void {
    this.#ads?.stop();
    this.listeners.destroy();
    this.clusters.stop();
  }

  #compileStaticClusters(problems: Problems): readonly ClusterSpec[] {
    const at = problems.at('static_resources');
    return this.bootstrap.clusters.flatMap(
      (proto, i) => compileCluster(proto, at.at(`clusters[${proto.name === '' ? i : proto.name}]`)) ?? [],
    );
  }

  #compileStaticListeners(problems: Problems): readonly ListenerTable[] {
    const at = problems.at('static_resources');
    const names = new Set<string>();
    const context = compileContext(this.stats, this.#openLog, this.#routes, names);
    const tables = this.bootstrap.listeners.flatMap(
      (proto, i) => compileListener(proto, context, at.at(`listeners[${proto.name === '' ? i : proto.name}]`)) ?? [],
    );
    // RDS names are followed by LDS answers; one that only a static listener asks for would be forgotten by them.
    if (names.size > 0) at.add(`static listeners need an inline route_config, not rds (${[...names].join(', ')})`);
    return tables;
  }

  #subscribe(target: string): void {
    const { node } = this.bootstrap.proto;
    const ads = new AdsClient({
      target,
      node: node!,
      random: this.#draw,
      onState: (state) => {
        this.stats.controlPlaneConnected = state.kind === 'connected' ? 1 : 0;
        if (state.kind === 'connected') this.logger.log('info', 'config', `connected to ${target}`);
        else
          this.logger.log(
            'warning',
            'config',
            `${target}: ${state.reason}; again in ${Math.round(state.retryInMs)} ms`,
          );
      },
    });
    this.#ads = ads;
    const { updates } = this;
    if (this.bootstrap.dynamicClusters) {
      const onResources = async (resources: Parameters<typeof updates.onClusters>[0], version: string) => {
        const verdict = await updates.onClusters(resources, version);
        this.#haveClusters ||= verdict === undefined;
        this.#checkInitialized();
        return verdict;
      };
      ads.subscribe({ typeUrl: CLUSTER, schema: ClusterSchema, onResources }, 'wildcard');
    }
    this.#endpoints = ads.subscribe(
      {
        typeUrl: ENDPOINTS,
        schema: ClusterLoadAssignmentSchema,
        onResources: (resources, version) => updates.onEndpoints(resources, version),
      },
      this.clusters.edsNames,
    );
    if (this.bootstrap.dynamicListeners) {
      const onResources = async (resources: Parameters<typeof updates.onListeners>[0], version: string) => {
        const verdict = await updates.onListeners(resources, version);
        this.#haveListeners ||= verdict === undefined;
        this.#checkInitialized();
        return verdict;
      };
      ads.subscribe({ typeUrl: LISTENER, schema: ListenerSchema, onResources }, 'wildcard');
    }
    this.#routeNames = ads.subscribe(
      {
        typeUrl: ROUTES,
        schema: RouteConfigurationSchema,
        onResources: (resources, version) => updates.onRoutes(resources, version),
      },
      [],
    );
    ads.start();
  }

  #checkInitialized(): void {
    if (this.#initialized || !this.#haveClusters || !this.#haveListeners) return;
    this.#initialized = true;
    this.logger.log('info', 'main', `all configuration is in force after ${this.now() - this.startedAt} ms`);
    this.#ready.resolve();
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// What becomes of each answer of the management server: checked as a whole, and either all of it is taken over or none
// (a NACK that names every mistake, while the last good configuration goes on).
import { toBinary } from '@bufbuild/protobuf';
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import { Problems } from '@varka/decide/problems.ts';
import type { RouteTable } from '@varka/decide/route-table.ts';
import type { Verdict } from '@varka/xds/ads-client.ts';
import type { Cluster } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { type Listener, ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfiguration } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import type { ListenerManager } from '../downstream/listener-manager.ts';
import type { StatsStore } from '../observe/stats.ts';
import type { ClusterManager } from '../upstream/cluster-manager.ts';
import type { ClusterSpec, EndpointSpec } from '../upstream/cluster-spec.ts';
import type { OpenLog } from './compile-access-log.ts';
import { compileCluster } from './compile-cluster.ts';
import { compileContext } from './compile-context.ts';
import { compileEndpoints } from './compile-endpoints.ts';
import { compileListener } from './compile-listener.ts';
import { ConfigRecord } from './config-record.ts';
import type { RouteStore } from './route-store.ts';
import type { ListenerTable } from './tables.ts';

export interface XdsUpdatesDeps {
  readonly clusters: ClusterManager;
  readonly listeners: ListenerManager;
  readonly routes: RouteStore;
  readonly stats: StatsStore;
  readonly openLog: OpenLog;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warning', text: string) => void;
  /** What to ask EDS and RDS for has changed. */
  readonly onEndpointNames: (names: readonly string[]) => void;
  readonly onRouteNames: (names: readonly string[]) => void;
}

/**
 * How long listeners and routes wait for what they refer to before they go live without it. Envoy's limit is each
 * config source's initial_fetch_timeout; a management server that never answers must not hold up everything else.
 */
const WARMING_LIMIT_MS = 5_000;

/** Settles with `work`, or after the limit. */
async function bounded(work: Promise<void>, limitMs: number): Promise<'done' | 'late'> {
  const { promise, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(resolve, limitMs, 'late');
  const outcome = await Promise.race([work.then((): 'done' => 'done'), promise]);
  clearTimeout(timer);
  return outcome;
}

/** Whoever asked for a turn hears of its error (and sends a NACK); the next turn is not to suffer from it. */
const FAILED_TURN = (): undefined => undefined;

type Scope = 'cds' | 'eds' | 'lds' | 'rds';

const SCOPE_STATS: Readonly<Record<Scope, string>> = {
  cds: 'cluster_manager.cds',
  eds: 'cluster_manager.eds',
  lds: 'listener_manager.lds',
  rds: 'http.rds',
};

export class XdsUpdates {
  readonly clusterRecord = new ConfigRecord<Cluster>();
  readonly endpointRecord = new ConfigRecord<ClusterLoadAssignment>();
  readonly listenerRecord = new ConfigRecord<Listener>();
  readonly routeRecord = new ConfigRecord<RouteConfiguration>();
  readonly #deps: XdsUpdatesDeps;
  readonly #listenerBytes = new Map<string, { readonly bytes: Buffer; readonly table: ListenerTable }>();
  /** Route tables that the listeners in force refer to. */
  #routeNames: ReadonlySet<string> = new Set();
  /** Answers of LDS, and of RDS, are taken over one after the other. */
  #listenerTurn: Promise<unknown> = Promise.resolve();
  #routeTurn: Promise<unknown> = Promise.resolve();

  constructor(deps: XdsUpdatesDeps) {
    this.#deps = deps;
  }

  /** The verdict comes once the new clusters are warm, so that a server that waits for it sends routes to them after. */
  async onClusters(protos: readonly Cluster[], version: string): Promise<Verdict> {
    const problems = new Problems();
    const specs: ClusterSpec[] = [];
    const names = new Set<string>();
    for (const [i, proto] of protos.entries()) {
      const at = problems.at(`clusters[${proto.name === '' ? i : proto.name}]`);
      if (names.has(proto.name)) at.add('the name is there twice');
      names.add(proto.name);
      const spec = compileCluster(proto, at);
      if (spec !== undefined) specs.push(spec);
    }
    if (problems.list.length > 0) return this.#reject('cds', this.clusterRecord, problems.list, version);
    const { clusters } = this.#deps;
    const unchanged = (spec: ClusterSpec): boolean =>
      clusters.get(spec.name)?.spec.fingerprint.equals(spec.fingerprint) === true;
    const resources = protos.map((resource, i) => ({
      name: resource.name,
      resource,
      changed: !unchanged(specs[i]!),
    }));
    const http2 = specs.filter((spec) => spec.http2 && !unchanged(spec)).map((spec) => spec.name);
    if (http2.length > 0)
      this.#deps.log('warning', `HTTP/2 to upstreams is not there yet, requests go as HTTP/1.1: ${http2.join(', ')}`);
    clusters.apply('dynamic', specs);
    this.#deps.onEndpointNames(clusters.edsNames);
    this.clusterRecord.accept(resources, version, this.#deps.now(), true);
    await this.#warm([], 'clusters');
    return this.#accept('cds', version, `${protos.length} cluster(s)`);
  }

  onEndpoints(protos: readonly ClusterLoadAssignment[], version: string): Verdict {
    const problems = new Problems();
    const assignments: { readonly name: string; readonly endpoints: readonly EndpointSpec[] }[] = [];
    for (const proto of protos) {
      const at = problems.at(`endpoints[${proto.clusterName}]`);
      assignments.push({ name: proto.clusterName, endpoints: compileEndpoints(proto, 'ip', at) });
    }
    if (problems.list.length > 0) return this.#reject('eds', this.endpointRecord, problems.list, version);
    for (const { name, endpoints } of assignments) this.#deps.clusters.assign(name, endpoints);
    const resources = protos.map((resource) => ({ name: resource.clusterName, resource, changed: true }));
    this.endpointRecord.accept(resources, version, this.#deps.now(), false);
    this.endpointRecord.keepOnly(new Set(this.#deps.clusters.edsNames));
    return this.#accept('eds', version, `${protos.length} assignment(s)`);
  }

  onListeners(protos: readonly Listener[], version: string): Promise<Verdict> {
    const turn = this.#listenerTurn.then(() => this.#applyListeners(protos, version));
    this.#listenerTurn = turn.catch(FAILED_TURN);
    return turn;
  }

  onRoutes(protos: readonly RouteConfiguration[], version: string): Promise<Verdict> {
    const turn = this.#routeTurn.then(() => this.#applyRoutes(protos, version));
    this.#routeTurn = turn.catch(FAILED_TURN);
    return turn;
  }

  async #applyListeners(protos: readonly Listener[], version: string): Promise<Verdict> {
    const { routes, listeners, stats, openLog } = this.#deps;
    const names = new Set<string>();
    const context = compileContext(stats, openLog, routes, names);
    const problems = new Problems();
    const compiled: { readonly name: string; readonly bytes: Buffer; readonly table: ListenerTable }[] = [];
    for (const [i, proto] of protos.entries()) {
      const at = problems.at(`listeners[${proto.name === '' ? i : proto.name}]`);
      if (proto.name === '') at.add('name is empty');
      const bytes = Buffer.from(toBinary(ListenerSchema, proto));
      const known = this.#listenerBytes.get(proto.name);
      // Compiled anew even when unchanged: it is how the route tables still in use are found.
      const table = compileListener(proto, context, at);
      if (table !== undefined)
        compiled.push({ name: proto.name, bytes, table: known?.bytes.equals(bytes) ? known.table : table });
    }
    const tables = compiled.map((each) => each.table);
    const errors = problems.list.length > 0 ? problems.list : listeners.conflicts('dynamic', tables);
    if (errors.length > 0) {
      routes.keepOnly(this.#routeNames);
      return this.#reject('lds', this.listenerRecord, errors, version);
    }
    // Asked for before the listeners need them, and beside those that the present listeners use.
    this.#deps.onRouteNames([...new Set([...this.#routeNames, ...names])].sort());
    await this.#warm([...names], 'listeners');
    const failures = await listeners.apply('dynamic', tables);
    if (failures.length > 0) {
      this.#deps.onRouteNames([...this.#routeNames].sort());
      routes.keepOnly(this.#routeNames);
      return this.#reject('lds', this.listenerRecord, failures, version);
    }
    const before = new Map(this.#listenerBytes);
    this.#listenerBytes.clear();
    for (const each of compiled) this.#listenerBytes.set(each.name, each);
    this.#routeNames = names;
    this.#deps.onRouteNames([...names].sort());
    routes.keepOnly(names);
    this.routeRecord.keepOnly(names);
    const resources = compiled.map(({ name, bytes }, i) => ({
      name,
      resource: protos[i]!,
      changed: before.get(name)?.bytes.equals(bytes) !== true,
    }));
    this.listenerRecord.accept(resources, version, this.#deps.now(), true);
    return this.#accept('lds', version, `${protos.length} listener(s)`);
  }

  async #applyRoutes(protos: readonly RouteConfiguration[], version: string): Promise<Verdict> {
    const problems = new Problems();
    const tables: RouteTable[] = [];
    for (const proto of protos) {
      const compiled = compileRouteTable(proto);
      if (compiled.kind === 'table') tables.push(compiled.table);
      else for (const error of compiled.errors) problems.at(`route_configs[${proto.name}]`).add(error);
    }
    if (problems.list.length > 0) return this.#reject('rds', this.routeRecord, problems.list, version);
    // A route must not lead to a cluster whose endpoints are still on their way: that would be a 503 for nothing.
    await this.#warm([], 'routes');
    this.#deps.routes.set(tables);
    const resources = protos.map((resource) => ({ name: resource.name, resource, changed: true }));
    this.routeRecord.accept(resources, version, this.#deps.now(), false);
    return this.#accept('rds', version, `${protos.length} route table(s)`);
  }

  async #warm(routeNames: readonly string[], what: string): Promise<void> {
    const work = Promise.all([this.#deps.routes.known(routeNames), this.#deps.clusters.warmed()]);
    const outcome = await bounded(
      work.then(() => undefined),
      WARMING_LIMIT_MS,
    );
    if (outcome === 'late')
      this.#deps.log(
        'warning',
        `${what} go live although what they refer to has not all come in ${WARMING_LIMIT_MS} ms`,
      );
  }

  #accept(scope: Scope, version: string, what: string): undefined {
    const stats = this.#deps.stats.update(SCOPE_STATS[scope]);
    stats.updateAttempt++;
    stats.updateSuccess++;
    stats.version = version;
    this.#deps.log('info', `${scope}: version ${version} accepted: ${what}`);
    return undefined;
  }

  #reject(
    scope: Scope,
    record: { rejection: ConfigRecord<Cluster>['rejection'] },
    errors: readonly string[],
    version: string,
  ): string {
    const stats = this.#deps.stats.update(SCOPE_STATS[scope]);
    stats.updateAttempt++;
    stats.updateRejected++;
    const details = errors.join('; ');
    record.rejection = { version, details, at: this.#deps.now() };
    this.#deps.log('warning', `${scope}: version ${version} refused: ${details}`);
    return details;
  }
}

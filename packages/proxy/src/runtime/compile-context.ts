// What listeners are compiled against in a running proxy.
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import type { RouteConfiguration } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import type { StatsStore } from '../observe/stats.ts';
import type { OpenLog } from './compile-access-log.ts';
import type { RouteStore } from './route-store.ts';
import type { RouteSource } from './tables.ts';

/** What compiling a listener needs from the instance around it. */
export interface CompileContext {
  readonly stats: StatsStore;
  readonly openLog: OpenLog;
  /** The source of a route table that comes by RDS. */
  routes(name: string): RouteSource;
  inlineRoutes(
    config: RouteConfiguration,
  ):
    | { readonly kind: 'source'; readonly source: RouteSource }
    | { readonly kind: 'errors'; readonly errors: readonly string[] };
}

/** A context for one answer of LDS; `names` collects the route tables its listeners ask for. */
export function compileContext(
  stats: StatsStore,
  openLog: OpenLog,
  routes: RouteStore,
  names: Set<string>,
): CompileContext {
  return {
    stats,
    openLog,
    routes(name) {
      names.add(name);
      return routes.source(name);
    },
    inlineRoutes(config) {
      const compiled = compileRouteTable(config);
      if (compiled.kind === 'errors') return compiled;
      return { kind: 'source', source: { name: config.name, table: compiled.table } };
    },
  };
}

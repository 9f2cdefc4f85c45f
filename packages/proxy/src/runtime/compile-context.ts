// What listeners are compiled against in a running proxy.
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import type { StatsStore } from '../observe/stats.ts';
import type { OpenLog } from './compile-access-log.ts';
import type { CompileContext } from './compile-listener.ts';
import type { RouteStore } from './route-store.ts';

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

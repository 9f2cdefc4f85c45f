// route.v3.RouteMatch as one function: path, then the stream's random value, headers and query parameters.
import type { RouteMatch } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { runtimeFraction } from './fraction.ts';
import { compileHeaderMatch, type RequestTest } from './header-match.ts';
import { compilePathMatch, type PathMatch } from './path-match.ts';
import type { Problems } from './problems.ts';
import { compileQueryMatch } from './query-match.ts';
import type { RequestView } from './request-view.ts';

/** A request's one random number, drawn when first asked for (Envoy: one random value for each stream). */
export interface Chance {
  readonly value: number;
}

export interface CompiledMatch {
  readonly path: PathMatch;
  /** `path` comes without query and fragment. */
  accepts(request: RequestView, path: string, chance: Chance): boolean;
}

const isGrpc: RequestTest = (request) => {
  const type = request.header('content-type');
  return type !== undefined && /^application\/grpc(?:$|\+)/.test(type);
};

export function compileMatch(match: RouteMatch | undefined, problems: Problems): CompiledMatch | undefined {
  if (match === undefined) {
    problems.add('match is missing');
    return undefined;
  }
  const path = compilePathMatch(match, problems);
  problems.unsupported('tls_context', match.tlsContext !== undefined);
  problems.unsupported('dynamic_metadata', match.dynamicMetadata.length > 0);
  const tests: RequestTest[] = match.headers.map((header, i) =>
    compileHeaderMatch(header, problems.at(`headers[${i}]`)),
  );
  for (const [i, query] of match.queryParameters.entries())
    tests.push(compileQueryMatch(query, problems.at(`query_parameters[${i}]`)));
  if (match.grpc !== undefined) tests.push(isGrpc);
  const share = runtimeFraction(match.runtimeFraction, 1);
  if (path === undefined) return undefined;
  return {
    path,
    accepts(request, bare, chance) {
      if (!path.test(bare, request.method)) return false;
      if (share < 1 && chance.value >= share) return false;
      for (let i = 0; i < tests.length; i++) if (!tests[i]!(request)) return false;
      return true;
    },
  };
}

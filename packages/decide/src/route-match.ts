// route.v3.RouteMatch as one function: path, then the stream's random value, headers and query parameters.
import type { RouteMatch } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { type FractionalPercent, FractionalPercent_DenominatorType } from '@varka/xds/gen/envoy/type/v3/percent_pb.ts';
import { compileHeaderMatch, type RequestTest } from './header-match.ts';
import { compilePathMatch, type PathMatch } from './path-match.ts';
import type { Problems } from './problems.ts';
import { compileQueryMatch } from './query-match.ts';
import type { RequestView } from './route-table.ts';

/** A request's one random number, drawn when first asked for (Envoy: one random value for each stream). */
export interface Chance {
  readonly value: number;
}

export interface CompiledMatch {
  readonly path: PathMatch;
  /** `path` comes without query and fragment. */
  accepts(request: RequestView, path: string, chance: Chance): boolean;
}

/** type.v3.FractionalPercent as a number in [0, 1]. */
export function fraction(percent: FractionalPercent): number {
  switch (percent.denominator) {
    case FractionalPercent_DenominatorType.MILLION:
      return percent.numerator / 1e6;
    case FractionalPercent_DenominatorType.TEN_THOUSAND:
      return percent.numerator / 1e4;
    default:
      return percent.numerator / 100;
  }
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
  // There is no runtime here, so the key never overrides the default (RouteMatch.runtime_fraction).
  const percent = match.runtimeFraction?.defaultValue;
  const share = percent === undefined ? 1 : fraction(percent);
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

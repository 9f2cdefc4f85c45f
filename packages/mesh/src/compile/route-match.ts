// HTTPMatchRequest as an Envoy RouteMatch [istio route.go translateRouteMatch].
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
  RouteSchema,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { StringMatcherSchema } from '@varka/xds/gen/envoy/type/matcher/v3/string_pb.ts';
import type { HttpMatchRequest, StringMatch } from '../config/istio-types.ts';
import type { Init } from './messages.ts';

type MatchInit = Init<typeof RouteMatchSchema>;
type HeaderMatch = Init<typeof HeaderMatcherSchema>;

export const CATCH_ALL: MatchInit = { pathSpecifier: { case: 'prefix', value: '/' } };

export function routeMatch(match: HttpMatchRequest | undefined): MatchInit {
  if (match === undefined) return CATCH_ALL;
  const headers: HeaderMatch[] = [];
  // Sorted by name, so that the order of a YAML map never makes a difference.
  for (const [name, value] of sorted(match.headers)) headers.push(headerMatch(name.toLowerCase(), value));
  for (const [name, value] of sorted(match.withoutHeaders)) headers.push(without(name.toLowerCase(), value));
  for (const [name, value] of [
    [':method', match.method],
    [':authority', match.authority],
    [':scheme', match.scheme],
  ] as const)
    if (value !== undefined) headers.push(headerMatch(name, value));
  return {
    pathSpecifier: pathSpecifier(match.uri),
    ...(match.ignoreUriCase === true ? { caseSensitive: false } : {}),
    headers,
    queryParameters: sorted(match.queryParams).map(([name, value]) => queryMatch(name, value)),
  };
}

/** Nothing after such a route can ever be reached. */
export function isCatchAll(match: NonNullable<Init<typeof RouteSchema>['match']>): boolean {
  const path = match.pathSpecifier;
  const anyPath =
    (path?.case === 'prefix' && path.value === '/') || (path?.case === 'safeRegex' && path.value.regex === '.*');
  return anyPath && (match.headers ?? []).length === 0 && (match.queryParameters ?? []).length === 0;
}

function pathSpecifier(uri: StringMatch | undefined): NonNullable<MatchInit['pathSpecifier']> {
  if (uri?.exact !== undefined) return { case: 'path', value: uri.exact };
  if (uri?.prefix !== undefined) return { case: 'prefix', value: uri.prefix };
  // `*` is what people write for "any"; as a pattern it would be refused.
  if (uri?.regex !== undefined) return { case: 'safeRegex', value: { regex: uri.regex === '*' ? '.*' : uri.regex } };
  return { case: 'prefix', value: '/' };
}

/** undefined when the match asks for no more than that the value is there. */
function stringMatcher(match: StringMatch): Init<typeof StringMatcherSchema> | undefined {
  if (match.exact !== undefined) return { matchPattern: { case: 'exact', value: match.exact } };
  if (match.prefix) return { matchPattern: { case: 'prefix', value: match.prefix } };
  if (match.regex !== undefined && match.regex !== '*')
    return { matchPattern: { case: 'safeRegex', value: { regex: match.regex } } };
  return undefined;
}

function headerMatch(name: string, match: StringMatch): HeaderMatch {
  const matcher = stringMatcher(match ?? {});
  return matcher === undefined
    ? { name, headerMatchSpecifier: { case: 'presentMatch', value: true } }
    : { name, headerMatchSpecifier: { case: 'stringMatch', value: matcher } };
}

function without(name: string, match: StringMatch): HeaderMatch {
  const positive = headerMatch(name, match);
  const present = positive.headerMatchSpecifier?.case === 'presentMatch';
  // A header that is not there has not the value either.
  return { ...positive, invertMatch: true, ...(present ? {} : { treatMissingHeaderAsEmpty: true }) };
}

function queryMatch(name: string, match: StringMatch): Init<typeof QueryParameterMatcherSchema> {
  const matcher = stringMatcher(match ?? {});
  return matcher === undefined
    ? { name, queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }
    : { name, queryParameterMatchSpecifier: { case: 'stringMatch', value: matcher } };
}

function sorted<T>(record: Readonly<Record<string, T>> | undefined): [string, T][] {
  return Object.entries(record ?? {}).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

// A VirtualService's HTTP rules as Envoy routes [istio route.go BuildHTTPRoutesForVirtualService].
import type {
  RouteActionSchema,
  RouteSchema,
  WeightedCluster_ClusterWeightSchema,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { resolveHost } from '../config/host-names.ts';
import type { HttpMatchRequest, HttpRewrite, HttpRoute, HttpRouteDestination } from '../config/istio-types.ts';
import { resolveGateway, type VirtualService } from '../config/virtual-service.ts';
import type { Snapshot } from '../snapshot.ts';
import { destinationCluster } from './destination-cluster.ts';
import { type HeaderEdits, headerEdits, joinEdits } from './header-operations.ts';
import { configUri, duration, type Init, istioMetadata, ZERO_DURATION } from './messages.ts';
import { mirrorPolicies } from './mirrors.ts';
import { directResponse, redirectAction } from './redirect.ts';
import { retryPolicy } from './retry-policy.ts';
import { routeFilterConfigs } from './route-filter-configs.ts';
import { isCatchAll, routeMatch } from './route-match.ts';

export type RouteInit = Init<typeof RouteSchema>;
type ActionInit = Init<typeof RouteActionSchema>;

/** Where the routes are for: who asks, and through which listener. */
export interface RouteScope {
  /** `mesh`, or the gateways of one listener port, as `namespace/name`. */
  readonly gateways: ReadonlySet<string>;
  /** The port the client asked for: a service's on a sidecar, a Gateway server's on a gateway. */
  readonly port: number;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** In order; nothing follows a rule that takes every request. */
export function virtualServiceRoutes(snapshot: Snapshot, rule: VirtualService, scope: RouteScope): RouteInit[] {
  const routes: RouteInit[] = [];
  for (const [index, http] of rule.http.entries()) {
    const matches: readonly (HttpMatchRequest | undefined)[] = http.match?.length ? http.match : [undefined];
    for (const [matchIndex, match] of matches.entries()) {
      if (match !== undefined && !applies(match, rule, scope)) continue;
      const where = match === undefined ? `http[${index}]` : `http[${index}].match[${matchIndex}]`;
      const route = buildRoute(snapshot, rule, http, match, where, scope);
      routes.push(route);
      if (isCatchAll(route.match!)) return routes;
    }
  }
  return routes;
}

/** Conditions that are settled when configuration is made, not when a request comes. */
function applies(match: HttpMatchRequest, rule: VirtualService, scope: RouteScope): boolean {
  if (match.port !== undefined && match.port !== 0 && match.port !== scope.port) return false;
  if (match.gateways !== undefined && match.gateways.length > 0)
    return match.gateways.some((gateway) => scope.gateways.has(resolveGateway(gateway, rule.namespace)));
  const labelsMatch = Object.entries(match.sourceLabels ?? {}).every(([key, value]) => scope.labels[key] === value);
  return labelsMatch && (!match.sourceNamespace || match.sourceNamespace === scope.namespace);
}

function buildRoute(
  snapshot: Snapshot,
  rule: VirtualService,
  http: HttpRoute,
  match: HttpMatchRequest | undefined,
  where: string,
  scope: RouteScope,
): RouteInit {
  const { host: _, ...edits } = ruleEdits(http);
  const compiled = routeMatch(match);
  return {
    name: [http.name, match?.name].filter((part) => part).join('.'),
    match: compiled,
    metadata: istioMetadata({ config: configUri('virtual-service', rule.namespace, rule.name), rule: where }),
    ...edits,
    ...decorator(snapshot, rule, http, compiled),
    typedPerFilterConfig: routeFilterConfigs(http),
    action: action(snapshot, rule, http, scope),
  };
}

/** A rule with one destination has that destination's edits too. */
function ruleEdits(http: HttpRoute): HeaderEdits {
  const edits = headerEdits(http.headers);
  const only = soleDestination(http);
  return only === undefined ? edits : joinEdits(edits, headerEdits(only.headers));
}

function soleDestination(http: HttpRoute): HttpRouteDestination | undefined {
  return http.route?.length === 1 ? http.route[0] : undefined;
}

function action(
  snapshot: Snapshot,
  rule: VirtualService,
  http: HttpRoute,
  scope: RouteScope,
): NonNullable<RouteInit['action']> {
  if (http.redirect !== undefined) return { case: 'redirect', value: redirectAction(http.redirect, scope.port) };
  if (http.directResponse !== undefined) return { case: 'directResponse', value: directResponse(http.directResponse) };
  const clusterSpecifier = clusters(snapshot, rule, http, scope);
  // Every weight is 0, or there is no destination: nothing can serve it, and an empty choice would be refused.
  if (clusterSpecifier === undefined) return { case: 'directResponse', value: { status: 503 } };
  const timeout = duration(http.timeout) ?? ZERO_DURATION;
  const retry = retryPolicy(http.retries);
  const host = http.rewrite?.authority || ruleEdits(http).host;
  return {
    case: 'route',
    value: {
      clusterSpecifier,
      timeout,
      maxStreamDuration: { grpcTimeoutHeaderMax: timeout },
      ...(retry === undefined ? {} : { retryPolicy: retry }),
      requestMirrorPolicies: mirrorPolicies(snapshot, rule.namespace, http, scope.port),
      ...rewrite(http.rewrite),
      ...(host ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host } } : {}),
    },
  };
}

function rewrite(rewriteRule: HttpRewrite | undefined): Pick<ActionInit, 'prefixRewrite' | 'regexRewrite'> {
  const regex = rewriteRule?.uriRegexRewrite;
  if (regex !== undefined) return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite } };
  return rewriteRule?.uri ? { prefixRewrite: rewriteRule.uri } : {};
}

function clusters(
  snapshot: Snapshot,
  rule: VirtualService,
  http: HttpRoute,
  scope: RouteScope,
): ActionInit['clusterSpecifier'] | undefined {
  const only = soleDestination(http);
  // One destination gets everything, whatever its weight says.
  if (only !== undefined)
    return { case: 'cluster', value: destinationCluster(snapshot, only.destination, rule.namespace, scope.port) };
  const weighted = (http.route ?? []).filter(({ weight = 0 }) => weight > 0);
  if (weighted.length === 0) return undefined;
  return {
    case: 'weightedClusters',
    value: {
      clusters: weighted.map(
        ({ destination, weight = 0, headers }): Init<typeof WeightedCluster_ClusterWeightSchema> => {
          const { host, ...edits } = headerEdits(headers);
          return {
            name: destinationCluster(snapshot, destination, rule.namespace, scope.port),
            weight,
            ...edits,
            ...(host ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host } } : {}),
          };
        },
      ),
    },
  };
}

/** Names the operation in traces: `host:port/path*` of the rule's first destination. */
function decorator(
  snapshot: Snapshot,
  rule: VirtualService,
  http: HttpRoute,
  match: NonNullable<RouteInit['match']>,
): Pick<RouteInit, 'decorator'> {
  const first = http.route?.[0]?.destination;
  if (first === undefined) return {};
  const path = match.pathSpecifier;
  const suffix = path?.case === 'path' ? path.value : path?.case === 'prefix' ? `${path.value}*` : '/*';
  const port = first.port?.number === undefined ? '' : `:${first.port.number}`;
  const host = resolveHost(first.host, rule.namespace, snapshot.mesh.clusterDomain);
  return { decorator: { operation: `${host}${port}${suffix}` } };
}

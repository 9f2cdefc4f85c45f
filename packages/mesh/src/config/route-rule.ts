// RouteRules (config.istio.io/v1alpha2, Istio 0.x), written as what they mean in today's words: a VirtualService for each
// service that has any, and the DestinationRule whose subsets its labels name. Pure.
import type { KubeObject } from '@varka/kube/object.ts';
import type {
  CorsPolicy,
  Destination,
  DestinationRuleObject,
  HttpMatchRequest,
  HttpRoute,
  StringMatch,
  Subset,
  VirtualServiceObject,
} from './istio-types.ts';

type Labels = Readonly<Record<string, string>>;

interface ServiceName {
  readonly name?: string;
  readonly namespace?: string;
  /** A fully qualified name, instead of the others. */
  readonly service?: string;
  readonly labels?: Labels;
}

export interface RouteRuleObject extends KubeObject {
  spec?: {
    destination: ServiceName;
    precedence?: number;
    match?: { source?: ServiceName; request?: { headers?: Record<string, StringMatch> } };
    route?: readonly { readonly labels?: Labels; readonly weight?: number; readonly destination?: ServiceName }[];
    redirect?: { uri?: string; authority?: string };
    rewrite?: { uri?: string; authority?: string };
    httpReqTimeout?: { simpleTimeout?: { timeout?: string } };
    httpReqRetries?: { simpleRetry?: { attempts?: number; perTryTimeout?: string } };
    httpFault?: {
      delay?: { percent?: number; fixedDelay?: string };
      abort?: { percent?: number; httpStatus?: number; grpcStatus?: string };
    };
    mirror?: ServiceName;
    corsPolicy?: CorsPolicy;
    appendHeaders?: Record<string, string>;
  };
}

export interface RouteRuleConfig {
  readonly virtualServices: readonly VirtualServiceObject[];
  readonly destinationRules: readonly DestinationRuleObject[];
}

/** What Istio tried again on before 1.1; today's default leaves out the service's own 5xx answers. */
const RETRY_ON = '5xx,connect-failure,refused-stream';

/** These stood among the headers. */
const PSEUDO_HEADERS = ['uri', 'scheme', 'method', 'authority'] as const;

/** `rules` oldest first; the higher precedence goes first, of equals the older rule. */
export function routeRuleConfig(rules: readonly RouteRuleObject[], clusterDomain: string): RouteRuleConfig {
  const byHost = new Map<string, RouteRuleObject[]>();
  for (const rule of rules) {
    if (rule.spec === undefined) continue;
    const host = hostOf(rule.spec.destination, rule, clusterDomain);
    byHost.set(host, [...(byHost.get(host) ?? []), rule]);
  }
  const virtualServices: VirtualServiceObject[] = [];
  const destinationRules: DestinationRuleObject[] = [];
  for (const [host, own] of byHost) {
    const ordered = own.toSorted((a, b) => (b.spec?.precedence ?? 0) - (a.spec?.precedence ?? 0));
    const subsets = new Map<string, Map<string, Subset>>();
    /** The destination of some labels, with the subset that it needs noted. */
    const destination = (target: string, labels: Labels | undefined): Destination => {
      if (labels === undefined || Object.keys(labels).length === 0) return { host: target };
      const name = subsetName(labels);
      const known = subsets.get(target) ?? new Map<string, Subset>();
      subsets.set(target, known.set(name, { name, labels: { ...labels } }));
      return { host: target, subset: name };
    };
    const http = ordered.map((rule) => httpRoute(rule, host, destination, clusterDomain));
    // What no rule is for went to the service as a whole.
    if (http.every(({ match }) => match !== undefined))
      http.push({ name: 'default-route', route: [{ destination: { host } }] });
    virtualServices.push({ metadata: metadataOf(host, ordered[0]), spec: { hosts: [host], http } });
    for (const [target, known] of subsets)
      destinationRules.push({
        metadata: metadataOf(target, ordered[0]),
        spec: { host: target, subsets: [...known.values()] },
      });
  }
  return { virtualServices, destinationRules };
}

/**
 * An Ingress led to a service, and the service's RouteRules then said where: the ingress proxy followed both. `outer` is
 * a route that leads to a service, `rules` the RouteRules' VirtualService for it.
 */
export function throughRouteRules(outer: HttpRoute, rules: VirtualServiceObject): HttpRoute[] {
  const port = outer.route?.[0]?.destination.port;
  return (rules.spec?.http ?? []).flatMap((http): HttpRoute[] => {
    const match = bothMatches(outer.match, http.match);
    if (match?.length === 0) return [];
    const route = http.route?.map((one) => ({
      ...one,
      destination: { ...one.destination, ...(port === undefined ? {} : { port }) },
    }));
    const { match: _, ...rest } = http;
    return [
      {
        ...rest,
        ...(match === undefined ? {} : { match }),
        ...(route === undefined ? {} : { route }),
        ...(outer.name === undefined ? {} : { name: outer.name }),
      },
    ];
  });
}

function bothMatches(
  outer: readonly HttpMatchRequest[] | undefined,
  inner: readonly HttpMatchRequest[] | undefined,
): HttpMatchRequest[] | undefined {
  if (outer === undefined || inner === undefined) return (outer ?? inner)?.slice();
  return outer.flatMap((a) =>
    inner.flatMap((b) => {
      const uri = a.uri === undefined || b.uri === undefined ? (a.uri ?? b.uri) : narrower(a.uri, b.uri);
      if (uri === undefined && a.uri !== undefined) return [];
      return [{ ...a, ...b, ...(uri === undefined ? {} : { uri }), headers: { ...a.headers, ...b.headers } }];
    }),
  );
}

/** What both let through: one of them, where it lies within the other. Of anything else nothing is let through. */
function narrower(a: StringMatch, b: StringMatch): StringMatch | undefined {
  if (within(b, a)) return b;
  return within(a, b) ? a : undefined;
}

function within(one: StringMatch, other: StringMatch): boolean {
  const text = one.exact ?? one.prefix;
  if (other.prefix !== undefined) return text?.startsWith(other.prefix) === true;
  return one.exact !== undefined && one.exact === other.exact;
}

function httpRoute(
  rule: RouteRuleObject,
  host: string,
  destination: (host: string, labels: Labels | undefined) => Destination,
  clusterDomain: string,
): HttpRoute {
  const spec = rule.spec!;
  const match = matchOf(spec.match);
  const timeout = spec.httpReqTimeout?.simpleTimeout?.timeout;
  const retry = spec.httpReqRetries?.simpleRetry;
  const mirror = spec.mirror;
  const entries = spec.route?.length ? spec.route : [{}];
  const route = entries.map(({ labels, weight, destination: other }) => ({
    destination: destination(other === undefined ? host : hostOf(other, rule, clusterDomain), labels),
    ...(weight === undefined || entries.length === 1 ? {} : { weight }),
  }));
  return {
    name: rule.metadata?.name ?? '',
    ...(match === undefined ? {} : { match: [match] }),
    ...(spec.redirect === undefined ? { route } : { redirect: spec.redirect }),
    ...(spec.rewrite === undefined ? {} : { rewrite: spec.rewrite }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(retry === undefined ? {} : { retries: { ...retry, retryOn: RETRY_ON } }),
    ...faultOf(spec.httpFault),
    ...(mirror === undefined ? {} : { mirror: destination(hostOf(mirror, rule, clusterDomain), mirror.labels) }),
    ...(spec.corsPolicy === undefined ? {} : { corsPolicy: spec.corsPolicy }),
    ...(spec.appendHeaders === undefined ? {} : { headers: { request: { add: spec.appendHeaders } } }),
  };
}

function matchOf(match: NonNullable<RouteRuleObject['spec']>['match']): HttpMatchRequest | undefined {
  const headers = { ...match?.request?.headers };
  const result: HttpMatchRequest = {};
  for (const name of PSEUDO_HEADERS) {
    const value = headers[name];
    if (value === undefined) continue;
    result[name] = value;
    delete headers[name];
  }
  if (Object.keys(headers).length > 0) result.headers = headers;
  const labels = match?.source?.labels;
  if (labels !== undefined) result.sourceLabels = { ...labels };
  return Object.keys(result).length === 0 ? undefined : result;
}

function faultOf(fault: NonNullable<RouteRuleObject['spec']>['httpFault']): Pick<HttpRoute, 'fault'> {
  if (fault === undefined) return {};
  const share = (percent: number | undefined) => ({ percentage: { value: percent ?? 0 } });
  const { delay, abort } = fault;
  return {
    fault: {
      ...(delay?.fixedDelay === undefined ? {} : { delay: { fixedDelay: delay.fixedDelay, ...share(delay.percent) } }),
      ...(abort === undefined
        ? {}
        : {
            abort: {
              ...(abort.httpStatus === undefined ? {} : { httpStatus: abort.httpStatus }),
              ...(abort.grpcStatus === undefined ? {} : { grpcStatus: abort.grpcStatus }),
              ...share(abort.percent),
            },
          }),
    },
  };
}

function hostOf({ name = '', namespace, service }: ServiceName, rule: RouteRuleObject, clusterDomain: string): string {
  return service ?? `${name}.${namespace ?? rule.metadata?.namespace ?? 'default'}.svc.${clusterDomain}`;
}

/** The same labels give the same name; one that no user would give by chance. */
function subsetName(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}-${value}`);
  return parts
    .sort()
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
}

function metadataOf(host: string, oldest: RouteRuleObject | undefined): NonNullable<KubeObject['metadata']> {
  const [name = host, namespace = 'default'] = host.split('.');
  return {
    name: `${name}-route-rules`,
    namespace,
    ...(oldest?.metadata?.creationTimestamp === undefined
      ? {}
      : { creationTimestamp: oldest.metadata.creationTimestamp }),
  };
}

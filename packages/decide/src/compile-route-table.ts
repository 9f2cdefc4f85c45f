// From an xDS RouteConfiguration to a RouteTable, or to the list of what is wrong with it.

import {
  type Route,
  VirtualHost_TlsRequirementType as Tls,
  type VirtualHost,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { RouteConfiguration } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { compileDirectResponse } from './direct-response.ts';
import { compileFilterConfigs, type FilterConfigs, joinFilterConfigs, NO_FILTER_CONFIGS } from './filter-configs.ts';
import { compileLevel, type HeaderLevel, joinLevels, type LevelEdits } from './header-edits.ts';
import { compileMirrors, type Mirror } from './mirror.ts';
import { pathLength } from './path-match.ts';
import { Problems } from './problems.ts';
import { compileRedirect } from './redirect.ts';
import type { RequestView } from './request-view.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { compileRouteAction, type RouteScope } from './route-action.ts';
import { type Chance, type CompiledMatch, compileMatch } from './route-match.ts';
import type { RouteDecision, RouteTable } from './route-table.ts';
import { VirtualHosts } from './virtual-hosts.ts';

export type CompiledRouteTable =
  | { readonly kind: 'table'; readonly table: RouteTable }
  | { readonly kind: 'errors'; readonly errors: readonly string[] };

interface CompiledRoute {
  readonly match: CompiledMatch;
  readonly act: (request: RequestView, bare: number, chance: Chance) => RouteDecision;
}

interface CompiledHost {
  readonly name: string;
  readonly requireTls: boolean;
  readonly routes: readonly CompiledRoute[];
}

/** What a virtual host takes from the route configuration around it. */
interface Outer {
  readonly edits: LevelEdits;
  readonly filters: FilterConfigs;
  readonly mirrors: readonly Mirror[];
  readonly mostSpecificWins: boolean;
  readonly maxBodyBytes: number;
}

const NONE: RouteDecision = { kind: 'none' };

/** RouteConfiguration.max_direct_response_body_size_bytes. */
const DEFAULT_MAX_BODY_BYTES = 4096;

/** Draws when first asked and then remembers: a stream has one random value, which all its choices share. */
class StreamChance implements Chance {
  readonly #draw: () => number;
  #value: number | undefined = undefined;

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  get value(): number {
    this.#value ??= this.#draw();
    return this.#value;
  }
}

class Table implements RouteTable {
  readonly name: string;
  readonly #hosts: VirtualHosts<CompiledHost>;

  constructor(name: string, hosts: VirtualHosts<CompiledHost>) {
    this.name = name;
    this.#hosts = hosts;
  }

  decide(request: RequestView, draw: () => number): RouteDecision {
    const host = this.#hosts.find(request.authority);
    if (host === undefined) return NONE;
    if (host.requireTls && !isSecure(request)) return toTls(host, request);
    const bare = pathLength(request.path);
    const path = bare === request.path.length ? request.path : request.path.slice(0, bare);
    const chance = new StreamChance(draw);
    const { routes } = host;
    for (let i = 0; i < routes.length; i++) {
      const route = routes[i]!;
      if (route.match.accepts(request, path, chance)) return route.act(request, bare, chance);
    }
    return NONE;
  }
}

function isSecure(request: RequestView): boolean {
  return (request.header('x-forwarded-proto') ?? request.scheme) === 'https';
}

/** VirtualHost.require_tls ALL: Istio's httpsRedirect (Envoy: SslRedirectRoute). */
function toTls(host: CompiledHost, request: RequestView): RouteDecision {
  return {
    kind: 'redirect',
    routeName: '',
    virtualHost: host.name,
    status: 301,
    location: `https://${request.authority}${request.path}`,
    responseHeaders: [],
    filters: NO_FILTER_CONFIGS,
  };
}

export function compileRouteTable(config: RouteConfiguration): CompiledRouteTable {
  const problems = new Problems();
  problems.unsupported('vhds', config.vhds !== undefined);
  problems.unsupported('internal_only_headers', config.internalOnlyHeaders.length > 0);
  problems.unsupported('cluster_specifier_plugins', config.clusterSpecifierPlugins.length > 0);
  problems.unsupported('ignore_path_parameters_in_path_matching', config.ignorePathParametersInPathMatching);
  const outer: Outer = {
    edits: compileLevel(config as HeaderLevel, problems),
    filters: compileFilterConfigs(config.typedPerFilterConfig, problems),
    mirrors: compileMirrors(config.requestMirrorPolicies, problems),
    mostSpecificWins: config.mostSpecificHeaderMutationsWins,
    maxBodyBytes: config.maxDirectResponseBodySizeBytes ?? DEFAULT_MAX_BODY_BYTES,
  };
  const hosts = new VirtualHosts<CompiledHost>(config.ignorePortInHostMatching);
  const names = new Set<string>();
  for (const [i, host] of config.virtualHosts.entries()) {
    const at = problems.at(`virtual_hosts[${host.name === '' ? i : host.name}]`);
    if (host.name === '') at.add('name is empty');
    if (names.has(host.name)) at.add('the name is there twice');
    names.add(host.name);
    const compiled = compileHost(host, outer, at);
    if (host.domains.length === 0) at.add('domains is empty');
    for (const domain of host.domains) hosts.add(domain, compiled, at);
  }
  if (problems.list.length > 0) return { kind: 'errors', errors: problems.list };
  return { kind: 'table', table: new Table(config.name, hosts) };
}

function compileHost(host: VirtualHost, outer: Outer, problems: Problems): CompiledHost {
  problems.unsupported('matcher', host.matcher !== undefined);
  problems.unsupported('require_tls EXTERNAL_ONLY', host.requireTls === Tls.EXTERNAL_ONLY);
  problems.unsupported('cors', host.cors !== undefined);
  problems.unsupported('hedge_policy', host.hedgePolicy !== undefined);
  problems.unsupported('retry_policy_typed_config', host.retryPolicyTypedConfig !== undefined);
  problems.unsupported('include_attempt_count_in_response', host.includeAttemptCountInResponse);
  problems.unsupported('include_is_timeout_retry_header', host.includeIsTimeoutRetryHeader);
  const filters = compileFilterConfigs(host.typedPerFilterConfig, problems);
  const ownMirrors = compileMirrors(host.requestMirrorPolicies, problems);
  const mirrors = ownMirrors.length > 0 ? ownMirrors : outer.mirrors;
  const edits = compileLevel(host as HeaderLevel, problems);
  const retry = compileRetryPolicy(host.retryPolicy, problems.at('retry_policy'));
  const routes: CompiledRoute[] = [];
  for (const [i, route] of host.routes.entries()) {
    const at = problems.at(`routes[${route.name === '' ? i : route.name}]`);
    const own = compileLevel(route as HeaderLevel, at);
    const compiled = compileRoute(
      route,
      {
        routeName: route.name,
        virtualHost: host.name,
        includeAttemptCount: host.includeRequestAttemptCount,
        retry,
        levels: [own, edits, outer.edits],
        mostSpecificWins: outer.mostSpecificWins,
        filters: [compileFilterConfigs(route.typedPerFilterConfig, at), filters, outer.filters],
        mirrors,
      },
      outer,
      at,
    );
    if (compiled !== undefined) routes.push(compiled);
  }
  return { name: host.name, requireTls: host.requireTls === Tls.ALL, routes };
}

function compileRoute(route: Route, scope: RouteScope, outer: Outer, problems: Problems): CompiledRoute | undefined {
  const match = compileMatch(route.match, problems.at('match'));
  const { routeName, virtualHost } = scope;
  // Without its match an action can't be compiled, but its own mistakes should show in the same answer.
  const path = match?.path ?? { test: () => false, prefixLength: undefined };
  const responseHeaders = joinLevels(scope.levels, scope.mostSpecificWins).response;
  const filters = joinFilterConfigs(scope.filters);
  const { action } = route;
  switch (action.case) {
    case 'route': {
      const act = compileRouteAction(action.value, path, scope, problems.at('route'));
      return match && act && { match, act };
    }
    case 'redirect': {
      const redirect = compileRedirect(action.value, path, problems.at('redirect'));
      if (match === undefined || redirect === undefined) return undefined;
      const { status } = redirect;
      const act = (request: RequestView): RouteDecision => {
        const location = redirect.location(request);
        return { kind: 'redirect', routeName, virtualHost, status, location, responseHeaders, filters };
      };
      return { match, act };
    }
    case 'directResponse': {
      const { status, body } = compileDirectResponse(action.value, outer.maxBodyBytes, problems.at('direct_response'));
      const decision: RouteDecision = {
        kind: 'direct',
        routeName,
        virtualHost,
        status,
        body,
        responseHeaders,
        filters,
      };
      return match && { match, act: () => decision };
    }
    default:
      problems.add(action.case === undefined ? 'action is missing' : `${action.case} is not supported`);
      return undefined;
  }
}

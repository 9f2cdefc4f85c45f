// route.v3.RouteAction: everything a forwarded request needs to know, compiled once.
import {
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RouteAction,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { type ClusterTarget, compileClusterChoice, targetName } from './cluster-choice.ts';
import { durationMs } from './duration.ts';
import { type FilterConfigs, joinFilterConfigs } from './filter-configs.ts';
import type { HeaderEdit } from './header-edits.ts';
import { joinLevels, type LevelEdits } from './header-edits.ts';
import { headerReader } from './header-match.ts';
import { compileMirrors, type Mirror } from './mirror.ts';
import type { PathMatch } from './path-match.ts';
import { compilePathRewrite } from './path-rewrite.ts';
import type { Problems } from './problems.ts';
import { compileSubstitution } from './regex.ts';
import type { RequestView } from './request-view.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import type { Chance } from './route-match.ts';
import type { ForwardDecision, RetryPolicy } from './route-table.ts';

/** What a route inherits from its virtual host and its route configuration. */
export interface RouteScope {
  readonly routeName: string;
  readonly virtualHost: string;
  readonly includeAttemptCount: boolean;
  readonly retry: RetryPolicy | undefined;
  /** Header edits of the levels above a weighted cluster, most specific first. */
  readonly levels: readonly LevelEdits[];
  readonly mostSpecificWins: boolean;
  /** What the levels above a weighted cluster say to the filters, most specific first. */
  readonly filters: readonly FilterConfigs[];
  /** The virtual host's, or its configuration's. */
  readonly mirrors: readonly Mirror[];
}

export type Forward = (request: RequestView, bare: number, chance: Chance) => ForwardDecision;

/** Envoy's default when a route says nothing (RouteAction.timeout). */
const DEFAULT_TIMEOUT_MS = 15_000;

const NOT_FOUND_STATUS: Readonly<Record<number, number>> = {
  [NotFound.SERVICE_UNAVAILABLE]: 503,
  [NotFound.NOT_FOUND]: 404,
  [NotFound.INTERNAL_SERVER_ERROR]: 500,
};

/** What would change how a request is carried out and isn't. Not listed, because without effect on what is carried out:
 * metadata, decorator, tracing, priority and hash_policy (they matter to balancers that clusters may not ask for yet),
 * rate_limits (no rate limit filter is accepted), max_grpc_timeout and early_data_policy. */
function refuseUnsupported(action: RouteAction, problems: Problems): void {
  problems.unsupported('metadata_match', action.metadataMatch !== undefined);
  problems.unsupported('path_rewrite_policy', action.pathRewritePolicy !== undefined);
  problems.unsupported('idle_timeout', action.idleTimeout !== undefined && durationMs(action.idleTimeout) > 0);
  problems.unsupported('retry_policy_typed_config', action.retryPolicyTypedConfig !== undefined);
  // Deprecated in favour of the filter's own configuration.
  problems.unsupported('cors', action.cors !== undefined);
  problems.unsupported('internal_redirect_policy', action.internalRedirectPolicy !== undefined);
  problems.unsupported('internal_redirect_action', action.internalRedirectAction !== 0);
  problems.unsupported('hedge_policy', action.hedgePolicy !== undefined);
  const max = action.maxStreamDuration?.maxStreamDuration;
  problems.unsupported('max_stream_duration', max !== undefined && durationMs(max) > 0);
  for (const [i, upgrade] of action.upgradeConfigs.entries())
    if (upgrade.upgradeType.toLowerCase() !== 'websocket' || upgrade.enabled === false)
      problems.at(`upgrade_configs[${i}]`).add(`only an enabled "websocket" is supported`);
}

/** How the Host header is rewritten, a weighted cluster's literal aside. */
function compileHostRewrite(
  action: RouteAction,
  problems: Problems,
): ((request: RequestView) => string | undefined) | undefined {
  const specifier = action.hostRewriteSpecifier;
  switch (specifier.case) {
    case undefined:
      return undefined;
    case 'hostRewriteLiteral': {
      const host = specifier.value === '' ? undefined : specifier.value;
      return () => host;
    }
    case 'hostRewriteHeader': {
      const read = headerReader(specifier.value.toLowerCase());
      return (request) => read(request) || undefined;
    }
    case 'hostRewritePathRegex': {
      const substitute = compileSubstitution(specifier.value, problems.at('host_rewrite_path_regex'));
      return substitute && ((request) => substitute(request.path.split(/[?#]/, 1)[0]!) || undefined);
    }
    case 'autoHostRewrite':
      problems.unsupported('auto_host_rewrite', specifier.value.value);
      return undefined;
  }
}

export function compileRouteAction(
  action: RouteAction,
  match: PathMatch,
  scope: RouteScope,
  problems: Problems,
): Forward | undefined {
  refuseUnsupported(action, problems);
  const choice = compileClusterChoice(action, problems);
  const rewritePath = compilePathRewrite(action.prefixRewrite, action.regexRewrite, match, problems);
  const rewriteHost = compileHostRewrite(action, problems);
  // A route's policy replaces its virtual host's as a whole (VirtualHost.retry_policy).
  const retry = compileRetryPolicy(action.retryPolicy, problems.at('retry_policy')) ?? scope.retry;
  const clusterNotFoundStatus = NOT_FOUND_STATUS[action.clusterNotFoundResponseCode] ?? 503;
  const timeoutMs = action.timeout === undefined ? DEFAULT_TIMEOUT_MS : durationMs(action.timeout);
  if (timeoutMs < 0) problems.add('timeout is negative');
  // A route's mirrors replace its virtual host's (RouteAction.request_mirror_policies).
  const own = compileMirrors(action.requestMirrorPolicies, problems);
  const mirrors = own.length > 0 ? own : scope.mirrors;
  if (choice === undefined) return undefined;
  const filters = choice.targets.map((target) => joinFilterConfigs([target.filters, ...scope.filters]));
  const edits = choice.targets.map((target) => joinLevels([target.edits, ...scope.levels], scope.mostSpecificWins));
  const { routeName, virtualHost, includeAttemptCount } = scope;
  const authorityOf = (target: ClusterTarget, request: RequestView): string | undefined =>
    target.authority ?? rewriteHost?.(request);
  return (request, bare, chance) => {
    const index = choice.choose(request, chance);
    const target = choice.targets[index]!;
    const authority = authorityOf(target, request);
    const { request: requestHeaders, response: responseHeaders } = edits[index]!;
    return {
      kind: 'forward',
      routeName,
      virtualHost,
      cluster: targetName(target, request),
      clusterNotFoundStatus,
      path: rewritePath === undefined ? request.path : rewritePath(request.path, bare),
      authority,
      timeoutMs,
      retry,
      includeAttemptCount,
      requestHeaders:
        action.appendXForwardedHost && authority !== undefined && authority !== request.authority
          ? [forwardedHost(request), ...requestHeaders]
          : requestHeaders,
      responseHeaders,
      mirrors,
      filters: filters[index]!,
    };
  };
}

/** RouteAction.append_x_forwarded_host: the host the client asked for, when it is rewritten. */
function forwardedHost(request: RequestView): HeaderEdit {
  return { op: 'append', name: 'x-forwarded-host', value: request.authority };
}

// A RouteConfiguration compiled for matching, and what a decision about one request looks like.
import type { FilterConfigs } from './filter-configs.ts';
import type { HeaderEdit } from './header-edits.ts';
import type { Mirror } from './mirror.ts';
import type { RequestView } from './request-view.ts';

/** route.v3.RetryPolicy. */
export interface RetryPolicy {
  /** Conditions of retry_on, lower-case. */
  readonly retryOn: ReadonlySet<string>;
  readonly numRetries: number;
  readonly perTryTimeoutMs: number;
  readonly retriableStatusCodes: ReadonlySet<number>;
  /** Skip hosts already tried, looking at most this many times (host_selection_retry_max_attempts); 0 is off. */
  readonly avoidPreviousHosts: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** Carries out as said: send to `cluster`, with this path and authority and these edits. */
export interface ForwardDecision {
  readonly kind: 'forward';
  readonly routeName: string;
  readonly virtualHost: string;
  readonly cluster: string;
  /** Status when the cluster does not exist: 503 unless the route says 404 or 500. */
  readonly clusterNotFoundStatus: number;
  /** Path with query, rewritten. When it differs from the request's, x-envoy-original-path carries the old one. */
  readonly path: string;
  /** undefined leaves the Host header as it is. */
  readonly authority: string | undefined;
  /** 0 is none. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy | undefined;
  readonly includeAttemptCount: boolean;
  readonly requestHeaders: readonly HeaderEdit[];
  readonly responseHeaders: readonly HeaderEdit[];
  readonly mirrors: readonly Mirror[];
  readonly filters: FilterConfigs;
}

export type RouteDecision =
  | ForwardDecision
  | {
      readonly kind: 'redirect';
      readonly routeName: string;
      readonly virtualHost: string;
      readonly status: number;
      readonly location: string;
      readonly responseHeaders: readonly HeaderEdit[];
      readonly filters: FilterConfigs;
    }
  | {
      readonly kind: 'direct';
      readonly routeName: string;
      readonly virtualHost: string;
      readonly status: number;
      readonly body: string;
      readonly responseHeaders: readonly HeaderEdit[];
      readonly filters: FilterConfigs;
    }
  /** No virtual host or no route matched: 404, flag NR. */
  | { readonly kind: 'none' };

/** Immutable; `decide` is pure but for the draw it is given. */
export interface RouteTable {
  readonly name: string;
  /** `draw` gives a number in [0, 1), used once per weighted choice. */
  decide(request: RequestView, draw: () => number): RouteDecision;
}

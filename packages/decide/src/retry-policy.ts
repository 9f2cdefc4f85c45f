// route.v3.RetryPolicy, compiled; how a retry is carried out is the proxy's matter.
import type { RetryPolicy as RetryPolicyProto } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { durationMs } from './duration.ts';
import type { Problems } from './problems.ts';
import type { RetryPolicy } from './route-table.ts';

/** Conditions of Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on headers. */
const CONDITIONS = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

const PREVIOUS_HOSTS = 'envoy.retry_host_predicates.previous_hosts';

export function compileRetryPolicy(policy: RetryPolicyProto | undefined, problems: Problems): RetryPolicy | undefined {
  if (policy === undefined) return undefined;
  problems.unsupported('retriable_headers', policy.retriableHeaders.length > 0);
  problems.unsupported('retriable_request_headers', policy.retriableRequestHeaders.length > 0);
  problems.unsupported('rate_limited_retry_back_off', policy.rateLimitedRetryBackOff !== undefined);
  problems.unsupported('retry_options_predicates', policy.retryOptionsPredicates.length > 0);
  for (const [i, predicate] of policy.retryHostPredicate.entries())
    problems
      .at(`retry_host_predicate[${i}]`)
      .unsupported(JSON.stringify(predicate.name), predicate.name !== PREVIOUS_HOSTS);
  // Envoy skips a condition it does not know (RetryStateImpl::parseRetryOn); so do we.
  const conditions = policy.retryOn.split(',').map((condition) => condition.trim().toLowerCase());
  const backoff = policy.retryBackOff;
  const base = backoff?.baseInterval === undefined ? 25 : durationMs(backoff.baseInterval);
  const max = backoff?.maxInterval === undefined ? base * 10 : durationMs(backoff.maxInterval);
  if (base <= 0) problems.at('retry_back_off').add('base_interval must be more than zero');
  if (max < base) problems.at('retry_back_off').add('max_interval must not be less than base_interval');
  return {
    retryOn: new Set(conditions.filter((condition) => CONDITIONS.has(condition))),
    numRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: policy.perTryTimeout === undefined ? 0 : durationMs(policy.perTryTimeout),
    retriableStatusCodes: new Set(policy.retriableStatusCodes),
    // Without a predicate every choice is accepted at once, whatever the number of attempts says.
    avoidPreviousHosts: policy.retryHostPredicate.length > 0 ? Number(policy.hostSelectionRetryMaxAttempts) || 1 : 0,
    backoffBaseMs: base,
    backoffMaxMs: max,
  };
}

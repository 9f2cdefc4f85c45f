// Retries: Istio's default where a rule says nothing, the rule's where it does [istio route/retry/retry.go].
import type { RetryPolicySchema } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { PreviousHostsPredicateSchema } from '@varka/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts';
import type { HttpRetry } from '../config/istio-types.ts';
import { duration, type Init, pack } from './messages.ts';

type RetryInit = Init<typeof RetryPolicySchema>;

const RETRIABLE_STATUS_CODES = 'retriable-status-codes';
const DEFAULT_RETRY_ON = `connect-failure,refused-stream,unavailable,cancelled,${RETRIABLE_STATUS_CODES}`;

const AVOID_TRIED_HOSTS: Pick<RetryInit, 'retryHostPredicate' | 'hostSelectionRetryMaxAttempts'> = {
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      configType: { case: 'typedConfig', value: pack(PreviousHostsPredicateSchema, {}) },
    },
  ],
  hostSelectionRetryMaxAttempts: 5n,
};

export const DEFAULT_RETRY_POLICY: RetryInit = {
  retryOn: DEFAULT_RETRY_ON,
  numRetries: 2,
  ...AVOID_TRIED_HOSTS,
};

/** undefined: no retries (`attempts: 0`, or no attempts named in a policy of the rule's own). */
export function retryPolicy(retries: HttpRetry | undefined): RetryInit | undefined {
  if (retries === undefined) return DEFAULT_RETRY_POLICY;
  const attempts = retries.attempts ?? 0;
  if (attempts <= 0) return undefined;
  const perTryTimeout = duration(retries.perTryTimeout);
  const baseInterval = duration(retries.backoff);
  return {
    ...retryConditions(retries.retryOn),
    numRetries: attempts,
    ...AVOID_TRIED_HOSTS,
    ...(perTryTimeout === undefined ? {} : { perTryTimeout }),
    ...(baseInterval === undefined ? {} : { retryBackOff: { baseInterval } }),
  };
}

/** Status codes may stand among the conditions; Envoy has them in a list of their own. */
function retryConditions(retryOn: string | undefined): Pick<RetryInit, 'retryOn' | 'retriableStatusCodes'> {
  if (!retryOn) return { retryOn: DEFAULT_RETRY_ON };
  const conditions: string[] = [];
  const retriableStatusCodes: number[] = [];
  for (const part of retryOn.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    const code = Number(part);
    if (Number.isInteger(code) && code >= 100 && code <= 599) retriableStatusCodes.push(code);
    else conditions.push(part);
  }
  if (retriableStatusCodes.length > 0 && !conditions.includes(RETRIABLE_STATUS_CODES))
    conditions.push(RETRIABLE_STATUS_CODES);
  return { retryOn: conditions.join(','), retriableStatusCodes };
}

// Whether an attempt's outcome is tried again, and when (Envoy: RetryStateImpl, jittered exponential back-off).
import type { RetryPolicy } from '@varka/decide/route-table.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { ResetReason } from '../upstream/http-connection.ts';

/** gRPC status codes by the condition that names them; over HTTP/1.1 they are met in trailers-only responses. */
const GRPC_CONDITIONS: Readonly<Record<string, string>> = {
  '1': 'cancelled',
  '4': 'deadline-exceeded',
  '8': 'resource-exhausted',
  '13': 'internal',
  '14': 'unavailable',
};

export function retriesResponse(policy: RetryPolicy, head: ResponseHead): boolean {
  const { retryOn } = policy;
  const { status } = head;
  // Both say that somebody further on has already decided that more load would not help.
  if (head.header('x-envoy-ratelimited') !== undefined) return retryOn.has('envoy-ratelimited');
  if (head.header('x-envoy-overloaded') !== undefined) return false;
  if (status >= 500 && retryOn.has('5xx')) return true;
  if (status >= 502 && status <= 504 && retryOn.has('gateway-error')) return true;
  if (status === 409 && retryOn.has('retriable-4xx')) return true;
  if (retryOn.has('retriable-status-codes') && policy.retriableStatusCodes.has(status)) return true;
  const grpcStatus = head.header('grpc-status');
  const condition = grpcStatus === undefined ? undefined : GRPC_CONDITIONS[grpcStatus];
  return condition !== undefined && retryOn.has(condition);
}

/** `started`: bytes of the request had gone out on a connection. */
export function retriesReset(policy: RetryPolicy, reason: ResetReason | 'per-try timeout', started: boolean): boolean {
  const { retryOn } = policy;
  const connectFailure =
    reason === 'remote connection failure' || reason === 'local connection failure' || reason === 'connection timeout';
  if (connectFailure && retryOn.has('connect-failure')) return true;
  if (!started && retryOn.has('reset-before-request')) return true;
  // A reset becomes a 5xx for the client, so the conditions on those cover it.
  return retryOn.has('reset') || retryOn.has('5xx') || retryOn.has('gateway-error');
}

/** Full jitter: anything below an interval that doubles from base to max. `retry` counts from 1. */
export function backoffMs(policy: RetryPolicy, retry: number, draw: () => number): number {
  const interval = Math.min(policy.backoffBaseMs * 2 ** (retry - 1), policy.backoffMaxMs);
  return Math.floor(draw() * interval);
}

/** RFC 9110 §9.2.2: only these may be sent again without anybody having asked for it. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

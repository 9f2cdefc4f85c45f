// The one table from what went wrong to the answer a client gets: status, Envoy's text, flag and details. Nothing else
// writes a response of the proxy's own.
import type { HeaderEdit } from '@varka/decide/header-edits.ts';
import type { MessageFault } from '../http/fault.ts';
import { reasonPhrase } from '../http/reason-phrases.ts';
import type { ResetReason } from '../upstream/http-connection.ts';

export type Failure =
  /** The request cannot be read, or not without doubt. */
  | { readonly kind: 'request-refused'; readonly fault: MessageFault }
  | { readonly kind: 'request-head-timeout' }
  /** Our own code has failed. */
  | { readonly kind: 'internal-error' }
  /** A rule asked for an error. */
  | { readonly kind: 'fault-abort'; readonly status: number }
  | { readonly kind: 'no-route' }
  | { readonly kind: 'cluster-not-found'; readonly status: number }
  | { readonly kind: 'no-healthy-upstream' }
  | {
      readonly kind: 'upstream-reset';
      readonly reason: ResetReason;
      /** Envoy: transport failure reason; '' when there is none. */
      readonly transport: string;
      readonly retried: boolean;
    }
  /** A circuit breaker is open. */
  | { readonly kind: 'overflow'; readonly retried: boolean }
  | { readonly kind: 'response-timeout' }
  | { readonly kind: 'per-try-timeout' };

export interface LocalReply {
  readonly status: number;
  readonly body: string;
  /** Envoy's response flag, '' for none. */
  readonly flag: string;
  readonly details: string;
  readonly headers?: readonly HeaderEdit[];
}

/** Tells whoever asked, and may ask again, that more load would not help. */
const OVERLOADED: readonly HeaderEdit[] = [{ op: 'set', name: 'x-envoy-overloaded', value: 'true' }];

export function localReply(failure: Failure): LocalReply {
  switch (failure.kind) {
    case 'request-refused':
      return refused(failure.fault);
    case 'request-head-timeout':
      return { status: 408, body: 'request header timeout', flag: 'DPE', details: 'request_header_timeout' };
    case 'internal-error':
      return { status: 500, body: 'internal error', flag: '', details: 'internal_error' };
    case 'fault-abort':
      return { status: failure.status, body: 'fault filter abort', flag: 'FI', details: 'fault_filter_abort' };
    case 'no-route':
      return { status: 404, body: '', flag: 'NR', details: 'route_not_found' };
    case 'cluster-not-found':
      return { status: failure.status, body: '', flag: 'NC', details: 'cluster_not_found' };
    case 'no-healthy-upstream':
      return { status: 503, body: 'no healthy upstream', flag: 'UH', details: 'no_healthy_upstream' };
    case 'upstream-reset':
      return upstreamReset(failure.reason, failure.transport, failure.retried);
    case 'overflow':
      return { ...upstreamReset('overflow', '', failure.retried), headers: OVERLOADED };
    case 'response-timeout':
      return { status: 504, body: 'upstream request timeout', flag: 'UT', details: 'response_timeout' };
    case 'per-try-timeout':
      return { status: 504, body: 'upstream request timeout', flag: 'UT', details: 'upstream_per_try_timeout' };
  }
}

/** Answered by the connection manager rather than the codec: Envoy gives these no text, and they are no protocol error. */
const BODILESS: ReadonlySet<string> = new Set(['missing_host_header', 'path_normalization_failed', 'upgrade_failed']);

function refused(fault: MessageFault): LocalReply {
  const bodiless = BODILESS.has(fault.details);
  return {
    status: fault.status,
    body: bodiless ? '' : reasonPhrase(fault.status),
    flag: bodiless || fault.details === 'low_version' ? '' : 'DPE',
    details: fault.details,
  };
}

export function resetFlag(reason: ResetReason | 'overflow'): string {
  switch (reason) {
    case 'overflow':
      return 'UO';
    case 'remote connection failure':
    case 'local connection failure':
    case 'connection timeout':
      return 'UF';
    case 'connection termination':
      return 'UC';
    case 'protocol error':
      return 'UPE';
    case 'local reset':
      return 'LR';
  }
}

function upstreamReset(reason: ResetReason | 'overflow', transport: string, retried: boolean): LocalReply {
  const latest = retried ? 'retried and the latest reset reason' : 'reset reason';
  const cause = transport === '' ? '' : `, transport failure reason: ${transport}`;
  const detail = `${reason}${transport === '' ? '' : `|${transport}`}`.replaceAll(' ', '_');
  return {
    status: reason === 'protocol error' ? 502 : 503,
    body: `upstream connect error or disconnect/reset before headers. ${latest}: ${reason}${cause}`,
    flag: resetFlag(reason),
    details: `upstream_reset_before_response_started{${detail}}`,
  };
}

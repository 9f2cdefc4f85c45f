// extensions.filters.http.fault.v3.HTTPFault: whether a request is held up, or answered with an error on purpose.
import type { HTTPFault } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { durationMs } from './duration.ts';
import { fraction, happens } from './fraction.ts';
import { compileHeaderMatch, type RequestTest } from './header-match.ts';
import type { Problems } from './problems.ts';
import type { RequestView } from './request-view.ts';

export interface FaultPolicy {
  /** Whether the fault is for this request at all. */
  applies(request: RequestView, cluster: string): boolean;
  /** Milliseconds, 0 for none. */
  delayMs(draw: () => number): number;
  /** Undefined: the request goes on. Drawn after the delay is over, and apart from it, as Envoy does. */
  abort(draw: () => number): FaultAbort | undefined;
  /** No more than so many requests are held up at once (HTTPFault.max_active_faults); Infinity is no limit. */
  readonly maxActive: number;
}

export type FaultAbort =
  | { readonly kind: 'http'; readonly status: number }
  | { readonly kind: 'grpc'; readonly code: number };

/** HTTPFault.FaultAbort.http_status. */
const MIN_STATUS = 200;
const MAX_STATUS = 599;

export function compileFault(fault: HTTPFault, problems: Problems): FaultPolicy | undefined {
  problems.unsupported('downstream_nodes', fault.downstreamNodes.length > 0);
  problems.unsupported('response_rate_limit', fault.responseRateLimit !== undefined);
  const tests: RequestTest[] = fault.headers.map((header, i) =>
    compileHeaderMatch(header, problems.at(`headers[${i}]`)),
  );
  const delay = compileDelay(fault, problems.at('delay'));
  const abort = compileAbort(fault, problems.at('abort'));
  const { upstreamCluster } = fault;
  return {
    maxActive: fault.maxActiveFaults ?? Number.POSITIVE_INFINITY,
    applies: (request, cluster) =>
      (upstreamCluster === '' || upstreamCluster === cluster) && tests.every((test) => test(request)),
    delayMs: (draw) => (delay.ms > 0 && happens(delay.share, draw) ? delay.ms : 0),
    abort: (draw) => (abort !== undefined && happens(abort.share, draw) ? abort.answer : undefined),
  };
}

function compileDelay({ delay }: HTTPFault, problems: Problems): { ms: number; share: number } {
  if (delay === undefined) return { ms: 0, share: 0 };
  const specifier = delay.faultDelaySecifier;
  problems.unsupported('header_delay', specifier.case === 'headerDelay');
  const ms = specifier.case === 'fixedDelay' ? durationMs(specifier.value) : 0;
  if (specifier.case === 'fixedDelay' && ms <= 0) problems.add('fixed_delay must be greater than 0');
  return { ms, share: delay.percentage === undefined ? 0 : fraction(delay.percentage) };
}

function compileAbort({ abort }: HTTPFault, problems: Problems): { answer: FaultAbort; share: number } | undefined {
  if (abort === undefined) return undefined;
  const share = abort.percentage === undefined ? 0 : fraction(abort.percentage);
  const type = abort.errorType;
  switch (type.case) {
    case 'httpStatus':
      if (type.value < MIN_STATUS || type.value > MAX_STATUS)
        problems.add(`http_status ${type.value} is outside ${MIN_STATUS} to ${MAX_STATUS}`);
      return { answer: { kind: 'http', status: type.value }, share };
    case 'grpcStatus':
      return { answer: { kind: 'grpc', code: type.value }, share };
    default:
      problems.add(type.case === undefined ? 'error_type is missing' : 'header_abort is not supported');
      return undefined;
  }
}

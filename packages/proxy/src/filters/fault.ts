// envoy.filters.http.fault: holds requests up, or answers them with an error, on purpose.

import type { FaultPolicy } from '@varka/decide/fault.ts';
import { FAULT_FILTER } from '@varka/decide/filter-configs.ts';
import { grpcToHttpStatus } from '../http/grpc-status.ts';
import type { FilterStream, FilterVerdict, HttpFilter } from './http-filter.ts';

export class FaultFilter implements HttpFilter {
  readonly name = FAULT_FILTER;
  /** For requests whose route says nothing. */
  readonly #standard: FaultPolicy | undefined;
  #active = 0;

  constructor(standard: FaultPolicy | undefined) {
    this.#standard = standard;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const policy = stream.filters.fault ?? this.#standard;
    if (policy === undefined || !policy.applies(stream.view, stream.clusterName)) return 'continue';
    const draw = (): number => stream.draw();
    const delayMs = this.#active < policy.maxActive ? policy.delayMs(draw) : 0;
    if (delayMs === 0) return this.#abort(policy, stream);
    this.#active++;
    stream.flag('DI');
    stream.hold(delayMs, (over) => {
      this.#active--;
      return over ? this.#abort(policy, stream) : 'stop';
    });
    return 'stop';
  }

  #abort(policy: FaultPolicy, stream: FilterStream): FilterVerdict {
    if (this.#active >= policy.maxActive) return 'continue';
    const abort = policy.abort(() => stream.draw());
    if (abort === undefined) return 'continue';
    const status = abort.kind === 'http' ? abort.status : grpcToHttpStatus(abort.code);
    stream.fail({ kind: 'fault-abort', status });
    return 'stop';
  }
}

// The load balancer that a cluster asks for, and how a retry uses it.
import type { LoadBalancing } from '../cluster-spec.ts';
import type { Host } from '../host.ts';
import type { Balancer, Draw } from './balancer.ts';
import { LeastRequest } from './least-request.ts';
import { Random } from './random.ts';
import { RoundRobin } from './round-robin.ts';

export function makeBalancer(spec: LoadBalancing, draw: Draw): Balancer {
  switch (spec.kind) {
    case 'round-robin':
      return new RoundRobin(draw);
    case 'least-request':
      return new LeastRequest(draw, spec.choices);
    case 'random':
      return new Random(draw);
  }
}

/** How often a host that was tried before is passed over (Istio: host_selection_retry_max_attempts 5). */
const MAX_ATTEMPTS = 5;

/**
 * A host that this request has not tried; when the attempts are used up, whatever came last, because a second try on
 * the same host is better than none (Envoy: previous_hosts retry predicate).
 */
export function pickUntried(balancer: Balancer, tried: ReadonlySet<Host> | undefined): Host | undefined {
  let host = balancer.pick();
  if (tried === undefined || tried.size === 0) return host;
  for (let i = 0; i < MAX_ATTEMPTS && host !== undefined && tried.has(host); i++) host = balancer.pick();
  return host;
}

// cluster.v3.CircuitBreakers: how much of a cluster may be in use at once. Plain counts, one object a cluster.

/** CircuitBreakers.Thresholds, for the default priority. */
export interface CircuitBreakerLimits {
  readonly maxConnections: number;
  /** Requests that wait for a connection. */
  readonly maxPendingRequests: number;
  /** Requests that have one. */
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** Envoy's own, when the configuration names none. */
export const DEFAULT_LIMITS: CircuitBreakerLimits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
};

export class CircuitBreakers {
  readonly limits: CircuitBreakerLimits;
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;

  constructor(limits: CircuitBreakerLimits = DEFAULT_LIMITS) {
    this.limits = limits;
  }

  get allowsConnection(): boolean {
    return this.connections < this.limits.maxConnections;
  }

  get allowsPending(): boolean {
    return this.pending < this.limits.maxPendingRequests;
  }

  get allowsRequest(): boolean {
    return this.requests < this.limits.maxRequests;
  }

  get allowsRetry(): boolean {
    return this.retries < this.limits.maxRetries;
  }
}

// cluster.v3.CircuitBreakers: how much of a cluster may be in use at once. Plain counts, those of a cluster and its later versions.

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

/** What is in use now. */
export interface InUse {
  connections: number;
  pending: number;
  requests: number;
  retries: number;
}

export class CircuitBreakers {
  readonly limits: CircuitBreakerLimits;
  readonly inUse: InUse;

  /** `inUse` is another's when its connections are gone on with. */
  constructor(
    limits: CircuitBreakerLimits = DEFAULT_LIMITS,
    inUse: InUse = { connections: 0, pending: 0, requests: 0, retries: 0 },
  ) {
    this.limits = limits;
    this.inUse = inUse;
  }

  get allowsConnection(): boolean {
    return this.inUse.connections < this.limits.maxConnections;
  }

  get allowsPending(): boolean {
    return this.inUse.pending < this.limits.maxPendingRequests;
  }

  get allowsRequest(): boolean {
    return this.inUse.requests < this.limits.maxRequests;
  }

  get allowsRetry(): boolean {
    return this.inUse.retries < this.limits.maxRetries;
  }
}

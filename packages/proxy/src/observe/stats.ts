// Counters and gauges by Envoy's names. Plain fields on the hot path; turned into text only when scraped (admin/).

export class ClusterStats {
  upstreamCxTotal = 0;
  upstreamCxActive = 0;
  upstreamCxConnectFail = 0;
  upstreamCxConnectTimeout = 0;
  upstreamRqTotal = 0;
  upstreamRqActive = 0;
  upstreamRqTimeout = 0;
  upstreamRqRetry = 0;
  /** By class: index 0 is 1xx … 4 is 5xx. */
  readonly upstreamRqByClass: number[] = [0, 0, 0, 0, 0];
  upstreamCxNoneHealthy = 0;
  /** Connections and requests that a circuit breaker turned away. */
  upstreamCxOverflow = 0;
  upstreamRqPendingOverflow = 0;
  upstreamRqRetryOverflow = 0;
  upstreamRqPendingTotal = 0;
  upstreamRqPendingActive = 0;
  outlierEjectionsActive = 0;
  outlierEjectionsEnforcedTotal = 0;
  /** Hosts that stayed in because too many were out already. */
  outlierEjectionsOverflow = 0;
}

export class HttpStats {
  downstreamCxTotal = 0;
  downstreamCxActive = 0;
  downstreamRqTotal = 0;
  downstreamRqActive = 0;
  downstreamCxProtocolError = 0;
  readonly downstreamRqByClass: number[] = [0, 0, 0, 0, 0];
}

export class TcpStats {
  downstreamCxTotal = 0;
  downstreamCxNoRoute = 0;
  downstreamCxRxBytesTotal = 0;
  downstreamCxTxBytesTotal = 0;
  idleTimeout = 0;
}

export class ListenerStats {
  downstreamCxTotal = 0;
  downstreamCxActive = 0;
  downstreamCxDestroy = 0;
  /** Turned away because the listener had as many as it takes. */
  downstreamCxOverflow = 0;
  /** The inspectors had not made up their mind in time. */
  downstreamPreCxTimeout = 0;
  noFilterChainMatch = 0;
}

/** One xDS type's updates (Envoy: cluster_manager.cds.*, listener_manager.lds.*, …). */
export class UpdateStats {
  updateAttempt = 0;
  updateSuccess = 0;
  updateRejected = 0;
  version = '';
}

function entry<T>(map: Map<string, T>, name: string, make: () => T): T {
  let value = map.get(name);
  if (value === undefined) {
    value = make();
    map.set(name, value);
  }
  return value;
}

/** One proxy's numbers; they outlive the configuration that counts into them. */
export class StatsStore {
  readonly clusters = new Map<string, ClusterStats>();
  readonly http = new Map<string, HttpStats>();
  readonly tcp = new Map<string, TcpStats>();
  readonly listeners = new Map<string, ListenerStats>();
  readonly updates = new Map<string, UpdateStats>();
  /** 1 while the stream to the management server is up. */
  controlPlaneConnected = 0;

  cluster(name: string): ClusterStats {
    return entry(this.clusters, name, () => new ClusterStats());
  }

  dropCluster(name: string): void {
    this.clusters.delete(name);
  }

  httpPrefix(prefix: string): HttpStats {
    return entry(this.http, prefix, () => new HttpStats());
  }

  tcpPrefix(prefix: string): TcpStats {
    return entry(this.tcp, prefix, () => new TcpStats());
  }

  listener(name: string): ListenerStats {
    return entry(this.listeners, name, () => new ListenerStats());
  }

  dropListener(name: string): void {
    this.listeners.delete(name);
  }

  update(scope: string): UpdateStats {
    return entry(this.updates, scope, () => new UpdateStats());
  }
}

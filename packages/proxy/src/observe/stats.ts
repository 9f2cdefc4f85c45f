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
}

export class HttpStats {
  downstreamCxTotal = 0;
  downstreamCxActive = 0;
  downstreamRqTotal = 0;
  downstreamRqActive = 0;
  downstreamCxProtocolError = 0;
  readonly downstreamRqByClass: number[] = [0, 0, 0, 0, 0];
}

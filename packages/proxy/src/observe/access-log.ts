// Access logging: the facts of one request or connection, and a logger compiled from Envoy's format text.

/** Everything the format operators can ask for. Absent values print as `-`. */
export interface AccessLogEntry {
  /** Milliseconds since the epoch. */
  startTime: number;
  method: string | undefined;
  /** x-envoy-original-path when rewritten, else the path. */
  path: string | undefined;
  protocol: string | undefined;
  responseCode: number;
  /** Envoy's flags joined by comma, '' for none. */
  responseFlags: string;
  responseCodeDetails: string | undefined;
  connectionTerminationDetails: string | undefined;
  upstreamTransportFailureReason: string | undefined;
  bytesReceived: number;
  bytesSent: number;
  durationMs: number;
  upstreamServiceTimeMs: number | undefined;
  requestHeader(name: string): string | undefined;
  responseHeader(name: string): string | undefined;
  upstreamHost: string | undefined;
  upstreamCluster: string | undefined;
  upstreamLocalAddress: string | undefined;
  downstreamLocalAddress: string;
  downstreamRemoteAddress: string;
  requestedServerName: string | undefined;
  routeName: string | undefined;
}

export interface AccessLogger {
  log(entry: AccessLogEntry): void;
}

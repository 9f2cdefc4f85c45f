// One upstream address of a cluster. It keeps its identity while its cluster's endpoints change around it, so that
// its connections and counts survive an update.

/** The connections kept to a host, whatever they speak. */
export interface ConnectionPool {
  /** Connections that wait for work. */
  readonly idle: number;
  /** Closes those that wait; what is under way finishes. */
  closeIdle(): void;
}

export class Host {
  readonly address: string;
  readonly port: number;
  /** `address:port`, as the access log's %UPSTREAM_HOST% and /clusters print it. */
  readonly label: string;
  weight: number;
  /** Requests and TCP connections now under way; what least-request compares. */
  active = 0;
  /** Left out for its errors (see outlier-detection.ts). */
  ejected = false;
  /** Set once the host has left its cluster: no new pick, its idle connections close, what is under way finishes. */
  removed = false;
  /** Made on first use. */
  pool: ConnectionPool | undefined = undefined;

  constructor(address: string, port: number, weight = 1) {
    this.address = address;
    this.port = port;
    this.label = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    this.weight = weight;
  }
}

// What an exchange needs of the connection it came on.
import type net from 'node:net';
import type { ConnectionInfo, HttpConnectionManagerConfig } from '../runtime/tables.ts';
import type { ClusterManager, PickContext } from '../upstream/cluster.ts';
import type { DrainSignal } from './drain.ts';
import type { Peer } from './request-headers.ts';

/** What is the same for all connections of a proxy; time and chance are given, so that tests can give theirs. */
export interface HttpConnectionDeps {
  readonly clusters: ClusterManager;
  /** A number in [0, 1): weighted clusters, retry jitter. */
  readonly draw: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Hears of an error in our own code, which ends only the request or connection that met it. */
  readonly onFault: (error: unknown) => void;
  /** The connection joins it when it starts and leaves it when closed. */
  readonly drain: DrainSignal;
}

export interface ExchangeOwner {
  readonly socket: net.Socket;
  readonly info: ConnectionInfo;
  readonly config: HttpConnectionManagerConfig;
  readonly deps: HttpConnectionDeps;
  readonly peer: Peer;
  readonly pickContext: PickContext;
  readonly draining: boolean;
  /** Content of the current request so far, without chunk framing. */
  readonly bodyBytesReceived: number;
  /** Stops and starts reading the request's body. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** `close`: nothing more is to come on this connection. */
  onExchangeDone(close: boolean): void;
}

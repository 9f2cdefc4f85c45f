// Keep-alive connections to one host, and the requests that wait for one. The connection used last is used next, so that
// the others can grow old and close; of the requests that wait the first is served first.

import { timerDelay } from '../timer-delay.ts';
import type { Cluster } from './cluster.ts';
import type { ConnectionPool, Host } from './host.ts';
import { type ConnectionKeeper, HttpConnection, type UpstreamHandler } from './http-connection.ts';
import type { ConnectFailure } from './socket.ts';

/** A request that waits for a connection. */
export interface PendingRequest {
  /** It waits no longer; its handler hears nothing more. */
  cancel(): void;
}

interface Waiting extends PendingRequest {
  readonly cluster: Cluster;
  readonly handler: UpstreamHandler;
}

/** `overflow`: a circuit breaker is open (Envoy: ConnPoolImplBase::newStreamImpl). */
export type Acquired =
  | { readonly kind: 'ready' }
  | { readonly kind: 'pending'; readonly request: PendingRequest }
  | { readonly kind: 'overflow' };

const READY: Acquired = { kind: 'ready' };
const OVERFLOW: Acquired = { kind: 'overflow' };

export class HttpPool implements ConnectionPool, ConnectionKeeper {
  readonly host: Host;
  readonly #now: () => number;
  /** Longest idle first. */
  readonly #idle: HttpConnection[] = [];
  #waiting: Waiting[] = [];
  #connecting = 0;
  /** All connections of this host, those being made included. */
  #open = 0;
  #timer: NodeJS.Timeout | undefined;

  /** The host's pool, made when it has none yet. */
  static of(host: Host, now: () => number): HttpPool {
    if (host.pool instanceof HttpPool) return host.pool;
    const pool = new HttpPool(host, now);
    host.pool = pool;
    return pool;
  }

  constructor(host: Host, now: () => number) {
    this.host = host;
    this.#now = now;
  }

  /** Connections that wait for a request. */
  get idle(): number {
    return this.#idle.length;
  }

  /**
   * `ready`: `onConnectionReady` has been called, with an idle connection. `pending`: it or `onConnectionFailed` or
   * `onPoolOverflow` will be. `fresh` takes no idle one: for a request that has just met a dead one.
   */
  acquire(cluster: Cluster, handler: UpstreamHandler, fresh: boolean): Acquired {
    const { breakers, stats } = cluster;
    while (!fresh && this.#idle.length > 0) {
      const connection = this.#idle.pop()!;
      if (connection.socket?.writable !== true) continue;
      if (!breakers.allowsRequest) {
        this.#idle.push(connection);
        stats.upstreamRqPendingOverflow++;
        return OVERFLOW;
      }
      handler.onConnectionReady(connection);
      return READY;
    }
    if (!breakers.allowsPending) {
      stats.upstreamRqPendingOverflow++;
      return OVERFLOW;
    }
    const waiting: Waiting = { cluster, handler, cancel: () => this.#withdraw(waiting) };
    breakers.inUse.pending++;
    stats.upstreamRqPendingTotal++;
    stats.upstreamRqPendingActive++;
    this.#waiting.push(waiting);
    this.#connectMore();
    return { kind: 'pending', request: waiting };
  }

  /** A connection that was being made is there. */
  connected(connection: HttpConnection): void {
    this.#connecting--;
    this.#offer(connection);
  }

  /** It could not be made: nobody who waits is kept waiting for the next attempt to fail as well. */
  connectFailed(connection: HttpConnection, failure: ConnectFailure): void {
    this.#connecting--;
    this.#open--;
    connection.cluster.breakers.inUse.connections--;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      leaveQueue(one.cluster);
      one.handler.onConnectionFailed(failure);
    }
  }

  /** Takes back a connection whose request is done. */
  put(connection: HttpConnection): void {
    this.#offer(connection);
  }

  /** A connection has closed. */
  forget(connection: HttpConnection): void {
    this.#open--;
    connection.cluster.breakers.inUse.connections--;
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#idle.length === 0) this.#disarm();
    this.#connectMore();
  }

  /** For a host that has left its cluster: what is under way finishes and closes then. */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
    this.#disarm();
  }

  #offer(connection: HttpConnection): void {
    for (let first = this.#waiting.shift(); first !== undefined; first = this.#waiting.shift()) {
      leaveQueue(first.cluster);
      if (first.cluster.breakers.allowsRequest) {
        first.handler.onConnectionReady(connection);
        return;
      }
      first.cluster.stats.upstreamRqPendingOverflow++;
      first.handler.onPoolOverflow();
    }
    if (this.host.removed) {
      connection.destroy();
      return;
    }
    connection.idleSince = this.#now();
    this.#idle.push(connection);
    if (this.#timer === undefined && connection.cluster.idleTimeoutMs > 0) this.#arm(connection.cluster.idleTimeoutMs);
  }

  /** One connection being made for each request that waits; beyond the limit only where there is none at all. */
  #connectMore(): void {
    while (this.#waiting.length > this.#connecting) {
      const { cluster } = this.#waiting[this.#connecting]!;
      const { breakers, stats } = cluster;
      if (!breakers.allowsConnection) {
        stats.upstreamCxOverflow++;
        // A busy one will be free, or gone. Where all are idle they were not wanted, but are better than none for good.
        if (this.#open > this.#idle.length) return;
        const idle = this.#idle.pop();
        if (idle !== undefined) {
          this.#offer(idle);
          return;
        }
      }
      this.#connecting++;
      this.#open++;
      breakers.inUse.connections++;
      new HttpConnection(this, cluster).open();
    }
  }

  #withdraw(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    leaveQueue(waiting.cluster);
  }

  #arm(delay: number): void {
    this.#timer = setTimeout(this.#sweep, timerDelay(delay));
    this.#timer.unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.#now();
    for (;;) {
      const oldest = this.#idle[0];
      if (oldest === undefined) return;
      const left = oldest.idleSince + oldest.cluster.idleTimeoutMs - now;
      if (left > 0) {
        this.#arm(left);
        return;
      }
      this.#idle.shift();
      oldest.destroy();
    }
  };
}

function leaveQueue({ breakers, stats }: Cluster): void {
  breakers.inUse.pending--;
  stats.upstreamRqPendingActive--;
}

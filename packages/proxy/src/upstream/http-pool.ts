// Keep-alive connections to one host. The last one used is the next one used, so that the others can grow old and close.

import { timerDelay } from '../timer-delay.ts';
import type { Cluster } from './cluster.ts';
import type { ConnectionPool, Host } from './host.ts';
import { type ConnectionKeeper, HttpConnection, type UpstreamHandler } from './http-connection.ts';

export class HttpPool implements ConnectionPool, ConnectionKeeper {
  readonly host: Host;
  readonly #now: () => number;
  /** Longest idle first. */
  readonly #idle: HttpConnection[] = [];
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
   * Calls `onConnectionReady`, at once when one is idle, or `onConnectionFailed`. `fresh` takes no idle one: for a
   * request that has just met a dead one. Destroy what is returned to give up waiting.
   */
  acquire(cluster: Cluster, handler: UpstreamHandler, fresh: boolean): HttpConnection {
    while (!fresh && this.#idle.length > 0) {
      const connection = this.#idle.pop()!;
      if (connection.socket?.writable !== true) continue;
      handler.onConnectionReady(connection);
      return connection;
    }
    const connection = new HttpConnection(this, cluster);
    connection.open(handler);
    return connection;
  }

  /** Takes back a connection whose request is done. */
  put(connection: HttpConnection): void {
    connection.idleSince = this.#now();
    this.#idle.push(connection);
    if (this.#timer === undefined && connection.cluster.idleTimeoutMs > 0) this.#arm(connection.cluster.idleTimeoutMs);
  }

  /** A connection has closed. */
  forget(connection: HttpConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#idle.length === 0) this.#disarm();
  }

  /** For a host that has left its cluster: what is under way finishes and closes then. */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
    this.#disarm();
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

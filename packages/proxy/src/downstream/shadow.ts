// The copy of a request that a mirror gets: sent like any other, its answer read to the end and thrown away, its failures
// nobody's concern (Envoy: Router::ShadowWriter).
import type { ResponseHead } from '../http/response-head.ts';
import { timerDelay } from '../timer-delay.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { HttpConnection, UpstreamHandler } from '../upstream/http-connection.ts';
import { HttpPool, type PendingRequest } from '../upstream/http-pool.ts';
import type { ExchangeOwner } from './exchange-owner.ts';

/** `host:port` becomes `host-shadow:port`. */
export function shadowHost(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? '';
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}

export class Shadow implements UpstreamHandler {
  readonly #owner: Pick<ExchangeOwner, 'deps' | 'pickContext'>;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  #host: Host | undefined = undefined;
  #pending: PendingRequest | undefined = undefined;
  #connection: HttpConnection | undefined = undefined;
  #head = '';
  #body: readonly Buffer[] = [];
  #toHead = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** `timeoutMs`: the route's; 0 is none. */
  constructor(owner: Pick<ExchangeOwner, 'deps' | 'pickContext'>, cluster: Cluster, timeoutMs: number) {
    this.#owner = owner;
    this.#cluster = cluster;
    this.#timeoutMs = timeoutMs;
  }

  send(head: string, body: readonly Buffer[], toHead: boolean): void {
    const { stats } = this.#cluster;
    const host = this.#cluster.pick(this.#owner.pickContext);
    if (host === undefined) {
      stats.upstreamCxNoneHealthy++;
      return;
    }
    this.#host = host;
    this.#head = head;
    this.#body = body;
    this.#toHead = toHead;
    host.active++;
    stats.upstreamRqTotal++;
    stats.upstreamRqActive++;
    if (this.#timeoutMs > 0) this.#timer = setTimeout(Shadow.#onTimeout, timerDelay(this.#timeoutMs), this);
    const acquired = HttpPool.of(host, this.#owner.deps.now).acquire(this.#cluster, this, false);
    if (acquired.kind === 'pending') this.#pending = acquired.request;
    else if (acquired.kind === 'overflow') this.#end();
  }

  static #onTimeout(shadow: Shadow): void {
    shadow.#cluster.stats.upstreamRqTimeout++;
    shadow.#pending?.cancel();
    shadow.#connection?.destroy();
    shadow.#end();
  }

  onConnectionReady(connection: HttpConnection): void {
    this.#pending = undefined;
    this.#connection = connection;
    connection.begin(this, this.#toHead, false);
    connection.write(this.#head);
    for (const piece of this.#body) connection.write(piece);
    this.#body = [];
  }

  onConnectionFailed(): void {
    this.#failed();
    this.#end();
  }

  onPoolOverflow(): void {
    this.#end();
  }

  onInterim(): void {
    // Nobody waits for one.
  }

  onResponse(head: ResponseHead): void {
    const counts = this.#cluster.stats.upstreamRqByClass;
    this.#cluster.outliers?.onResponse(this.#host!, head.status, this.#owner.deps.now());
    const index = Math.floor(head.status / 100) - 1;
    if (index < counts.length) counts[index]!++;
    this.onResponseBody();
  }

  onResponseBody(): void {
    const connection = this.#connection!;
    if (!connection.complete) return;
    this.#end();
    connection.release();
  }

  /** Copies ask for no other protocol, so this is a mistake of the upstream's. */
  onUpgraded(): void {
    this.#connection?.destroy();
    this.#end();
  }

  onTunnelData(): void {
    // There is no tunnel.
  }

  onTunnelEnd(): void {
    // There is no tunnel.
  }

  onUpstreamReset(): void {
    this.#failed();
    this.#end();
  }

  onUpstreamDrain(): void {
    // All has been written already.
  }

  onFault(error: unknown): void {
    this.#owner.deps.onFault(error);
    this.#end();
  }

  #failed(): void {
    if (this.#host !== undefined)
      this.#cluster.outliers?.onLocalFailure(this.#host, 'connect-failed', this.#owner.deps.now());
  }

  #end(): void {
    if (this.#host === undefined) return;
    clearTimeout(this.#timer);
    this.#host.active--;
    this.#cluster.stats.upstreamRqActive--;
    this.#host = undefined;
    this.#pending = undefined;
    this.#connection = undefined;
  }
}

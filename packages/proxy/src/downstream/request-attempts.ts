// The attempts at one request: cluster, host, connection, and another go when the outcome and the policy say so.
import { happens } from '@varka/decide/fraction.ts';
import type { RequestView } from '@varka/decide/request-view.ts';
import type { ForwardDecision, RouteDecision } from '@varka/decide/route-table.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { timerDelay } from '../timer-delay.ts';
import type { Cluster, PickContext } from '../upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { HttpConnection, ResetReason, UpstreamHandler } from '../upstream/http-connection.ts';
import { HttpPool, type PendingRequest } from '../upstream/http-pool.ts';
import type { LocalOriginFailure } from '../upstream/outlier-detection.ts';
import type { ConnectFailure } from '../upstream/socket.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { type Failure, resetFlag } from './local-reply.ts';
import { bodyPieces, RequestBody } from './request-body.ts';
import { type RequestFacts, renderRequest } from './request-headers.ts';
import { backoffMs, isIdempotent, retriesReset, retriesResponse } from './retry.ts';
import { Shadow, shadowHost } from './shadow.ts';

/** The half of an exchange that faces the upstream; `Exchange` is the half that answers the client. One object, for one request. */
export abstract class RequestAttempts implements UpstreamHandler {
  readonly owner: ExchangeOwner;
  readonly request: RequestHead;
  readonly startTime: number;
  /** What the log shows. */
  path = '';
  facts: RequestFacts | undefined = undefined;
  decision: RouteDecision | undefined = undefined;
  cluster: Cluster | undefined = undefined;
  host: Host | undefined = undefined;
  upstreamLocal: string | undefined = undefined;
  flags = '';
  transportFailure = '';
  /** The whole request is in. */
  requestComplete = false;
  protected readonly body = new RequestBody();
  protected connection: HttpConnection | undefined = undefined;
  /** The wait for a connection. */
  #pending: PendingRequest | undefined = undefined;
  /** An attempt is under way: a host is chosen and counted. */
  #attempting = false;
  /** The attempt under way is a retry, and counts as one. */
  #retrying = false;
  protected sentAt = 0;
  protected responseStarted = false;
  protected over = false;
  #attempts = 0;
  #retries = 0;
  #replayed = false;
  /** The copies that the route asks for are sent. */
  #mirrored = false;
  #tried: Set<Host> | undefined = undefined;
  /** The request's head is on the connection. */
  #sent = false;
  #routeTimer: NodeJS.Timeout | undefined = undefined;
  #tryTimer: NodeJS.Timeout | undefined = undefined;
  #backoffTimer: NodeJS.Timeout | undefined = undefined;

  constructor(owner: ExchangeOwner, request: RequestHead) {
    this.owner = owner;
    this.request = request;
    this.startTime = owner.deps.now();
  }

  /** The request as rules see it. */
  abstract readonly view: RequestView;

  abstract onInterim(head: ResponseHead): void;
  abstract onResponse(head: ResponseHead, bytes: Buffer, from: number, to: number): void;
  abstract onResponseBody(bytes: Buffer, from: number, to: number): void;
  abstract onUpgraded(head: ResponseHead, bytes: Buffer, from: number, to: number): void;
  abstract onTunnelData(bytes: Buffer, from: number, to: number): void;
  abstract onTunnelEnd(): void;
  abstract onFault(error: unknown): void;

  /** Nothing came of the request: an answer of our own. */
  abstract fail(failure: Failure): void;

  /** The response has begun and cannot be finished: the client must see that it was cut off. */
  protected abstract breakOff(flag: string, details: string): void;

  /** More of the request's body. */
  onRequestBody(
    bytes: Buffer,
    from: number,
    to: number,
    pieces: readonly number[] | undefined,
    complete: boolean,
  ): void {
    this.requestComplete = complete;
    // A filter may be keeping the request back: its time has not begun then.
    const forwarded = this.cluster !== undefined;
    if (complete && forwarded) this.#startRouteTimer();
    if (this.#sent) {
      this.#sendBody(bytes, from, to, pieces);
      if (!complete) return;
      this.#mirror();
      if (!this.#keepsBody()) this.body.drop(this.request.framing === 'none');
      this.#startTryTimer();
      return;
    }
    this.body.keep(bytes, from, to, pieces);
    if (complete && forwarded) this.#mirror();
    if (!complete && this.body.bytes > this.owner.config.perConnectionBufferLimit) this.owner.pauseRequest();
  }

  protected forward(decision: ForwardDecision): void {
    const cluster = this.owner.deps.clusters.get(decision.cluster);
    if (cluster === undefined) {
      this.fail({ kind: 'cluster-not-found', status: decision.clusterNotFoundStatus });
      return;
    }
    this.cluster = cluster;
    if (this.requestComplete) {
      this.#startRouteTimer();
      this.#mirror();
    }
    this.#attempt(false);
  }

  /** Sends the copies that the route asks for, once the request is whole; what was too large to keep is not copied. */
  #mirror(): void {
    const decision = this.decision as ForwardDecision;
    this.#mirrored = true;
    const { owner, request, path, facts } = this;
    // Envoy does not mirror upgrades either: what follows is no request.
    if (decision.mirrors.length === 0 || !this.body.whole || request.upgrade === 'websocket') return;
    for (const mirror of decision.mirrors) {
      if (!happens(mirror.share, owner.deps.draw)) continue;
      const cluster = owner.deps.clusters.get(mirror.cluster(this.view));
      if (cluster === undefined) continue;
      const copy = mirror.marksHost
        ? { ...decision, authority: shadowHost(decision.authority ?? request.authority) }
        : decision;
      const head = renderRequest(request, path, facts!, owner.peer, copy, 1, 0);
      new Shadow(owner, cluster, decision.timeoutMs).send(head, this.body.copy(), request.method === 'HEAD');
    }
  }

  #attempt(fresh: boolean): void {
    const cluster = this.cluster!;
    const host = fresh ? this.host : cluster.pick(this.#pickContext());
    if (host === undefined) {
      cluster.stats.upstreamCxNoneHealthy++;
      this.fail({ kind: 'no-healthy-upstream' });
      return;
    }
    this.host = host;
    if (!fresh) this.#attempts++;
    this.#attempting = true;
    host.active++;
    cluster.stats.upstreamRqTotal++;
    cluster.stats.upstreamRqActive++;
    const acquired = HttpPool.of(host, this.owner.deps.now).acquire(cluster, this, fresh);
    if (acquired.kind === 'pending') this.#pending = acquired.request;
    else if (acquired.kind === 'overflow') this.onPoolOverflow();
  }

  #pickContext(): PickContext {
    if (this.#tried === undefined) return this.owner.pickContext;
    return { ...this.owner.pickContext, tried: this.#tried };
  }

  onConnectionReady(connection: HttpConnection): void {
    const { request, owner } = this;
    const decision = this.decision as ForwardDecision;
    this.#pending = undefined;
    this.connection = connection;
    this.upstreamLocal = connection.localLabel;
    connection.begin(this, request.method === 'HEAD', request.http10);
    this.#sent = true;
    this.sentAt = owner.deps.now();
    const elapsed = this.#attempts > 1 ? this.sentAt - this.startTime : 0;
    const head = renderRequest(request, this.path, this.facts!, owner.peer, decision, this.#attempts, elapsed);
    const writable = this.body.send(connection, head);
    if (!this.#keepsBody()) this.body.drop(this.request.framing === 'none');
    if (this.requestComplete) this.#startTryTimer();
    else if (writable) owner.resumeRequest();
    else owner.pauseRequest();
  }

  #sendBody(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined): void {
    let open = true;
    for (const piece of bodyPieces(bytes, from, to, pieces)) open = this.connection!.write(piece);
    if (!open && !this.requestComplete) this.owner.pauseRequest();
    if (this.#keepsBody()) this.body.keep(bytes, from, to, pieces);
    else this.body.drop(this.request.framing === 'none');
  }

  onUpstreamDrain(): void {
    if (!this.requestComplete) this.owner.resumeRequest();
  }

  /** Not tried again: more load is what a breaker is there to turn away. */
  onPoolOverflow(): void {
    this.endAttempt();
    this.fail({ kind: 'overflow', retried: this.#retries > 0 });
  }

  onConnectionFailed(failure: ConnectFailure): void {
    this.#tellOutliers('connect-failed');
    this.endAttempt();
    this.transportFailure = failure.transport;
    this.#retryOrFail(failure.reason, failure.transport, false);
  }

  onUpstreamReset(reason: ResetReason): void {
    const connection = this.connection;
    this.#tellOutliers('connect-failed');
    this.endAttempt();
    if (this.responseStarted) {
      this.breakOff(resetFlag(reason), `upstream_reset_after_response_started{${reason.replaceAll(' ', '_')}}`);
      return;
    }
    // A kept-alive connection may close just as the request goes out on it. When nothing has been heard and sending twice
    // does no harm, the client need not hear of it either (RFC 9112 §9.3.1).
    const unheard =
      connection?.reused === true && connection.responseBytes === 0 && reason === 'connection termination';
    if (unheard && !this.#replayed && this.body.whole && isIdempotent(this.request.method)) {
      this.#replayed = true;
      this.#attempt(true);
      return;
    }
    this.#retryOrFail(reason, '', true);
  }

  #retryOrFail(reason: ResetReason, transport: string, started: boolean): void {
    const policy = (this.decision as ForwardDecision).retry;
    if (policy !== undefined && retriesReset(policy, reason, started) && this.#retry()) return;
    this.fail({ kind: 'upstream-reset', reason, transport, retried: this.#retries > 0 });
  }

  /** Whether a response is thrown away for another attempt. */
  protected retryResponse(connection: HttpConnection, head: ResponseHead): boolean {
    const policy = (this.decision as ForwardDecision).retry;
    if (policy === undefined || !retriesResponse(policy, head) || !this.#retry()) return false;
    const reusable = connection.complete && this.requestComplete;
    this.endAttempt();
    if (reusable) connection.release();
    else connection.destroy();
    return true;
  }

  /** Schedules another attempt, unless there may be none. */
  #retry(): boolean {
    const policy = (this.decision as ForwardDecision).retry;
    this.#endRetry();
    if (policy === undefined || !this.body.whole) return false;
    if (this.#retries >= policy.numRetries) {
      this.flag('URX');
      return false;
    }
    const { breakers, stats } = this.cluster!;
    if (!breakers.allowsRetry) {
      stats.upstreamRqRetryOverflow++;
      this.flag('UO');
      return false;
    }
    breakers.inUse.retries++;
    this.#retrying = true;
    this.#retries++;
    this.#replayed = false;
    stats.upstreamRqRetry++;
    if (policy.avoidPreviousHosts > 0 && this.host !== undefined) {
      this.#tried ??= new Set();
      this.#tried.add(this.host);
    }
    clearTimeout(this.#tryTimer);
    this.#backoffTimer = setTimeout(
      RequestAttempts.#onBackoff,
      timerDelay(backoffMs(policy, this.#retries, this.owner.deps.draw)),
      this,
    );
    return true;
  }

  static #onBackoff(attempts: RequestAttempts): void {
    if (!attempts.over) attempts.#attempt(false);
  }

  /** Gives the host and the counts back. */
  protected endAttempt(): void {
    if (!this.#attempting) return;
    this.#attempting = false;
    this.#pending?.cancel();
    this.#pending = undefined;
    this.connection = undefined;
    this.#sent = false;
    this.host!.active--;
    this.cluster!.stats.upstreamRqActive--;
  }

  protected dropConnection(): void {
    const connection = this.connection;
    this.endAttempt();
    connection?.destroy();
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Once the request is in: the client's slowness is not the upstream's (Envoy: onRequestComplete). Spans all attempts. */
  #startRouteTimer(): void {
    const { timeoutMs } = this.decision as ForwardDecision;
    if (timeoutMs > 0) this.#routeTimer = setTimeout(RequestAttempts.#onRouteTimeout, timerDelay(timeoutMs), this);
  }

  #startTryTimer(): void {
    const perTry = (this.decision as ForwardDecision).retry?.perTryTimeoutMs ?? 0;
    if (perTry > 0) this.#tryTimer = setTimeout(RequestAttempts.#onTryTimeout, timerDelay(perTry), this);
  }

  static #onRouteTimeout(attempts: RequestAttempts): void {
    attempts.cluster!.stats.upstreamRqTimeout++;
    attempts.#tellOutliers('timeout');
    if (attempts.responseStarted) attempts.breakOff('UT', 'response_timeout');
    else attempts.fail({ kind: 'response-timeout' });
  }

  static #onTryTimeout(attempts: RequestAttempts): void {
    if (attempts.over || attempts.responseStarted) return;
    attempts.cluster!.stats.upstreamRqTimeout++;
    attempts.#tellOutliers('timeout');
    attempts.dropConnection();
    const policy = (attempts.decision as ForwardDecision).retry;
    if (policy !== undefined && retriesReset(policy, 'per-try timeout', true) && attempts.#retry()) return;
    attempts.fail({ kind: 'per-try-timeout' });
  }

  protected clearTryTimer(): void {
    clearTimeout(this.#tryTimer);
  }

  #tellOutliers(failure: LocalOriginFailure): void {
    if (this.#attempting) this.cluster!.outliers?.onLocalFailure(this.host!, failure, this.owner.deps.now());
  }

  #endRetry(): void {
    if (!this.#retrying) return;
    this.#retrying = false;
    this.cluster!.breakers.inUse.retries--;
  }

  protected clearTimers(): void {
    this.#endRetry();
    clearTimeout(this.#routeTimer);
    clearTimeout(this.#tryTimer);
    clearTimeout(this.#backoffTimer);
  }

  flag(flag: string): void {
    if (flag !== '') this.flags = this.flags === '' ? flag : `${this.flags},${flag}`;
  }

  protected countUpstream(status: number): void {
    this.cluster!.outliers?.onResponse(this.host!, status, this.owner.deps.now());
    const counts = this.cluster!.stats.upstreamRqByClass;
    const index = Math.floor(status / 100) - 1;
    if (index < counts.length) counts[index]!++;
  }

  /** Kept while it may have to be sent again and is small enough (Envoy: per_connection_buffer_limit_bytes). */
  #keepsBody(): boolean {
    if (!this.body.whole || this.responseStarted || this.body.bytes > this.owner.config.perConnectionBufferLimit)
      return false;
    const { retry, mirrors } = this.decision as ForwardDecision;
    if (mirrors.length > 0 && !this.#mirrored) return true;
    return retry !== undefined || isIdempotent(this.request.method);
  }
}

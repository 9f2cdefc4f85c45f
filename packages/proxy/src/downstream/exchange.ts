// One request and its response: route, cluster, host, attempts, and the answer, whoever gives it. Read `start` first: it
// and what it calls are the layers of a request in their order.
import type { ForwardDecision, HeaderEdit, RouteDecision } from '@varka/decide/route-table.ts';
import { Fault, type MessageFault } from '../http/fault.ts';
import { normalizePath } from '../http/path-normalizer.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Cluster, PickContext } from '../upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { HttpConnection, ResetReason, UpstreamHandler } from '../upstream/http-connection.ts';
import { HttpPool } from '../upstream/http-pool.ts';
import type { ConnectFailure } from '../upstream/socket.ts';
import { ExchangeLogEntry } from './exchange-log.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { type Failure, localReply, resetFlag } from './local-reply.ts';
import { bodyPieces, RequestBody } from './request-body.ts';
import { type RequestFacts, renderRequest, requestFacts } from './request-headers.ts';
import { type ResponseTerms, renderInterim, renderLocal, renderResponse } from './response-headers.ts';
import { writeResponse } from './response-writer.ts';
import { backoffMs, isIdempotent, retriesReset, retriesResponse } from './retry.ts';
import { Tunnel } from './tunnel.ts';

const NO_EDITS: readonly HeaderEdit[] = [];

export class Exchange implements UpstreamHandler {
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
  response: ResponseHead | undefined = undefined;
  status = 0;
  flags = '';
  details: string | undefined = undefined;
  transportFailure = '';
  bytesReceived = 0;
  bytesSent = 0;
  serviceTimeMs: number | undefined = undefined;

  #connection: HttpConnection | undefined = undefined;
  #attempts = 0;
  #retries = 0;
  #replayed = false;
  #tried: Set<Host> | undefined = undefined;
  readonly #body = new RequestBody();
  #requestComplete = false;
  /** The request's head is on the connection. */
  #sent = false;
  #sentAt = 0;
  #responseStarted = false;
  #chunkResponse = false;
  #close = false;
  #over = false;
  #tunnel: Tunnel | undefined = undefined;
  #routeTimer: NodeJS.Timeout | undefined = undefined;
  #tryTimer: NodeJS.Timeout | undefined = undefined;
  #backoffTimer: NodeJS.Timeout | undefined = undefined;

  constructor(owner: ExchangeOwner, request: RequestHead) {
    this.owner = owner;
    this.request = request;
    this.startTime = owner.deps.now();
    const { stats } = owner.config;
    stats.downstreamRqTotal++;
    stats.downstreamRqActive++;
  }

  get requestComplete(): boolean {
    return this.#requestComplete;
  }

  get tunnelling(): boolean {
    return this.#tunnel !== undefined;
  }

  /** The head is read; what came with it of the body is `bytes` from `from` to `to`, `pieces` of it when given. */
  start(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined, complete: boolean): void {
    const { request } = this;
    this.#requestComplete = complete;
    this.#body.keep(bytes, from, to, pieces);
    // HTTP/1.0 clients expect a connection to close on them; Envoy and Istio turn them away unless told otherwise.
    if (request.http10 && this.owner.config.acceptHttp10 !== true) {
      this.refuse(Fault.lowVersion);
      return;
    }
    // Before routing: rules must see the path that the upstream will.
    const path = this.owner.config.normalizePath === true ? normalizePath(request.path) : request.path;
    if (path === undefined) {
      this.refuse(Fault.fragment);
      return;
    }
    this.path = path;
    request.path = path;
    // h2c is an offer that may be passed over (RFC 9110 §7.8); any other unknown protocol is what the client insists on.
    if (request.upgrade !== '' && request.upgrade !== 'h2c' && !this.#carriesUpgrade()) {
      this.refuse(Fault.upgradeRefused);
      return;
    }
    // Before the route's own edits: those may refer to what is added here, and win over it.
    this.facts = requestFacts(request, this.owner.peer);
    // The rule: first match wins; what it says is carried out by the layers below and never looked at again.
    this.decision = this.owner.config.routes.table?.decide(request, this.owner.deps.draw) ?? { kind: 'none' };
    const { decision } = this;
    if (decision.kind === 'forward') this.#forward(decision);
    else if (decision.kind === 'none') this.#fail({ kind: 'no-route' });
    else {
      const redirect = decision.kind === 'redirect';
      const location = redirect ? decision.location : undefined;
      this.#reply(
        decision.status,
        redirect ? '' : decision.body,
        'direct_response',
        location,
        decision.responseHeaders,
      );
    }
  }

  /** More of the request's body. */
  onRequestBody(
    bytes: Buffer,
    from: number,
    to: number,
    pieces: readonly number[] | undefined,
    complete: boolean,
  ): void {
    this.#requestComplete = complete;
    if (complete) this.#startRouteTimer();
    if (this.#sent) {
      this.#sendBody(bytes, from, to, pieces);
      if (complete) this.#startTryTimer();
      return;
    }
    this.#body.keep(bytes, from, to, pieces);
    if (!complete && this.#body.bytes > this.owner.config.perConnectionBufferLimit) this.owner.pauseRequest();
  }

  /** The request cannot be read (any further). */
  refuse(fault: MessageFault): void {
    if (fault.status === 400) this.owner.config.stats.downstreamCxProtocolError++;
    this.#close = true;
    this.#fail({ kind: 'request-refused', fault });
  }

  /** The client took too long over the head. */
  headTimeout(): void {
    this.#close = true;
    this.#fail({ kind: 'request-head-timeout' });
  }

  /** The client has gone. */
  onDownstreamClosed(): void {
    if (this.#over) return;
    if (this.#tunnel === undefined) {
      this.#flag('DC');
      this.details = 'downstream_remote_disconnect';
    }
    this.#dropConnection();
    this.#end(true);
  }

  onDownstreamDrain(): void {
    this.#connection?.resumeReading();
  }

  onTunnelDownstreamData(bytes: Buffer): void {
    this.#tunnel?.fromDownstream(bytes);
  }

  onTunnelDownstreamEnd(): void {
    this.#tunnel?.endDownstream();
    this.#endTunnel();
  }

  // ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #forward(decision: ForwardDecision): void {
    const cluster = this.owner.deps.clusters.get(decision.cluster);
    if (cluster === undefined) {
      this.#fail({ kind: 'cluster-not-found', status: decision.clusterNotFoundStatus });
      return;
    }
    this.cluster = cluster;
    if (this.#requestComplete) this.#startRouteTimer();
    this.#attempt(false);
  }

  #attempt(fresh: boolean): void {
    const cluster = this.cluster!;
    const host = fresh ? this.host : cluster.pick(this.#pickContext());
    if (host === undefined) {
      cluster.stats.upstreamCxNoneHealthy++;
      this.#fail({ kind: 'no-healthy-upstream' });
      return;
    }
    this.host = host;
    if (!fresh) this.#attempts++;
    host.active++;
    cluster.stats.upstreamRqTotal++;
    cluster.stats.upstreamRqActive++;
    host.pool ??= new HttpPool(host, this.owner.deps.now);
    this.#connection = host.pool.acquire(cluster, this, fresh);
  }

  #pickContext(): PickContext {
    if (this.#tried === undefined) return this.owner.pickContext;
    return { ...this.owner.pickContext, tried: this.#tried };
  }

  onConnectionReady(connection: HttpConnection): void {
    const { request, owner } = this;
    const decision = this.decision as ForwardDecision;
    this.#connection = connection;
    this.upstreamLocal = connection.localLabel;
    connection.begin(this, request.method === 'HEAD', request.http10);
    this.#sent = true;
    this.#sentAt = owner.deps.now();
    const elapsed = this.#attempts > 1 ? this.#sentAt - this.startTime : 0;
    const head = renderRequest(request, this.path, this.facts!, owner.peer, decision, this.#attempts, elapsed);
    const writable = this.#body.send(connection, head);
    if (!this.#keepsBody()) this.#body.drop(this.request.framing === 'none');
    if (this.#requestComplete) this.#startTryTimer();
    else if (writable) owner.resumeRequest();
    else owner.pauseRequest();
  }

  #sendBody(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined): void {
    let open = true;
    for (const piece of bodyPieces(bytes, from, to, pieces)) open = this.#connection!.write(piece);
    if (!open && !this.#requestComplete) this.owner.pauseRequest();
    if (this.#keepsBody()) this.#body.keep(bytes, from, to, pieces);
    else this.#body.drop(this.request.framing === 'none');
  }

  onUpstreamDrain(): void {
    if (this.#tunnel !== undefined) this.#tunnel.upstreamDrained();
    else if (!this.#requestComplete) this.owner.resumeRequest();
  }

  onConnectionFailed(failure: ConnectFailure): void {
    this.#endAttempt();
    this.transportFailure = failure.transport;
    this.#retryOrFail(failure.reason, failure.transport, false);
  }

  onUpstreamReset(reason: ResetReason): void {
    const connection = this.#connection;
    this.#endAttempt();
    if (this.#tunnel !== undefined) {
      this.owner.closeNow();
      this.#end(true);
      return;
    }
    if (this.#responseStarted) {
      this.#breakOff(resetFlag(reason), `upstream_reset_after_response_started{${reason.replaceAll(' ', '_')}}`);
      return;
    }
    // A kept-alive connection may close just as the request goes out on it. When nothing has been heard and sending twice
    // does no harm, the client need not hear of it either (RFC 9112 §9.3.1).
    const unheard =
      connection?.reused === true && connection.responseBytes === 0 && reason === 'connection termination';
    if (unheard && !this.#replayed && this.#body.whole && isIdempotent(this.request.method)) {
      this.#replayed = true;
      this.#attempt(true);
      return;
    }
    this.#retryOrFail(reason, '', true);
  }

  #retryOrFail(reason: ResetReason, transport: string, started: boolean): void {
    const policy = (this.decision as ForwardDecision).retry;
    if (policy !== undefined && retriesReset(policy, reason, started) && this.#retry()) return;
    this.#fail({ kind: 'upstream-reset', reason, transport, retried: this.#retries > 0 });
  }

  /** Schedules another attempt, unless there may be none. */
  #retry(): boolean {
    const policy = (this.decision as ForwardDecision).retry;
    if (policy === undefined || !this.#body.whole) return false;
    if (this.#retries >= policy.numRetries) {
      this.#flag('URX');
      return false;
    }
    this.#retries++;
    this.#replayed = false;
    this.cluster!.stats.upstreamRqRetry++;
    if (policy.avoidPreviousHosts > 0 && this.host !== undefined) {
      this.#tried ??= new Set();
      this.#tried.add(this.host);
    }
    clearTimeout(this.#tryTimer);
    this.#backoffTimer = setTimeout(Exchange.#onBackoff, backoffMs(policy, this.#retries, this.owner.deps.draw), this);
    return true;
  }

  static #onBackoff(exchange: Exchange): void {
    if (!exchange.#over) exchange.#attempt(false);
  }

  /** Gives the host and the counts back. */
  #endAttempt(): void {
    if (this.#connection === undefined) return;
    this.#connection = undefined;
    this.#sent = false;
    this.host!.active--;
    this.cluster!.stats.upstreamRqActive--;
  }

  #dropConnection(): void {
    const connection = this.#connection;
    this.#endAttempt();
    connection?.destroy();
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Once the request is in: the client's slowness is not the upstream's (Envoy: onRequestComplete). Spans all attempts. */
  #startRouteTimer(): void {
    const { timeoutMs } = this.decision as ForwardDecision;
    if (timeoutMs > 0) this.#routeTimer = setTimeout(Exchange.#onRouteTimeout, timeoutMs, this);
  }

  #startTryTimer(): void {
    const perTry = (this.decision as ForwardDecision).retry?.perTryTimeoutMs ?? 0;
    if (perTry > 0) this.#tryTimer = setTimeout(Exchange.#onTryTimeout, perTry, this);
  }

  static #onRouteTimeout(exchange: Exchange): void {
    exchange.cluster!.stats.upstreamRqTimeout++;
    if (exchange.#responseStarted) exchange.#breakOff('UT', 'response_timeout');
    else exchange.#fail({ kind: 'response-timeout' });
  }

  static #onTryTimeout(exchange: Exchange): void {
    if (exchange.#over || exchange.#responseStarted) return;
    exchange.cluster!.stats.upstreamRqTimeout++;
    exchange.#dropConnection();
    const policy = (exchange.decision as ForwardDecision).retry;
    if (policy !== undefined && retriesReset(policy, 'per-try timeout', true) && exchange.#retry()) return;
    exchange.#fail({ kind: 'per-try-timeout' });
  }

  // ── the response ──────────────────────────────────────────────────────────────────────────────────────────────────

  onInterim(head: ResponseHead): void {
    if (!this.request.http10) this.owner.socket.write(renderInterim(head), 'latin1');
  }

  onResponse(head: ResponseHead, bytes: Buffer, from: number, to: number): void {
    const connection = this.#connection!;
    const decision = this.decision as ForwardDecision;
    this.#countUpstream(head.status);
    if (decision.retry !== undefined && retriesResponse(decision.retry, head) && this.#retry()) {
      const reusable = connection.complete && this.#requestComplete;
      this.#endAttempt();
      if (reusable) connection.release();
      else connection.destroy();
      return;
    }
    const { request } = this;
    clearTimeout(this.#tryTimer);
    this.#responseStarted = true;
    this.#body.drop(this.request.framing === 'none');
    this.response = head;
    this.status = head.status;
    this.details = 'via_upstream';
    const now = this.owner.deps.now();
    this.serviceTimeMs = now - this.#sentAt;
    const untilClose = head.framing === 'until-close';
    this.#chunkResponse = untilClose && !request.http10;
    this.#close =
      request.close ||
      this.owner.draining ||
      // After a refused upgrade the client's next bytes may be of the protocol it hoped for.
      request.upgrade === 'websocket' ||
      (connection.complete && !this.#requestComplete) ||
      (request.http10 && (untilClose || head.framing === 'chunked'));
    const text = renderResponse(
      head,
      request,
      this.#terms(now),
      this.serviceTimeMs,
      this.#chunkResponse,
      decision.responseHeaders,
    );
    this.#writeResponse(text, bytes, from, to);
  }

  onResponseBody(bytes: Buffer, from: number, to: number): void {
    this.#writeResponse('', bytes, from, to);
  }

  #writeResponse(head: string, bytes: Buffer, from: number, to: number): void {
    const connection = this.#connection!;
    const open = writeResponse(this.owner.socket, head, bytes, from, to, connection.scanner, this.#chunkResponse);
    this.bytesSent = connection.scanner.received;
    if (connection.complete) this.#endResponse();
    else if (!open) connection.pauseReading();
  }

  #endResponse(): void {
    const connection = this.#connection!;
    this.#endAttempt();
    if (this.#requestComplete) connection.release();
    else connection.destroy();
    this.#end(this.#close || !this.#requestComplete);
  }

  onUpgraded(head: ResponseHead, bytes: Buffer, from: number, to: number): void {
    if (!this.#carriesUpgrade() || !head.upgrade) {
      this.#dropConnection();
      this.#fail({ kind: 'upstream-reset', reason: 'protocol error', transport: '', retried: false });
      return;
    }
    const decision = this.decision as ForwardDecision;
    this.#countUpstream(101);
    this.#clearTimers();
    this.#responseStarted = true;
    this.response = head;
    this.status = 101;
    this.details = 'via_upstream';
    const now = this.owner.deps.now();
    this.serviceTimeMs = now - this.#sentAt;
    this.owner.socket.write(
      renderResponse(head, this.request, this.#terms(now), this.serviceTimeMs, false, decision.responseHeaders),
      'latin1',
    );
    this.#tunnel = new Tunnel(this.owner.socket, this.#connection!);
    if (to > from) this.#tunnel.fromUpstream(bytes, from, to);
    this.owner.resumeRequest();
  }

  onTunnelData(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromUpstream(bytes, from, to);
  }

  onTunnelEnd(): void {
    this.#tunnel?.endUpstream();
    this.#endTunnel();
  }

  #endTunnel(): void {
    if (this.#tunnel?.ended !== true) return;
    // Both sides have said goodbye; the sockets close by themselves once what is written has gone out.
    this.#endAttempt();
    this.#end(true);
  }

  #carriesUpgrade(): boolean {
    return this.request.upgrade === 'websocket' && this.owner.config.websocketUpgrade;
  }

  // ── answers of our own ────────────────────────────────────────────────────────────────────────────────────────────

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.#dropConnection();
    const reply = localReply(failure);
    this.#flag(reply.flag);
    if (this.#responseStarted) {
      this.#breakOff('', reply.details);
      return;
    }
    const { decision } = this;
    const edits = decision === undefined || decision.kind === 'none' ? NO_EDITS : decision.responseHeaders;
    this.#reply(reply.status, reply.body, reply.details, undefined, edits);
  }

  #reply(
    status: number,
    body: string,
    details: string,
    location: string | undefined,
    edits: readonly HeaderEdit[],
  ): void {
    this.status = status;
    this.details = details;
    this.#responseStarted = true;
    this.#close ||= this.request.close || this.owner.draining || !this.#requestComplete;
    const bytes = Buffer.byteLength(body);
    const head = renderLocal(status, bytes, location, this.request, this.#terms(this.owner.deps.now()), edits);
    const { socket } = this.owner;
    if (bytes === 0 || this.request.method === 'HEAD') socket.write(head, 'latin1');
    else {
      socket.write(head + Buffer.from(body).toString('latin1'), 'latin1');
      this.bytesSent = bytes;
    }
    this.#end(this.#close);
  }

  /** The response has begun and cannot be finished: the client must see that it was cut off. */
  #breakOff(flag: string, details: string): void {
    this.#flag(flag);
    this.details = details;
    this.#dropConnection();
    this.#end(true);
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(close: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#clearTimers();
    this.#body.drop(this.request.framing === 'none');
    const { config } = this.owner;
    config.stats.downstreamRqActive--;
    const index = Math.floor(this.status / 100) - 1;
    if (index >= 0 && index < 5) config.stats.downstreamRqByClass[index]!++;
    if (this.#tunnel !== undefined) {
      this.bytesReceived = this.#tunnel.bytesReceived;
      this.bytesSent = this.#tunnel.bytesSent;
    } else this.bytesReceived = this.owner.bodyBytesReceived;
    if (config.accessLogs.length > 0) {
      const entry = new ExchangeLogEntry(this, this.owner.deps.now());
      for (const log of config.accessLogs) log.log(entry);
    }
    this.owner.onExchangeDone(close);
  }

  #clearTimers(): void {
    clearTimeout(this.#routeTimer);
    clearTimeout(this.#tryTimer);
    clearTimeout(this.#backoffTimer);
  }

  #terms(now: number): ResponseTerms {
    return { config: this.owner.config, now, close: this.#close };
  }

  #flag(flag: string): void {
    if (flag !== '') this.flags = this.flags === '' ? flag : `${this.flags},${flag}`;
  }

  #countUpstream(status: number): void {
    const counts = this.cluster!.stats.upstreamRqByClass;
    const index = Math.floor(status / 100) - 1;
    if (index < counts.length) counts[index]!++;
  }

  // ── the request's body ────────────────────────────────────────────────────────────────────────────────────────────

  /** Kept while it may have to be sent again and is small enough (Envoy: per_connection_buffer_limit_bytes). */
  #keepsBody(): boolean {
    if (!this.#body.whole || this.#responseStarted || this.#body.bytes > this.owner.config.perConnectionBufferLimit)
      return false;
    return (this.decision as ForwardDecision).retry !== undefined || isIdempotent(this.request.method);
  }
}

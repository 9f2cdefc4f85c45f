// One request and its response: route, cluster, host, attempts, and the answer, whoever gives it. Read `start` first: it
// and what it calls are the layers of a request in their order.
import { type FilterConfigs, NO_FILTER_CONFIGS } from '@varka/decide/filter-configs.ts';
import type { HeaderEdit } from '@varka/decide/header-edits.ts';
import type { RequestView } from '@varka/decide/request-view.ts';
import type { FilterStream, FilterVerdict } from '../filters/http-filter.ts';
import { Fault, type MessageFault } from '../http/fault.ts';
import { normalizePath } from '../http/path-normalizer.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { timerDelay } from '../timer-delay.ts';
import type { ResetReason } from '../upstream/http-connection.ts';
import { ExchangeLogEntry } from './exchange-log.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { type Failure, localReply } from './local-reply.ts';
import { RequestAttempts } from './request-attempts.ts';
import { requestFacts, routedHeader } from './request-headers.ts';
import { type ResponseTerms, renderInterim, renderLocal, renderResponse } from './response-headers.ts';
import { writeResponse } from './response-writer.ts';
import { Tunnel } from './tunnel.ts';

const NO_EDITS: readonly HeaderEdit[] = [];

export class Exchange extends RequestAttempts implements RequestView, FilterStream {
  /** What the log shows, beyond what the attempts know. */
  response: ResponseHead | undefined = undefined;
  status = 0;
  details: string | undefined = undefined;
  bytesReceived = 0;
  bytesSent = 0;
  serviceTimeMs: number | undefined = undefined;
  #chunkResponse = false;
  #close = false;
  #tunnel: Tunnel | undefined = undefined;
  /** The filter that the request has reached. */
  #filterIndex = 0;
  #filterEdits: readonly HeaderEdit[] = NO_EDITS;
  #hold: { readonly timer: NodeJS.Timeout; readonly done: (over: boolean) => FilterVerdict } | undefined = undefined;

  constructor(owner: ExchangeOwner, request: RequestHead) {
    super(owner, request);
    const { stats } = owner.config;
    stats.downstreamRqTotal++;
    stats.downstreamRqActive++;
  }

  // What rules look at: the request after the edge has had its say, never an outsider's word for who or where he is.

  get method(): string {
    return this.request.method;
  }

  get authority(): string {
    return this.request.authority;
  }

  get scheme(): string {
    return this.request.absoluteForm ? this.request.scheme : this.facts!.forwardedProto;
  }

  header(name: string): string | undefined {
    return routedHeader(this.request, this.facts!, this.owner.peer, name);
  }

  get tunnelling(): boolean {
    return this.#tunnel !== undefined;
  }

  /** The head is read; what came with it of the body is `bytes` from `from` to `to`, `pieces` of it when given. */
  start(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined, complete: boolean): void {
    const { request } = this;
    this.requestComplete = complete;
    this.body.keep(bytes, from, to, pieces);
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
    // h2c is an offer that may be passed over (RFC 9110 §7.8); any other unknown protocol is what the client insists on.
    if (request.upgrade !== '' && request.upgrade !== 'h2c' && !this.#carriesUpgrade()) {
      this.refuse(Fault.upgradeRefused);
      return;
    }
    // Before the route's own edits: those may refer to what is added here, and win over it.
    this.facts = requestFacts(request, this.owner.peer);
    // The rule: first match wins; what it says is carried out by the layers below and never looked at again.
    this.decision = this.owner.config.routes.table?.decide(this, this.owner.deps.draw) ?? { kind: 'none' };
    // Those who may answer in the route's stead, or keep the request waiting.
    if (this.#runFilters(0)) this.#carryOut();
  }

  #carryOut(): void {
    const decision = this.decision!;
    if (decision.kind === 'forward') this.forward(decision);
    else if (decision.kind === 'none') this.fail({ kind: 'no-route' });
    else {
      const redirect = decision.kind === 'redirect';
      const location = redirect ? decision.location : undefined;
      const body = redirect ? '' : decision.body;
      this.#reply(decision.status, body, 'direct_response', location, this.#responseEdits());
    }
  }

  // ── filters ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** True when all have let the request pass. */
  #runFilters(first: number): boolean {
    const { filters } = this.owner.config;
    for (let i = first; i < filters.length; i++) {
      this.#filterIndex = i;
      if (filters[i]!.onRequest(this) === 'stop') return false;
    }
    return true;
  }

  get view(): RequestView {
    return this;
  }

  get clusterName(): string {
    return this.decision?.kind === 'forward' ? this.decision.cluster : '';
  }

  get filters(): FilterConfigs {
    const { decision } = this;
    return decision === undefined || decision.kind === 'none' ? NO_FILTER_CONFIGS : decision.filters;
  }

  draw(): number {
    return this.owner.deps.draw();
  }

  editResponse(edits: readonly HeaderEdit[]): void {
    this.#filterEdits = [...this.#filterEdits, ...edits];
  }

  answer(details: string): void {
    this.#reply(200, '', details, undefined, this.#filterEdits);
  }

  hold(ms: number, done: (over: boolean) => FilterVerdict): void {
    this.#hold = { timer: setTimeout(Exchange.#onHoldOver, timerDelay(ms), this), done };
  }

  static #onHoldOver(exchange: Exchange): void {
    const hold = exchange.#hold;
    exchange.#hold = undefined;
    if (hold === undefined || exchange.over) return;
    try {
      if (hold.done(true) === 'continue' && exchange.#runFilters(exchange.#filterIndex + 1)) exchange.#carryOut();
    } catch (error) {
      exchange.onFault(error);
    }
  }

  /** The route's, then the filters': those run after the router on the way back. */
  #responseEdits(): readonly HeaderEdit[] {
    const { decision } = this;
    const route = decision === undefined || decision.kind === 'none' ? NO_EDITS : decision.responseHeaders;
    return this.#filterEdits.length === 0 ? route : [...route, ...this.#filterEdits];
  }

  /** The request cannot be read (any further). */
  refuse(fault: MessageFault): void {
    if (fault.status === 400) this.owner.config.stats.downstreamCxProtocolError++;
    this.#close = true;
    this.fail({ kind: 'request-refused', fault });
  }

  /** The client took too long over the head. */
  headTimeout(): void {
    this.#close = true;
    this.fail({ kind: 'request-head-timeout' });
  }

  /** Our own code has failed over this request: it ends here, and so does its connection, but not the program. */
  override onFault(error: unknown): void {
    this.owner.deps.onFault(error);
    this.#close = true;
    try {
      this.fail({ kind: 'internal-error' });
    } catch (again) {
      this.owner.deps.onFault(again);
      this.owner.socket.destroy();
    }
  }

  /** The client has gone. */
  onDownstreamClosed(): void {
    if (this.over) return;
    if (this.#tunnel === undefined) {
      this.flag('DC');
      this.details = 'downstream_remote_disconnect';
    }
    this.dropConnection();
    this.#end(true);
  }

  onDownstreamDrain(): void {
    this.connection?.resumeReading();
  }

  onTunnelDownstreamData(bytes: Buffer): void {
    this.#tunnel?.fromDownstream(bytes);
  }

  onTunnelDownstreamEnd(): void {
    this.#tunnel?.endDownstream();
    this.#endTunnel();
  }

  // ── the response ──────────────────────────────────────────────────────────────────────────────────────────────────

  override onInterim(head: ResponseHead): void {
    if (!this.request.http10) this.owner.socket.write(renderInterim(head), 'latin1');
  }

  override onResponse(head: ResponseHead, bytes: Buffer, from: number, to: number): void {
    const connection = this.connection!;
    this.countUpstream(head.status);
    if (this.retryResponse(connection, head)) return;
    const { request } = this;
    this.clearTryTimer();
    this.body.drop(this.request.framing === 'none');
    this.response = head;
    this.status = head.status;
    this.details = 'via_upstream';
    const now = this.owner.deps.now();
    this.serviceTimeMs = now - this.sentAt;
    const untilClose = head.framing === 'until-close';
    this.#chunkResponse = untilClose && !request.http10;
    this.#close =
      request.close ||
      this.owner.draining ||
      // After a refused upgrade the client's next bytes may be of the protocol it hoped for.
      request.upgrade === 'websocket' ||
      (connection.complete && !this.requestComplete) ||
      (request.http10 && (untilClose || head.framing === 'chunked'));
    const text = renderResponse(
      head,
      request,
      this.#terms(now),
      this.serviceTimeMs,
      this.#chunkResponse,
      this.#responseEdits(),
    );
    this.responseStarted = true;
    this.#writeResponse(text, bytes, from, to);
  }

  override onResponseBody(bytes: Buffer, from: number, to: number): void {
    this.#writeResponse('', bytes, from, to);
  }

  #writeResponse(head: string, bytes: Buffer, from: number, to: number): void {
    const connection = this.connection!;
    const open = writeResponse(this.owner.socket, head, bytes, from, to, connection.scanner, this.#chunkResponse);
    this.bytesSent = connection.scanner.received;
    if (connection.complete) this.#endResponse();
    else if (!open) connection.pauseReading();
  }

  #endResponse(): void {
    const connection = this.connection!;
    this.endAttempt();
    if (this.requestComplete) connection.release();
    else connection.destroy();
    this.#end(this.#close || !this.requestComplete);
  }

  override onUpgraded(head: ResponseHead, bytes: Buffer, from: number, to: number): void {
    if (!this.#carriesUpgrade() || !head.upgrade) {
      this.dropConnection();
      this.fail({ kind: 'upstream-reset', reason: 'protocol error', transport: '', retried: false });
      return;
    }
    this.countUpstream(101);
    this.clearTimers();
    this.responseStarted = true;
    this.response = head;
    this.status = 101;
    this.details = 'via_upstream';
    const now = this.owner.deps.now();
    this.serviceTimeMs = now - this.sentAt;
    this.owner.socket.write(
      renderResponse(head, this.request, this.#terms(now), this.serviceTimeMs, false, this.#responseEdits()),
      'latin1',
    );
    this.#tunnel = new Tunnel(this.owner.socket, this.connection!);
    if (to > from) this.#tunnel.fromUpstream(bytes, from, to);
    this.owner.resumeRequest();
  }

  override onUpstreamDrain(): void {
    if (this.#tunnel === undefined) super.onUpstreamDrain();
    else this.#tunnel.upstreamDrained();
  }

  override onUpstreamReset(reason: ResetReason): void {
    if (this.#tunnel === undefined) super.onUpstreamReset(reason);
    else {
      this.endAttempt();
      this.#end(true);
    }
  }

  override onTunnelData(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromUpstream(bytes, from, to);
  }

  override onTunnelEnd(): void {
    this.#tunnel?.endUpstream();
    this.#endTunnel();
  }

  #endTunnel(): void {
    if (this.#tunnel?.ended !== true) return;
    this.connection?.finish();
    this.endAttempt();
    this.#end(true);
  }

  #carriesUpgrade(): boolean {
    return this.request.upgrade === 'websocket' && this.owner.config.websocketUpgrade;
  }

  // ── answers of our own ────────────────────────────────────────────────────────────────────────────────────────────

  override fail(failure: Failure): void {
    if (this.over) return;
    this.dropConnection();
    const reply = localReply(failure);
    this.flag(reply.flag);
    if (this.responseStarted) {
      this.breakOff('', reply.details);
      return;
    }
    const edits = this.#responseEdits();
    const { headers } = reply;
    const all = headers === undefined ? edits : [...headers, ...edits];
    this.#reply(reply.status, reply.body, reply.details, undefined, all);
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
    this.responseStarted = true;
    this.#close ||= this.request.close || this.owner.draining || !this.requestComplete;
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
  protected override breakOff(flag: string, details: string): void {
    this.flag(flag);
    this.details = details;
    this.dropConnection();
    this.#end(true);
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(close: boolean): void {
    if (this.over) return;
    this.over = true;
    this.#endHold();
    this.clearTimers();
    this.body.drop(this.request.framing === 'none');
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
      try {
        for (const log of config.accessLogs) log.log(entry);
      } catch (error) {
        this.owner.deps.onFault(error);
      }
    }
    this.owner.onExchangeDone(close);
  }

  #endHold(): void {
    const hold = this.#hold;
    if (hold === undefined) return;
    this.#hold = undefined;
    clearTimeout(hold.timer);
    hold.done(false);
  }

  #terms(now: number): ResponseTerms {
    return { config: this.owner.config, now, close: this.#close };
  }
}

// One HTTP/1.1 connection to an upstream: sends a request, reads its response, and says whether it can be used again.
import type net from 'node:net';
import { closeFlushed } from '../close-flushed.ts';
import { BodyScanner } from '../http/body-scanner.ts';
import { HeadBuffer } from '../http/head-buffer.ts';
import { FAULTY, INCOMPLETE } from '../http/message-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import { writeOut } from '../write-lent.ts';
import type { Cluster } from './cluster.ts';
import type { Host } from './host.ts';
import { type ConnectCallbacks, type ConnectFailure, connectUpstream } from './socket.ts';

/** Envoy's reset reasons, as far as an HTTP/1.1 upstream can give them (StreamResetReason). */
export type ResetReason = 'connection termination' | 'protocol error' | 'local reset' | ConnectFailure['reason'];

/** Whoever has a request on the connection. Bytes given are only valid during the call: copy what is kept. */
export interface UpstreamHandler {
  onConnectionReady(connection: HttpConnection): void;
  onConnectionFailed(failure: ConnectFailure): void;
  /** A circuit breaker opened while the request waited. */
  onPoolOverflow(): void;
  /** 100, 102, 103 and their like. */
  onInterim(head: ResponseHead): void;
  /** The head and what came with it of the body: `bytes` from `from` to `to`. `connection.complete` when that is all. */
  onResponse(head: ResponseHead, bytes: Buffer, from: number, to: number): void;
  onResponseBody(bytes: Buffer, from: number, to: number): void;
  /** The connection has switched to the protocol asked for. */
  onUpgraded(head: ResponseHead, bytes: Buffer, from: number, to: number): void;
  onTunnelData(bytes: Buffer, from: number, to: number): void;
  onTunnelEnd(): void;
  onUpstreamReset(reason: ResetReason): void;
  /** Our own code has failed over what was read; the connection is gone. */
  onFault(error: unknown): void;
  /** What was written has gone out; more may be. */
  onUpstreamDrain(): void;
}

/** The largest head and most fields of a response (Envoy: max_response_headers_kb 60, max_headers_count 100). */
const RESPONSE_LIMITS = { maxBytes: 60 * 1024, maxFields: 100 };
const MAX_INTERIM_RESPONSES = 32;

/** Reads are handled to the end before the next one, so that one buffer serves every upstream connection. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

type State = 'connecting' | 'idle' | 'head' | 'body' | 'complete' | 'tunnel' | 'closed';

/** Who a connection belongs to: hears when it is there, takes it back when its request is done, hears of its end. */
export interface ConnectionKeeper {
  readonly host: Host;
  connected(connection: HttpConnection): void;
  connectFailed(connection: HttpConnection, failure: ConnectFailure): void;
  put(connection: HttpConnection): void;
  /** It has closed. */
  forget(connection: HttpConnection): void;
}

export class HttpConnection implements ConnectCallbacks {
  readonly pool: ConnectionKeeper;
  readonly cluster: Cluster;
  readonly scanner = new BodyScanner();
  /** Requests begun on it. */
  requests = 0;
  /** Bytes of the current response so far, head included. */
  responseBytes = 0;
  /** When it became idle, for the pool's timer. */
  idleSince = 0;
  socket: net.Socket | undefined;
  #handler: UpstreamHandler | undefined;
  #state: State = 'connecting';
  readonly #head = new ResponseHead(RESPONSE_LIMITS);
  #partial: HeadBuffer | undefined;
  #interim = 0;
  #unframe = false;
  #reusable = true;
  #localLabel: string | undefined;
  /** Its request counts against the cluster's limit. */
  #counted = false;

  constructor(pool: ConnectionKeeper, cluster: Cluster) {
    this.pool = pool;
    this.cluster = cluster;
  }

  get host(): Host {
    return this.pool.host;
  }

  /** The whole response is in. */
  get complete(): boolean {
    return this.#state === 'complete';
  }

  /** The next request is not its first: it may have died while idle without our knowing. */
  get reused(): boolean {
    return this.requests > 1;
  }

  /** %UPSTREAM_LOCAL_ADDRESS%. */
  get localLabel(): string {
    const { localAddress, localPort } = this.socket ?? {};
    if (localAddress === undefined) return this.#localLabel ?? '-';
    this.#localLabel ??= localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
    return this.#localLabel;
  }

  open(): void {
    const { host, cluster } = this;
    cluster.stats.upstreamCxTotal++;
    connectUpstream(
      {
        host: host.address,
        port: host.port,
        localAddress: cluster.sourceAddress,
        mark: cluster.socketMark,
        timeoutMs: cluster.connectTimeoutMs,
      },
      this,
      { buffer: READ_BUFFER, callback: this.#onRead },
    );
  }

  onConnect(socket: net.Socket): void {
    this.socket = socket;
    this.cluster.stats.upstreamCxActive++;
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    this.#state = 'idle';
    this.pool.connected(this);
  }

  onConnectFailed(failure: ConnectFailure): void {
    this.#state = 'closed';
    if (failure.kind === 'timeout') this.cluster.stats.upstreamCxConnectTimeout++;
    this.cluster.stats.upstreamCxConnectFail++;
    this.pool.connectFailed(this, failure);
  }

  /** Takes the connection for one request, which `write` then sends. `unframe`: the body is wanted without its chunks. */
  begin(handler: UpstreamHandler, toHead: boolean, unframe: boolean): void {
    this.#handler = handler;
    this.#state = 'head';
    this.#interim = 0;
    this.responseBytes = 0;
    this.requests++;
    this.#counted = true;
    this.cluster.breakers.inUse.requests++;
    this.#head.reset();
    this.#head.toHead = toHead;
    this.#unframe = unframe;
  }

  /** False when the handler should wait for `onUpstreamDrain`. */
  write(data: string | Uint8Array): boolean {
    const socket = this.socket!;
    return typeof data === 'string' ? socket.write(data, 'latin1') : writeOut(socket, data);
  }

  pauseReading(): void {
    this.socket?.pause();
  }

  resumeReading(): void {
    this.socket?.resume();
  }

  /** The response is in and the request is out: back to the pool, or closed when it cannot be used again. */
  release(): void {
    this.#handler = undefined;
    this.#endRequest();
    const max = this.cluster.maxRequestsPerConnection;
    if (this.#state !== 'complete' || !this.#reusable || this.host.removed || (max > 0 && this.requests >= max)) {
      this.destroy();
      return;
    }
    this.#state = 'idle';
    this.pool.put(this);
  }

  /** Gives up on whatever is under way. The handler hears no more. */
  destroy(): void {
    this.#handler = undefined;
    this.#endRequest();
    this.socket?.destroy();
  }

  /** The handler is done, and what it wrote goes out before the connection closes. */
  finish(): void {
    this.#handler = undefined;
    this.#endRequest();
    if (this.socket !== undefined) closeFlushed(this.socket);
  }

  readonly #onRead = (length: number, _buffer: Uint8Array): boolean => {
    const handler = this.#handler;
    try {
      this.#read(length);
    } catch (error) {
      this.destroy();
      if (handler === undefined) throw error;
      handler.onFault(error);
    }
    return true;
  };

  #read(length: number): void {
    this.responseBytes += length;
    switch (this.#state) {
      case 'head':
        this.#readHead(length);
        break;
      case 'body':
        this.#readBody(READ_BUFFER, 0, length);
        break;
      case 'tunnel':
        this.#handler?.onTunnelData(READ_BUFFER, 0, length);
        break;
      default:
        // Nobody asked: what a server says unasked belongs to no request and could be taken for the next one's answer.
        this.#reusable = false;
        this.socket?.destroy();
    }
  }

  #readHead(length: number): void {
    let bytes: Buffer = READ_BUFFER;
    let start = 0;
    let end = length;
    if (this.#partial !== undefined) {
      this.#partial.append(READ_BUFFER, 0, length);
      bytes = this.#partial.bytes;
      end = this.#partial.length;
    }
    const head = this.#head;
    for (;;) {
      const position = start < end ? head.read(bytes, start, end) : INCOMPLETE;
      if (position === FAULTY) {
        this.#reset('protocol error');
        return;
      }
      if (position === INCOMPLETE) {
        this.#keepPartial(bytes, start, end);
        return;
      }
      if (!head.interim) {
        this.#partial = undefined;
        this.#readFinal(bytes, position, end);
        return;
      }
      if (++this.#interim > MAX_INTERIM_RESPONSES) {
        this.#reset('protocol error');
        return;
      }
      this.#handler?.onInterim(head);
      if (this.#state !== 'head') return;
      head.reset();
      start = position;
    }
  }

  #keepPartial(bytes: Buffer, start: number, end: number): void {
    if (start === 0 && this.#partial !== undefined) return;
    const rest = new HeadBuffer();
    rest.append(bytes, start, end);
    this.#partial = rest;
  }

  #readFinal(bytes: Buffer, position: number, end: number): void {
    const head = this.#head;
    if (head.close) this.#reusable = false;
    if (head.status === 101) {
      this.#reusable = false;
      this.#state = 'tunnel';
      this.#handler?.onUpgraded(head, bytes, position, end);
      return;
    }
    const scanner = this.scanner;
    scanner.begin(head.framing, head.contentLength, this.#unframe);
    const bodyEnd = scanner.scan(bytes, position, end);
    if (scanner.fault !== undefined) {
      this.#reset('protocol error');
      return;
    }
    this.#state = scanner.done ? 'complete' : 'body';
    // More than was announced: this response stands, but nothing after it can be trusted.
    if (scanner.done && bodyEnd < end) this.#reusable = false;
    this.#handler?.onResponse(head, bytes, position, bodyEnd);
  }

  #readBody(bytes: Buffer, start: number, end: number): void {
    const scanner = this.scanner;
    const bodyEnd = scanner.scan(bytes, start, end);
    if (scanner.fault !== undefined) {
      this.#reset('protocol error');
      return;
    }
    if (scanner.done) {
      this.#state = 'complete';
      if (bodyEnd < end) this.#reusable = false;
    }
    this.#handler?.onResponseBody(bytes, start, bodyEnd);
  }

  #endRequest(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.cluster.breakers.inUse.requests--;
  }

  #reset(reason: ResetReason): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.#endRequest();
    this.#reusable = false;
    this.socket?.destroy();
    handler?.onUpstreamReset(reason);
  }

  readonly #onDrain = (): void => {
    this.#handler?.onUpstreamDrain();
  };

  readonly #onEnd = (): void => {
    this.#reusable = false;
    switch (this.#state) {
      case 'body':
        if (this.scanner.finish()) {
          this.#state = 'complete';
          this.#handler?.onResponseBody(READ_BUFFER, 0, 0);
        } else this.#reset('connection termination');
        break;
      case 'tunnel':
        this.#handler?.onTunnelEnd();
        break;
      case 'complete':
        // The request is still being sent; whoever sends it closes when the exchange is over.
        break;
      default:
        this.#reset('connection termination');
    }
  };

  readonly #onError = (): void => {
    // 'close' follows and does the work.
    this.#reusable = false;
  };

  readonly #onClose = (): void => {
    this.#state = 'closed';
    this.#endRequest();
    this.cluster.stats.upstreamCxActive--;
    this.pool.forget(this);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onUpstreamReset('connection termination');
  };
}

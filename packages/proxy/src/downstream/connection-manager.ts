// A client's HTTP/1.1 connection: its requests one after another, each as an Exchange, until either side has had enough.
import type net from 'node:net';
import { closeFlushed } from '../close-flushed.ts';
import { BodyScanner } from '../http/body-scanner.ts';
import { HeadBuffer } from '../http/head-buffer.ts';
import { FAULTY, INCOMPLETE } from '../http/message-head.ts';
import { RequestHead } from '../http/request-head.ts';
import type { ConnectionInfo, HttpConnectionManagerConfig } from '../runtime/tables.ts';
import { timerDelay } from '../timer-delay.ts';
import type { PickContext } from '../upstream/cluster.ts';
import type { Drainable } from './drain.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeOwner, HttpConnectionDeps } from './exchange-owner.ts';
import { isInternalAddress } from './internal-address.ts';
import type { Peer } from './request-headers.ts';

export type { HttpConnectionDeps } from './exchange-owner.ts';

export interface HttpConnectionHandle extends Drainable {
  /** Finishes the request in flight with `connection: close`, then closes; an idle connection closes at once. */
  drain(): void;
  destroy(): void;
  readonly closed: Promise<void>;
}

/** Most time for a head to come in whole when the listener sets none: a client that dribbles one holds a socket. */
const REQUEST_HEAD_TIMEOUT_MS = 60_000;

/**
 * Serves HTTP on an accepted connection, of which `initial` has been read already. The socket must allow half-open; its
 * events are ours from here on.
 */
export function handleHttpConnection(
  socket: net.Socket,
  initial: Buffer,
  info: ConnectionInfo,
  config: HttpConnectionManagerConfig,
  deps: HttpConnectionDeps,
): HttpConnectionHandle {
  return new DownstreamConnection(socket, initial, info, config, deps);
}

class DownstreamConnection implements HttpConnectionHandle, ExchangeOwner {
  readonly socket: net.Socket;
  readonly info: ConnectionInfo;
  readonly config: HttpConnectionManagerConfig;
  readonly deps: HttpConnectionDeps;
  readonly peer: Peer;
  readonly pickContext: PickContext;
  draining = false;
  readonly #closed = Promise.withResolvers<void>();
  readonly #head: RequestHead;
  readonly #scanner = new BodyScanner();
  #partial: HeadBuffer | undefined;
  #exchange: Exchange | undefined;
  /** Bytes that wait for the exchange before them to end. */
  #held: Buffer | undefined;
  #consuming = false;
  /** We have said our last; what still comes is not read as a request. */
  #finished = false;
  #idleSince: number;
  #idleTimer: NodeJS.Timeout | undefined;
  #headTimer: NodeJS.Timeout | undefined;

  constructor(
    socket: net.Socket,
    initial: Buffer,
    info: ConnectionInfo,
    config: HttpConnectionManagerConfig,
    deps: HttpConnectionDeps,
  ) {
    this.socket = socket;
    this.info = info;
    this.config = config;
    this.deps = deps;
    this.peer = {
      address: info.remoteAddress,
      internal: isInternalAddress(info.remoteAddress),
      edge: config.useRemoteAddress,
      generateRequestId: config.generateRequestId,
    };
    this.pickContext = { originalDst: { address: info.destinationAddress, port: info.destinationPort } };
    this.#head = new RequestHead({ maxBytes: config.maxRequestHeaderBytes, maxFields: config.maxRequestHeaders });
    this.#idleSince = deps.now();
    config.stats.downstreamCxTotal++;
    config.stats.downstreamCxActive++;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    if (socket.destroyed) setImmediate(this.#onClose);
    if (config.idleTimeoutMs > 0) this.#armIdle(config.idleTimeoutMs);
    deps.drain.join(this);
    if (initial.length > 0) this.#onData(initial);
    if (this.#held === undefined) socket.resume();
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get bodyBytesReceived(): number {
    return this.#scanner.received;
  }

  drain(): void {
    this.draining = true;
    if (this.#exchange === undefined && this.#partial === undefined && !this.#finished) this.#finish();
  }

  destroy(): void {
    this.socket.destroy();
  }

  pauseRequest(): void {
    this.socket.pause();
  }

  resumeRequest(): void {
    if (this.#held === undefined) this.socket.resume();
    else this.#useHeld();
  }

  onExchangeDone(close: boolean): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // A response that went out before the drain began did not say close; an idle connection may close at any time.
    if (close || exchange?.tunnelling === true || (this.draining && this.#held === undefined)) {
      this.#finish();
      return;
    }
    this.#idleSince = this.deps.now();
    if (!this.#consuming) this.#useHeld();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#finished) return;
    if (this.#exchange?.tunnelling === true) {
      this.#exchange.onTunnelDownstreamData(bytes);
      return;
    }
    if (this.#held !== undefined) this.#held = Buffer.concat([this.#held, bytes]);
    else this.#consume(bytes);
  };

  /** An error of ours ends the request it meets and its connection, not the program (500, no flag of Envoy's). */
  #consume(bytes: Buffer): void {
    this.#consuming = true;
    try {
      this.#readMessages(bytes);
    } catch (error) {
      (this.#exchange ?? this.#unreadable()).onFault(error);
    }
    this.#consuming = false;
  }

  /** Reads requests and bodies out of `input`, as far as the exchanges in between let it. */
  #readMessages(input: Buffer): void {
    let bytes = input;
    let position = 0;
    while (position < bytes.length && !this.#finished) {
      const exchange = this.#exchange;
      if (exchange === undefined) {
        // A client that sends requests and does not read responses waits here rather than in our memory.
        if (this.socket.writableNeedDrain) {
          this.#hold(bytes, position);
          break;
        }
        const partial = this.#partial;
        let start = position;
        if (partial !== undefined) {
          const line = partial.append(bytes, position, bytes.length);
          if (!line && partial.length <= this.config.maxRequestHeaderBytes) break;
          bytes = partial.bytes.subarray(0, partial.length);
          start = 0;
        } else this.#head.reset();
        const end = this.#head.read(bytes, start, bytes.length);
        if (end === INCOMPLETE) {
          if (partial === undefined) this.#startPartial(bytes, start);
          break;
        }
        this.#endPartial();
        if (end === FAULTY) {
          this.#unreadable().refuse(this.#head.fault!);
          break;
        }
        position = this.#startExchange(bytes, end);
      } else if (exchange.requestComplete || exchange.tunnelling) {
        this.#hold(bytes, position);
        break;
      } else {
        const scanner = this.#scanner;
        const end = scanner.scan(bytes, position, bytes.length);
        if (scanner.fault === undefined) exchange.onRequestBody(bytes, position, end, scanner.pieces, scanner.done);
        else exchange.refuse(scanner.fault);
        position = end;
      }
    }
  }

  #startExchange(bytes: Buffer, headEnd: number): number {
    const head = this.#head;
    const scanner = this.#scanner;
    scanner.begin(head.framing, head.contentLength);
    const exchange = new Exchange(this, head);
    this.#exchange = exchange;
    const bodyEnd = scanner.scan(bytes, headEnd, bytes.length);
    if (scanner.fault === undefined) exchange.start(bytes, headEnd, bodyEnd, scanner.pieces, scanner.done);
    else exchange.refuse(scanner.fault);
    return bodyEnd;
  }

  #hold(bytes: Buffer, position: number): void {
    this.#held = bytes.subarray(position);
    this.socket.pause();
  }

  #useHeld(): void {
    const held = this.#held;
    if (held === undefined || this.#finished) return;
    this.#held = undefined;
    this.socket.resume();
    if (this.#exchange?.tunnelling === true) this.#exchange.onTunnelDownstreamData(held);
    else this.#consume(held);
  }

  #startPartial(bytes: Buffer, start: number): void {
    this.#partial = new HeadBuffer();
    this.#partial.append(bytes, start, bytes.length);
    const limit = this.config.requestHeadersTimeoutMs ?? 0;
    this.#headTimer = setTimeout(this.#onHeadTimeout, timerDelay(limit > 0 ? limit : REQUEST_HEAD_TIMEOUT_MS));
  }

  #endPartial(): void {
    if (this.#partial === undefined) return;
    this.#partial = undefined;
    clearTimeout(this.#headTimer);
  }

  readonly #onHeadTimeout = (): void => {
    this.#endPartial();
    this.#unreadable().headTimeout();
  };

  /** An exchange for a request that never was one: it is counted, logged and answered all the same. */
  #unreadable(): Exchange {
    this.#scanner.begin('none', 0);
    this.#exchange = new Exchange(this, this.#head);
    return this.#exchange;
  }

  readonly #onDrain = (): void => {
    if (this.#exchange === undefined) this.#useHeld();
    else this.#exchange.onDownstreamDrain();
  };

  /** The client sends no more. Like Envoy, we take that for leaving, unless it ends its half of a tunnel. */
  readonly #onEnd = (): void => {
    if (this.#exchange?.tunnelling === true) this.#exchange.onTunnelDownstreamEnd();
    else if (this.#exchange === undefined && this.#partial === undefined && !this.#finished) this.#finish();
    else closeFlushed(this.socket);
  };

  readonly #onError = (): void => {
    // 'close' follows, and says all that an exchange needs to know.
    this.#finished = true;
  };

  readonly #onClose = (): void => {
    this.#finished = true;
    this.#endPartial();
    clearTimeout(this.#idleTimer);
    this.#exchange?.onDownstreamClosed();
    this.#exchange = undefined;
    this.#held = undefined;
    this.config.stats.downstreamCxActive--;
    this.deps.drain.leave(this);
    this.#closed.resolve();
  };

  #finish(): void {
    this.#finished = true;
    this.#held = undefined;
    this.#endPartial();
    closeFlushed(this.socket);
  }

  /** One timer for the connection's life, which looks at the clock when it fires: requests need not touch it. */
  #armIdle(delay: number): void {
    this.#idleTimer = setTimeout(this.#onIdleTimeout, timerDelay(delay));
    this.#idleTimer.unref();
  }

  readonly #onIdleTimeout = (): void => {
    if (this.#finished) return;
    const limit = this.config.idleTimeoutMs;
    if (this.#exchange !== undefined) {
      this.#armIdle(limit);
      return;
    }
    const left = this.#idleSince + limit - this.deps.now();
    if (left > 0) this.#armIdle(left);
    else this.#finish();
  };
}

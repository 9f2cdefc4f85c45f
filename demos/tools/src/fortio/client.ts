// One connection's worth of load: a request on a raw socket, its answer read as far as is needed to tell its end.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Histogram } from './histogram.ts';
import type { Log } from './log.ts';
import type { Target } from './target.ts';

/** No HTTP answer: refused, closed, timed out. */
export const SOCKET_ERROR = -1;

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface ClientOptions {
  readonly timeoutMs: number;
  readonly keepAlive: boolean;
  readonly http10: boolean;
  /** Certificates are not looked at. */
  readonly insecure: boolean;
  /** True: the whole answer is wanted, of errors too. */
  readonly keepAnswer: boolean;
  readonly thread: number;
  /** Seconds of one histogram unit. */
  readonly resolution: number;
  readonly log: Log;
}

export interface Outcome {
  /** The status, or SOCKET_ERROR. */
  readonly code: number;
  /** Of everything read. */
  readonly bytes: number;
  /** 0 where the end of the headers was not looked for. */
  readonly headerBytes: number;
  /** Only with keepAnswer. */
  readonly answer: Buffer;
}

/** Whole nanoseconds, in seconds. */
export const secondsSince = (beginMs: number): number => Math.round((performance.now() - beginMs) * 1e6) / 1e9;

export const isOk = (code: number): boolean => (code >= 200 && code <= 299) || code === 418;

export class Client {
  /** Connections begun. */
  sockets = 0;
  readonly connections: Histogram;
  /** How often each address was connected to. */
  readonly addresses = new Map<string, number>();
  readonly #target: Target;
  readonly #options: ClientOptions;
  #socket: Socket | undefined;

  constructor(target: Target, options: ClientOptions) {
    this.#target = target;
    this.#options = options;
    this.connections = new Histogram(options.resolution);
  }

  /** Never rejects: what goes wrong is SOCKET_ERROR, and a line in the log. */
  fetch(): Promise<Outcome> {
    return new Promise((resolve) => this.#attempt(resolve));
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connect(): Socket {
    const { host, port, tls, addresses } = this.#target;
    const address = addresses[(this.#options.thread + this.sockets) % addresses.length] as string;
    this.sockets += 1;
    const shown = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    this.addresses.set(shown, (this.addresses.get(shown) ?? 0) + 1);
    const begin = performance.now();
    let timed = false;
    const done = (): void => {
      if (!timed) this.connections.record(secondsSince(begin));
      timed = true;
    };
    const common = { host: address, port, noDelay: true };
    const socket = tls
      ? connectTls({ ...common, servername: host, rejectUnauthorized: !this.#options.insecure })
      : connectTcp(common);
    // A connection that is refused has taken its time too.
    socket.once(tls ? 'secureConnect' : 'connect', done).once('error', done);
    return socket;
  }

  #attempt(resolve: (outcome: Outcome) => void): void {
    const reused = this.#socket;
    const socket = reused ?? this.#connect();
    this.#socket = undefined;
    const { log, thread, timeoutMs, keepAnswer, keepAlive } = this.#options;
    const answer = new Answer(keepAnswer, keepAlive);
    const finish = (code: number, keep: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (keep) {
        this.#socket = socket;
        // The server may close it while it is idle: the next request finds out.
        socket.on('error', () => undefined);
      } else {
        socket.on('error', () => undefined);
        socket.destroy();
      }
      resolve({ code, bytes: answer.bytes, headerBytes: answer.headerBytes, answer: answer.kept() });
    };
    const fail = (message: string, error: string): void => {
      log.error(message, { dest: `${this.#target.host}:${this.#target.port}`, err: error, thread });
      finish(SOCKET_ERROR, false);
    };
    const broken = (error: string, connecting: boolean): void => {
      if (reused !== undefined && answer.bytes === 0) {
        // It had died while idle, which is nobody's fault: once more on a new connection.
        clearTimeout(timer);
        socket.removeAllListeners();
        socket.on('error', () => undefined);
        socket.destroy();
        this.#attempt(resolve);
      } else {
        fail(connecting ? 'Unable to connect' : 'Read error', error);
      }
    };
    const timer = setTimeout(() => fail('Timeout error (incomplete/invalid response)', 'i/o timeout'), timeoutMs);
    const ended = (code: number, keep: boolean): void => {
      if (!isOk(code)) log.warning('Non ok http code', { code, thread });
      finish(code, keep);
    };
    let connected = reused !== undefined;
    if (reused === undefined) {
      socket.once(this.#target.tls ? 'secureConnect' : 'connect', () => {
        connected = true;
      });
    }
    socket.on('data', (chunk: Buffer) => {
      answer.push(chunk);
      if (answer.bytes > MAX_ANSWER_BYTES) fail('Answer too large', `${answer.bytes} bytes`);
      else if (answer.done) ended(answer.code, answer.reusable && !this.#options.http10);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => broken(error.message, !connected));
    socket.on('close', () => {
      if (answer.endsWithConnection) ended(answer.code, false);
      else broken('EOF', false);
    });
    if (reused !== undefined && (socket.destroyed || socket.readableEnded)) broken('EOF', false);
    else socket.write(this.#target.request);
  }
}

/** An answer as it comes in. Of an error only the status is read, unless everything is to be kept. */
class Answer {
  bytes = 0;
  code = SOCKET_ERROR;
  headerBytes = 0;
  done = false;
  reusable = false;
  readonly #keep: boolean;
  readonly #keepAlive: boolean;
  #pending: Buffer = Buffer.alloc(0);
  readonly #all: Buffer[] = [];
  /** Bytes of the body still to come; undefined: chunked, or to the end of the connection. */
  #left: number | undefined;
  #chunked = false;
  #toEnd = false;

  constructor(keep: boolean, keepAlive: boolean) {
    this.#keep = keep;
    this.#keepAlive = keepAlive;
  }

  get endsWithConnection(): boolean {
    return this.#toEnd;
  }

  kept(): Buffer {
    return Buffer.concat(this.#all);
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.#keep) this.#all.push(chunk);
    if (this.headerBytes === 0) {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#head();
    } else {
      this.#body(chunk);
    }
  }

  #head(): void {
    const head = this.#pending;
    if (this.code === SOCKET_ERROR && head.length >= 12) {
      const code = Number(head.toString('latin1', 9, 12));
      this.code = Number.isInteger(code) ? code : SOCKET_ERROR;
      if (!isOk(this.code) && !this.#keep) {
        this.done = true;
        return;
      }
    }
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.headerBytes = end + 4;
    const text = head.toString('latin1', 0, end + 2).toLowerCase();
    this.reusable = this.#keepAlive && isOk(this.code) && !/\r\nconnection: *close\r\n/.test(text);
    const length = /\r\ncontent-length: *(\d+) *\r\n/.exec(text);
    this.#chunked = /\r\ntransfer-encoding: *chunked *\r\n/.test(text);
    if (this.#chunked) this.#left = undefined;
    else if (length !== null) this.#left = Number(length[1]);
    else if (this.code === 204 || this.code === 304) this.#left = 0;
    else {
      this.#toEnd = true;
      this.reusable = false;
    }
    this.#pending = Buffer.alloc(0);
    this.#body(head.subarray(end + 4));
  }

  #body(chunk: Buffer): void {
    if (this.#chunked) {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#chunks();
    } else if (this.#left !== undefined) {
      this.#left -= chunk.length;
      this.done = this.#left <= 0;
    }
  }

  #chunks(): void {
    for (;;) {
      if (this.#left !== undefined) {
        // The chunk itself and the CRLF behind it.
        const taken = Math.min(this.#left, this.#pending.length);
        this.#left -= taken;
        this.#pending = this.#pending.subarray(taken);
        if (this.#left > 0) return;
        this.#left = undefined;
      }
      const end = this.#pending.indexOf('\r\n');
      if (end < 0) return;
      const size = Number.parseInt(this.#pending.toString('latin1', 0, end), 16);
      if (size === 0 || Number.isNaN(size)) {
        // Behind the last chunk there may be trailers, and there is an empty line.
        if (this.#pending.indexOf('\r\n\r\n') < 0) return;
        this.done = true;
        this.reusable &&= size === 0;
        return;
      }
      this.#pending = this.#pending.subarray(end + 2);
      this.#left = size + 2;
    }
  }
}

// One stream of a SPDY connection, as Node knows streams: both ways, each with its own end.
import { Duplex } from 'node:stream';
import { encode, RESET } from './frames.ts';
import type { Headers } from './header-block.ts';

/** What a stream keeps of what nobody has read yet, before the connection is read no further. */
const UNREAD_BYTES = 256 * 1024;
const PIECE_BYTES = 32 * 1024;

/** What a stream needs of its connection. */
export interface StreamCarrier {
  send(frame: Buffer, sent?: (error?: Error | null) => void): void;
  forget(id: number): void;
}

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #carrier: StreamCarrier;
  #finReceived = false;
  #room: (() => void) | undefined;

  constructor(id: number, headers: Headers, carrier: StreamCarrier) {
    super({ readableHighWaterMark: UNREAD_BYTES, writableHighWaterMark: PIECE_BYTES });
    this.id = id;
    this.headers = headers;
    this.#carrier = carrier;
    // Whoever uses the stream hears of its end; nobody has to hear that the peer broke it off.
    this.on('error', () => undefined);
  }

  /** Resolves when there is room for more. */
  receive(data: Buffer, fin: boolean): Promise<void> | undefined {
    if (this.destroyed || this.#finReceived) return undefined;
    const hasRoom = data.length === 0 || this.push(data);
    if (fin) {
      this.#finReceived = true;
      this.push(null);
      return undefined;
    }
    if (hasRoom) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  override _read(): void {
    this.#room?.();
    this.#room = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const piece = chunk.subarray(0, PIECE_BYTES);
    const rest = chunk.subarray(PIECE_BYTES);
    this.#carrier.send(encode({ type: 'data', stream: this.id, fin: false, data: piece }), (error) => {
      if (error || rest.length === 0) done(error);
      else this._write(rest, _encoding, done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#carrier.send(encode({ type: 'data', stream: this.id, fin: true, data: Buffer.alloc(0) }), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isOver = this.#finReceived && this.writableFinished;
    if (!isOver) this.#carrier.send(encode({ type: 'rstStream', stream: this.id, status: RESET.cancel }));
    this.#carrier.forget(this.id);
    this._read();
    done(error);
  }
}

// The serving side of a SPDY/3.1 connection: the client opens streams, and each is answered.
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { encode, type Frame, FrameReader, RESET, SpdyError } from './frames.ts';
import { HeaderInflater, HeaderStorer } from './header-block.ts';
import { SpdyStream } from './stream.ts';

/** A port-forward takes two for every connection. */
const MAX_STREAMS = 1_000;
/** Tells a client that is gone, even while nothing of its is being read. */
const PING_INTERVAL_MS = 10_000;
/** How long a client may take to close after us. */
const CLOSE_PATIENCE_MS = 1_000;
const PROTOCOL_ERROR = 1;

/**
 * Flow control is TCP's: kubectl neither sends WINDOW_UPDATE nor minds it (as its SPDY library does not), so a server
 * that waited for it would wait for good. A stream whose reader is slow stops the connection once its buffer is full.
 */
export class SpdySession {
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #frames = new FrameReader();
  readonly #inflater = new HeaderInflater();
  readonly #storer = new HeaderStorer();
  readonly #streams = new Map<number, SpdyStream>();
  #lastStream = 0;
  #pings = 0;

  /** `onStream` refuses a stream by destroying it at once. */
  constructor(socket: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#socket = socket;
    this.#onStream = onStream;
    socket.on('error', () => undefined); // 'close' follows
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        // Whoever waits for room in a stream is let go by that.
        for (const stream of this.#streams.values()) stream.destroy();
        resolve();
      });
    });
    void this.#run();
  }

  /** Sends what is on its way, then ends the connection. */
  async close(): Promise<void> {
    this.#end();
    await this.closed;
  }

  async #run(): Promise<void> {
    const pings = setInterval(() => {
      this.#pings += 2; // a server's are even
      this.#send(encode({ type: 'ping', id: this.#pings % 2 ** 32 }));
    }, PING_INTERVAL_MS).unref();
    const chunks: AsyncIterable<Buffer> = this.#socket.iterator({ destroyOnReturn: false });
    try {
      for await (const chunk of chunks) {
        for (const frame of this.#frames.read(chunk)) await this.#take(frame);
      }
    } catch (error) {
      if (error instanceof SpdyError)
        this.#send(encode({ type: 'goAway', lastStream: this.#lastStream, status: PROTOCOL_ERROR }));
    }
    clearInterval(pings);
    this.#inflater.close();
    for (const stream of this.#streams.values()) stream.destroy();
    this.#end();
    if (this.#socket.writableFinished) this.#socket.destroy();
    else this.#socket.once('finish', () => this.#socket.destroy());
  }

  #end(): void {
    this.#socket.end();
    const late = setTimeout(() => this.#socket.destroy(), CLOSE_PATIENCE_MS);
    this.#socket.once('close', () => clearTimeout(late));
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'data':
        return this.#data(frame.stream, frame.data, frame.fin);
      case 'synStream':
        return this.#open(frame);
      case 'synReply':
      case 'headers': // nobody asks for more headers, but what comes after is told in terms of them
        await this.#inflater.decode(frame.block);
        if (frame.fin) await this.#data(frame.stream, Buffer.alloc(0), true);
        return;
      case 'rstStream':
        this.#streams.get(frame.stream)?.destroy();
        return this.#room();
      case 'ping':
        // An even one is the answer to ours.
        if (frame.id % 2 === 1) await this.#answer(encode(frame));
        return;
      case 'goAway':
      case 'windowUpdate':
      case 'other':
        return;
    }
  }

  async #open({ stream: id, fin, unidirectional, block }: Frame & { type: 'synStream' }): Promise<void> {
    const headers = await this.#inflater.decode(block);
    if (id % 2 !== 1 || id <= this.#lastStream) throw new SpdyError(`a stream numbered ${id}`);
    this.#lastStream = id;
    if (this.#streams.size >= MAX_STREAMS || unidirectional)
      return this.#answer(encode({ type: 'rstStream', stream: id, status: RESET.refusedStream }));
    const stream = new SpdyStream(id, headers, {
      send: (bytes, sent) => this.#send(bytes, sent),
      forget: (gone) => this.#streams.delete(gone),
    });
    this.#streams.set(id, stream);
    this.#onStream(stream);
    if (stream.destroyed) return this.#room();
    await this.#answer(encode({ type: 'synReply', stream: id, fin: false, block: this.#storer.encode(new Map()) }));
    if (fin) await stream.receive(Buffer.alloc(0), true);
  }

  async #data(id: number, data: Buffer, fin: boolean): Promise<void> {
    if (id === 0 || id > this.#lastStream) throw new SpdyError(`data of stream ${id}, which was never opened`);
    // One that is closed on this side may still be sent to for a while.
    await this.#streams.get(id)?.receive(data, fin);
  }

  #send(bytes: Buffer, sent?: (error?: Error | null) => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, sent);
    else sent?.(new Error('the connection is closed'));
  }

  /** What a client causes with a frame of its own: it is read no further while it does not take the answers. */
  #answer(bytes: Buffer): Promise<void> {
    this.#send(bytes);
    return this.#room();
  }

  async #room(): Promise<void> {
    if (!this.#socket.writableNeedDrain) return;
    await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]);
  }
}

// The other side of a SPDY connection, for tests: opens streams as kubectl does, and tells what comes back.
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { encode, type Frame, FrameReader } from '../../src/server/streams/spdy/frames.ts';
import { DICTIONARY, encodeHeaders } from '../../src/server/streams/spdy/header-block.ts';
import { eventually } from './eventually.ts';

/** Compresses header blocks, each in terms of those before it. */
export function headerCompressor(): (headers: Readonly<Record<string, string>>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: DICTIONARY });
  return async (headers) => {
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    deflate.on('data', take);
    deflate.write(encodeHeaders(new Map(Object.entries(headers))));
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => setImmediate(resolve)));
    deflate.off('data', take);
    return Buffer.concat(parts);
  };
}

export class SpdyClient {
  readonly frames: Frame[] = [];
  readonly socket: Duplex;
  readonly #compress = headerCompressor();
  #next = 1;

  constructor(socket: Duplex) {
    this.socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.read(chunk)) this.frames.push(frame);
    });
    socket.on('error', () => undefined);
  }

  /** Resolves with the stream's number, before it is answered. */
  async open(headers: Readonly<Record<string, string>>, stream = this.#next): Promise<number> {
    this.#next = stream + 2;
    const block = await this.#compress(headers);
    this.send({ type: 'synStream', stream, fin: false, unidirectional: false, block });
    return stream;
  }

  send(frame: Exclude<Frame, { type: 'other' }>): void {
    this.socket.write(encode(frame));
  }

  data(stream: number, text: string | Buffer, fin = false): void {
    this.send({ type: 'data', stream, fin, data: Buffer.from(text) });
  }

  /** What came of a stream's data so far. */
  received(stream: number): Buffer {
    return Buffer.concat(
      this.frames.flatMap((one) => (one.type === 'data' && one.stream === stream ? [one.data] : [])),
    );
  }

  until(wanted: (frame: Frame) => boolean, what: string): Promise<Frame> {
    return eventually(() => this.frames.find(wanted), what);
  }

  ended(stream: number): Promise<Frame> {
    return this.until((one) => one.type === 'data' && one.stream === stream && one.fin, `stream ${stream} has ended`);
  }
}

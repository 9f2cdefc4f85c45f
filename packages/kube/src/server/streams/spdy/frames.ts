// SPDY/3.1's frames, as kubectl before WebSockets speaks it and as port-forward still does inside of them.
// https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/, section 2.

/** Bytes of one DATA frame; kubectl sends 32 KiB at a time. */
export const MAX_DATA = 1024 * 1024;
/** Bytes of one control frame: a header block of the size that HTTP/1.1 is given, compressed. */
export const MAX_CONTROL = 64 * 1024;

const HEADER = 8;
const VERSION = 3;
const FIN = 0x01;
const UNIDIRECTIONAL = 0x02;

const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Section 2.6.3. */
export const RESET = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
  streamAlreadyClosed: 9,
} as const;

export type Frame =
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | {
      readonly type: 'synStream';
      readonly stream: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly block: Buffer;
    }
  | {
      readonly type: 'synReply' | 'headers';
      readonly stream: number;
      readonly fin: boolean;
      readonly block: Buffer;
    }
  | { readonly type: 'rstStream'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway'; readonly lastStream: number; readonly status: number }
  | { readonly type: 'windowUpdate'; readonly stream: number; readonly delta: number }
  /** SETTINGS, and what a later minor version may add: nothing here depends on them. */
  | { readonly type: 'other' };

/** The peer broke the protocol; the connection cannot go on. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

/** Cuts what arrives into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted = HEADER;

  /** Throws a SpdyError. */
  *read(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
      this.#chunks = [bytes];
      const total = HEADER + lengthOf(bytes);
      if (bytes.length < total) {
        this.#wanted = total;
        return;
      }
      this.#chunks = [bytes.subarray(total)];
      this.#held -= total;
      this.#wanted = HEADER;
      yield decode(bytes.subarray(0, total));
    }
  }
}

function lengthOf(bytes: Buffer): number {
  const isControl = (bytes[0] as number) >= 0x80;
  const length = bytes.readUIntBE(5, 3);
  const limit = isControl ? MAX_CONTROL : MAX_DATA;
  if (length > limit) throw new SpdyError(`a frame of ${length} bytes, more than ${limit}`);
  return length;
}

function decode(bytes: Buffer): Frame {
  const flags = bytes[4] as number;
  const fin = (flags & FIN) !== 0;
  if ((bytes[0] as number) < 0x80)
    return { type: 'data', stream: bytes.readUInt32BE(0), fin, data: bytes.subarray(HEADER) };
  const version = bytes.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw new SpdyError(`a frame of SPDY version ${version}, not ${VERSION}`);
  const type = bytes.readUInt16BE(2);
  const body = bytes.subarray(HEADER);
  const number = (at: number, mask = 0x7fff_ffff): number => {
    if (body.length < at + 4) throw new SpdyError(`a frame of type ${type} with only ${body.length} bytes`);
    return (body.readUInt32BE(at) & mask) >>> 0;
  };
  switch (type) {
    case TYPE.synStream: {
      const stream = number(0);
      number(6); // the associated stream, the priority and a slot that is not used come before the block
      return {
        type: 'synStream',
        stream,
        fin,
        unidirectional: (flags & UNIDIRECTIONAL) !== 0,
        block: body.subarray(10),
      };
    }
    case TYPE.synReply:
      return { type: 'synReply', stream: number(0), fin, block: body.subarray(4) };
    case TYPE.headers:
      return { type: 'headers', stream: number(0), fin, block: body.subarray(4) };
    case TYPE.rstStream:
      return { type: 'rstStream', stream: number(0), status: number(4) };
    case TYPE.ping:
      return { type: 'ping', id: number(0, 0xffff_ffff) };
    case TYPE.goAway:
      return { type: 'goAway', lastStream: number(0), status: number(4) };
    case TYPE.windowUpdate:
      return { type: 'windowUpdate', stream: number(0), delta: number(4) };
    default:
      return { type: 'other' };
  }
}

export function encode(frame: Exclude<Frame, { type: 'other' }>): Buffer {
  switch (frame.type) {
    case 'data': {
      const head = Buffer.alloc(HEADER);
      head.writeUInt32BE(frame.stream, 0);
      head[4] = frame.fin ? FIN : 0;
      head.writeUIntBE(frame.data.length, 5, 3);
      return Buffer.concat([head, frame.data]);
    }
    case 'synStream': {
      const flags = (frame.fin ? FIN : 0) | (frame.unidirectional ? UNIDIRECTIONAL : 0);
      return control(TYPE.synStream, flags, [words(frame.stream, 0), Buffer.alloc(2), frame.block]);
    }
    case 'synReply':
    case 'headers':
      return control(TYPE[frame.type], frame.fin ? FIN : 0, [words(frame.stream), frame.block]);
    case 'rstStream':
      return control(TYPE.rstStream, 0, [words(frame.stream, frame.status)]);
    case 'ping':
      return control(TYPE.ping, 0, [words(frame.id)]);
    case 'goAway':
      return control(TYPE.goAway, 0, [words(frame.lastStream, frame.status)]);
    case 'windowUpdate':
      return control(TYPE.windowUpdate, 0, [words(frame.stream, frame.delta)]);
  }
}

function control(type: number, flags: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, 4 * index);
  });
  return bytes;
}

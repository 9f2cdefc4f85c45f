// Frames out of a stream of chunks, and into bytes (AMQP 0-9-1 specification, 4.2.3).
import { ByteReader, SyntaxProblem } from './bytes.ts';

export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;
export const MAX_FRAME_BYTES = 131_072;

const FRAME_END = 0xce;
const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/** The client speaks something else, or another AMQP: it is told the version that is spoken here, and that's all. */
export class WrongProtocol extends Error {
  override readonly name = 'WrongProtocol';
  readonly answer = PROTOCOL_HEADER;
}

export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #greeted = false;

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** True once the client's protocol header was read. Throws WrongProtocol. */
  greeted(): boolean {
    if (this.#greeted) return true;
    const seen = this.#pending.subarray(0, PROTOCOL_HEADER.length);
    if (!seen.equals(PROTOCOL_HEADER.subarray(0, seen.length))) throw new WrongProtocol('not AMQP 0-9-1');
    if (seen.length < PROTOCOL_HEADER.length) return false;
    this.#pending = this.#pending.subarray(PROTOCOL_HEADER.length);
    this.#greeted = true;
    return true;
  }

  next(): Frame | undefined {
    if (this.#pending.length < 7) return undefined;
    const size = this.#pending.readUInt32BE(3);
    if (size > MAX_FRAME_BYTES) throw new SyntaxProblem(`a frame of ${size} bytes, ${MAX_FRAME_BYTES} at most`);
    if (this.#pending.length < 8 + size) return undefined;
    if (this.#pending[7 + size] !== FRAME_END) throw new SyntaxProblem('a frame does not end with the octet 206');
    const frame = {
      type: this.#pending[0] as number,
      channel: this.#pending.readUInt16BE(1),
      payload: this.#pending.subarray(7, 7 + size),
    };
    this.#pending = this.#pending.subarray(8 + size);
    return frame;
  }
}

export function encodeFrame(type: number, channel: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(8 + payload.length);
  frame[0] = type;
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(payload.length, 3);
  payload.copy(frame, 7);
  frame[7 + payload.length] = FRAME_END;
  return frame;
}

export const HEARTBEAT = encodeFrame(FRAME.heartbeat, 0, Buffer.alloc(0));

/** A content header and as many body frames as `frameMax` asks for. */
export function encodeContent(channel: number, properties: Buffer, body: Buffer, frameMax: number): Buffer[] {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(BigInt(body.length), 4);
  const frames = [encodeFrame(FRAME.header, channel, Buffer.concat([header, properties]))];
  for (let at = 0; at < body.length; at += frameMax - 8) {
    frames.push(encodeFrame(FRAME.body, channel, body.subarray(at, at + frameMax - 8)));
  }
  return frames;
}

export interface ContentHeader {
  readonly bodyBytes: number;
  /** Flags and values, as they came; they go to the consumer as they are. */
  readonly properties: Buffer;
  /** delivery-mode is 2. */
  readonly persistent: boolean;
}

export function decodeContentHeader(payload: Buffer): ContentHeader {
  const reader = new ByteReader(payload);
  reader.skip(4);
  const bodyBytes = Number(reader.longlong());
  const properties = Buffer.from(payload.subarray(12));
  const flags = reader.uint(2);
  // Bit 15 down: content-type, content-encoding, headers, delivery-mode.
  if (flags & 0x8000) reader.shortstr();
  if (flags & 0x4000) reader.shortstr();
  if (flags & 0x2000) reader.longstr();
  return { bodyBytes, properties, persistent: (flags & 0x1000) !== 0 && reader.uint(1) === 2 };
}

// Finds where a body ends without taking it apart: bytes pass on as they came, and only what frames them is checked.
import { Fault, type MessageFault } from './fault.ts';
import { CR, FIELD_VALUE, HEX, LF, LOWER, SPACE, TAB, TOKEN } from './grammar.ts';
import type { Framing } from './request-head.ts';

const State = {
  SIZE: 0,
  EXTENSION: 1,
  SIZE_LF: 2,
  DATA: 3,
  DATA_CR: 4,
  DATA_LF: 5,
  TRAILER_START: 6,
  TRAILER_NAME: 7,
  TRAILER_VALUE: 8,
  TRAILER_LF: 9,
  END_LF: 10,
} as const;

/** 13 hexadecimal digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;
const MAX_EXTENSION_BYTES = 256;
const MAX_TRAILER_BYTES = 16 * 1024;
const MAX_TRAILER_NAME = 256;

/** RFC 9110 §6.5.1: fields that frame, route or authenticate a message have no place after it. */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'te',
  'trailer',
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
]);

/**
 * Fed the bytes after a head, says how many of them belong to the message. Chunk extensions are left out of what
 * passes on, since readers that disagree about them can be made to disagree about where a message ends; `pieces` then
 * lists what remains as [from, to) pairs. With `unframe` (an HTTP/1.0 client) only the data itself remains.
 */
export class BodyScanner {
  done = true;
  fault: MessageFault | undefined = undefined;
  /** Bytes of content so far, without chunk framing. */
  received = 0;
  /** What to pass on of the last scan, when that is not all of it. */
  pieces: number[] | undefined = undefined;
  #framing: Framing = 'none';
  #unframe = false;
  #remaining = 0;
  #state: number = State.SIZE;
  #digits = 0;
  #extension = 0;
  #trailer = 0;
  #name = '';

  begin(framing: Framing, contentLength: number, unframe = false): void {
    this.#framing = framing;
    this.#unframe = unframe;
    this.#remaining = contentLength;
    this.done = framing === 'none' || (framing === 'length' && contentLength === 0);
    this.fault = undefined;
    this.received = 0;
    this.pieces = undefined;
    if (framing === 'chunked') {
      this.#state = State.SIZE;
      this.#remaining = 0;
      this.#digits = 0;
      this.#trailer = 0;
    }
  }

  /** The sender has closed: whether that ends the message rightly. */
  finish(): boolean {
    if (this.#framing === 'until-close') this.done = true;
    return this.done;
  }

  /** Offset of the first byte that is no longer part of this message, at most `end`. Sets `done` or `fault`. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    this.pieces = undefined;
    if (this.done) return start;
    switch (this.#framing) {
      case 'length': {
        const taken = Math.min(end - start, this.#remaining);
        this.#remaining -= taken;
        this.received += taken;
        this.done = this.#remaining === 0;
        return start + taken;
      }
      case 'chunked':
        return this.#scanChunks(bytes, start, end);
      default:
        this.received += end - start;
        return end;
    }
  }

  #scanChunks(bytes: Uint8Array, start: number, end: number): number {
    let position = start;
    // Start of what is to pass on and has not been put down in `pieces`; -1 while leaving bytes out.
    let from = this.#unframe || this.#state === State.EXTENSION ? -1 : start;
    if (from === -1) this.pieces = [];
    while (position < end) {
      const byte = bytes[position]!;
      switch (this.#state) {
        case State.SIZE:
          if (HEX[byte] !== 255) {
            if (++this.#digits > MAX_SIZE_DIGITS) return this.#fail(Fault.chunk, position);
            this.#remaining = this.#remaining * 16 + HEX[byte]!;
          } else if (this.#digits === 0) return this.#fail(Fault.chunk, position);
          else if (byte === CR) this.#state = State.SIZE_LF;
          else if (byte === 0x3b || byte === SPACE || byte === TAB) {
            this.#state = State.EXTENSION;
            this.#extension = 0;
            this.pieces ??= [];
            if (from >= 0) this.pieces.push(from, position);
            from = -1;
          } else return this.#fail(Fault.chunk, position);
          position++;
          break;
        case State.EXTENSION:
          if (byte === CR) {
            this.#state = State.SIZE_LF;
            if (!this.#unframe) from = position;
          } else if (FIELD_VALUE[byte] !== 1 || ++this.#extension > MAX_EXTENSION_BYTES) {
            return this.#fail(Fault.chunk, position);
          }
          position++;
          break;
        case State.SIZE_LF:
          if (byte !== LF) return this.#fail(Fault.chunk, position);
          this.#digits = 0;
          this.#state = this.#remaining === 0 ? State.TRAILER_START : State.DATA;
          position++;
          break;
        case State.DATA: {
          const taken = Math.min(end - position, this.#remaining);
          this.#remaining -= taken;
          this.received += taken;
          if (this.#unframe) this.pieces?.push(position, position + taken);
          position += taken;
          if (this.#remaining === 0) this.#state = State.DATA_CR;
          break;
        }
        case State.DATA_CR:
          if (byte !== CR) return this.#fail(Fault.chunk, position);
          this.#state = State.DATA_LF;
          position++;
          break;
        case State.DATA_LF:
          if (byte !== LF) return this.#fail(Fault.chunk, position);
          this.#state = State.SIZE;
          position++;
          break;
        case State.END_LF:
          if (byte !== LF) return this.#fail(Fault.trailer, position);
          position++;
          this.done = true;
          if (from >= 0) this.pieces?.push(from, position);
          return position;
        default:
          if (!this.#scanTrailer(byte)) return this.#fail(Fault.trailer, position);
          position++;
      }
    }
    if (from >= 0) this.pieces?.push(from, position);
    return position;
  }

  #scanTrailer(byte: number): boolean {
    if (++this.#trailer > MAX_TRAILER_BYTES) return false;
    switch (this.#state) {
      case State.TRAILER_START:
        this.#name = '';
        if (byte === CR) {
          this.#state = State.END_LF;
          return true;
        }
        this.#state = State.TRAILER_NAME;
        return this.#scanTrailerName(byte);
      case State.TRAILER_NAME:
        return this.#scanTrailerName(byte);
      case State.TRAILER_VALUE:
        if (byte === CR) this.#state = State.TRAILER_LF;
        else if (FIELD_VALUE[byte] !== 1) return false;
        return true;
      default:
        this.#state = State.TRAILER_START;
        return byte === LF;
    }
  }

  #scanTrailerName(byte: number): boolean {
    if (byte === 0x3a) {
      this.#state = State.TRAILER_VALUE;
      return this.#name !== '' && !FORBIDDEN_TRAILERS.has(this.#name);
    }
    if (TOKEN[byte] !== 1 || this.#name.length >= MAX_TRAILER_NAME) return false;
    this.#name += String.fromCharCode(LOWER[byte]!);
    return true;
  }

  #fail(fault: MessageFault, position: number): number {
    this.fault = fault;
    return position;
  }
}

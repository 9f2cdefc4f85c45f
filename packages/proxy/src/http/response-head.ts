// The head of an upstream's response. A fault here is the upstream's: the client gets 502 with `protocol error`.
import { Fault, type MessageFault } from './fault.ts';
import { Field } from './fields.ts';
import { CR, FIELD_VALUE, LF, SPACE } from './grammar.ts';
import { INCOMPLETE, listElements, MessageHead } from './message-head.ts';
import { type Framing, parseLength } from './request-head.ts';

const NO_NAMES: ReadonlySet<string> = new Set();
const VERSION = Buffer.from('HTTP/1.', 'latin1');

export class ResponseHead extends MessageHead {
  status = 0;
  reason = '';
  http10 = false;
  framing: Framing = 'none';
  contentLength = 0;
  /** The upstream ends the connection after this message. */
  close = false;
  /** Connection names upgrade. */
  upgrade = false;
  nominated: ReadonlySet<string> = NO_NAMES;
  /** The request was HEAD: the fields describe a body that does not come (RFC 9112 §6.3). */
  toHead = false;

  override reset(): void {
    super.reset();
    this.status = 0;
    this.reason = '';
    this.http10 = false;
    this.framing = 'none';
    this.contentLength = 0;
    this.close = false;
    this.upgrade = false;
    this.nominated = NO_NAMES;
  }

  get interim(): boolean {
    return this.status < 200 && this.status !== 101;
  }

  protected override readStartLine(bytes: Buffer, start: number, end: number): number {
    // "HTTP/1." DIGIT SP 3DIGIT [SP reason] CR LF
    for (let at = 0; at < 12; at++) {
      if (start + at >= end) return INCOMPLETE;
      const byte = bytes[start + at]!;
      const right =
        at < 7
          ? byte === VERSION[at]
          : at === 7
            ? byte === 0x31 || byte === 0x30
            : at === 8
              ? byte === SPACE
              : byte >= 0x30 && byte <= 0x39;
      if (!right) return this.fail(Fault.statusLine);
    }
    let position = start + 12;
    if (position >= end) return INCOMPLETE;
    let reasonStart = position;
    if (bytes[position] === SPACE) {
      reasonStart = ++position;
      while (position < end && FIELD_VALUE[bytes[position]!] === 1) position++;
    }
    if (position >= end) return INCOMPLETE;
    if (bytes[position] !== CR) return this.fail(Fault.statusLine);
    if (position + 1 >= end) return INCOMPLETE;
    if (bytes[position + 1] !== LF) return this.fail(Fault.statusLine);
    this.http10 = bytes[start + 7] === 0x30;
    this.status = (bytes[start + 9]! - 0x30) * 100 + (bytes[start + 10]! - 0x30) * 10 + bytes[start + 11]! - 0x30;
    this.reason = bytes.toString('latin1', reasonStart, position);
    if (this.status < 100) return this.fail(Fault.statusLine);
    return position + 2;
  }

  protected override judge(): MessageFault | undefined {
    const fault = this.#judgeFraming();
    if (fault !== undefined) return fault;
    let keepAlive = false;
    if (this.has(Field.CONNECTION)) {
      let names: Set<string> | undefined;
      for (const option of listElements(this, 'connection')) {
        if (option === 'close') this.close = true;
        else if (option === 'keep-alive') keepAlive = true;
        else if (option === 'upgrade') this.upgrade = true;
        else if (option !== 'content-length' && option !== 'transfer-encoding') {
          names ??= new Set();
          names.add(option);
        }
      }
      if (names !== undefined) this.nominated = names;
    }
    if (this.http10 && !keepAlive) this.close = true;
    if (this.framing === 'until-close') this.close = true;
    return undefined;
  }

  #judgeFraming(): MessageFault | undefined {
    const chunked = this.has(Field.TRANSFER_ENCODING);
    if (chunked) {
      if (this.http10) return Fault.chunkedInHttp10;
      if (this.has(Field.CONTENT_LENGTH)) return Fault.lengthAndChunked;
      if (this.times[Field.TRANSFER_ENCODING]! > 1) return Fault.transferEncoding;
      if (this.known(Field.TRANSFER_ENCODING).toLowerCase() !== 'chunked') return Fault.transferEncoding;
    } else if (this.has(Field.CONTENT_LENGTH)) {
      if (this.times[Field.CONTENT_LENGTH]! > 1) return Fault.contentLength;
      const length = parseLength(this.known(Field.CONTENT_LENGTH));
      if (length < 0) return Fault.contentLength;
      this.contentLength = length;
    }
    // RFC 9112 §6.3: these have no body whatever their fields say.
    if (this.toHead || this.status < 200 || this.status === 204 || this.status === 304) this.framing = 'none';
    else if (chunked) this.framing = 'chunked';
    else if (!this.has(Field.CONTENT_LENGTH)) this.framing = 'until-close';
    else this.framing = this.contentLength > 0 ? 'length' : 'none';
    return undefined;
  }
}

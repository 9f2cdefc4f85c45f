// The head of a request: strict where two readers could differ (RFC 9112 §3, §6).
import { Fault, type MessageFault } from './fault.ts';
import { Field } from './fields.ts';
import { AUTHORITY, COLON, CR, LF, SPACE, TARGET, TOKEN } from './grammar.ts';
import { INCOMPLETE, listElements, MessageHead } from './message-head.ts';

/** How the body of a message is delimited. */
export type Framing = 'none' | 'length' | 'chunked' | 'until-close';

const NO_NAMES: ReadonlySet<string> = new Set();

/** Fields that `Connection` may not nominate: dropping them would change where the request goes or who sent it. */
const NOT_NOMINABLE: ReadonlySet<string> = new Set([
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Longest number that is exact: 15 digits. */
const MAX_LENGTH_DIGITS = 15;

export class RequestHead extends MessageHead {
  method = '';
  /** Target as the client sent it, in origin form: an absolute URL is taken apart (RFC 9112 §3.2.2). */
  path = '';
  authority = '';
  scheme = 'http';
  http10 = false;
  /** The target was a whole URL: its host counts, not the Host field's. */
  absoluteForm = false;
  framing: Framing = 'none';
  contentLength = 0;
  /** The client asked for this connection to end after the response. */
  close = false;
  /** Value of Upgrade when Connection names it, lower case; '' otherwise. */
  upgrade = '';
  /** Lower-case names that Connection nominates, beyond the hop-by-hop ones that go anyway. */
  nominated: ReadonlySet<string> = NO_NAMES;
  #target = '';

  override reset(): void {
    super.reset();
    this.method = '';
    this.path = '';
    this.authority = '';
    this.scheme = 'http';
    this.http10 = false;
    this.absoluteForm = false;
    this.framing = 'none';
    this.contentLength = 0;
    this.close = false;
    this.upgrade = '';
    this.nominated = NO_NAMES;
    this.#target = '';
  }

  protected override readStartLine(bytes: Buffer, start: number, end: number): number {
    let position = start;
    // RFC 9112 §2.2: one empty line before a request is passed over, for clients that end a body with a stray CR LF.
    if (bytes[start] === CR) {
      if (start + 1 >= end) return INCOMPLETE;
      if (bytes[start + 1] !== LF) return this.fail(Fault.requestLine);
      position += 2;
    }
    const methodStart = position;
    while (position < end && TOKEN[bytes[position]!] === 1) position++;
    if (position >= end) return INCOMPLETE;
    if (bytes[position] !== SPACE || position === methodStart) return this.fail(Fault.requestLine);
    const methodEnd = position++;
    const targetStart = position;
    while (position < end && TARGET[bytes[position]!] === 1) position++;
    if (position >= end) return INCOMPLETE;
    if (bytes[position] !== SPACE || position === targetStart) return this.fail(Fault.requestLine);
    const targetEnd = position++;
    // "HTTP/1.x" CR LF
    const line = position + 10;
    for (; position < end && position < line; position++) {
      const byte = bytes[position]!;
      const at = position - targetEnd - 1;
      if (at < 7 ? byte !== VERSION[at] : at === 7 ? byte !== 0x31 && byte !== 0x30 : byte !== (at === 8 ? CR : LF)) {
        return this.fail(Fault.requestLine);
      }
    }
    if (position < line) return INCOMPLETE;
    this.method =
      METHODS.get(methodEnd - methodStart, bytes, methodStart) ?? bytes.toString('latin1', methodStart, methodEnd);
    this.http10 = bytes[line - 3] === 0x30;
    this.#target = bytes.toString('latin1', targetStart, targetEnd);
    return position;
  }

  protected override judge(): MessageFault | undefined {
    if (this.times[Field.HOST]! > 1) return Fault.duplicateHost;
    this.authority = this.known(Field.HOST);
    return (
      this.#judgeTarget() ??
      (this.authority === '' ? Fault.missingHost : undefined) ??
      (isAuthority(this.authority) ? undefined : Fault.authority) ??
      this.#judgeFraming() ??
      (this.has(Field.CONNECTION) ? this.#judgeConnection() : this.#judgeHttp10())
    );
  }

  #judgeTarget(): MessageFault | undefined {
    const target = this.#target;
    if (target.charCodeAt(0) === 0x2f) this.path = target;
    else if (this.method === 'CONNECT') return Fault.upgradeRefused;
    else if (target === '*') {
      if (this.method !== 'OPTIONS') return Fault.target;
      this.path = target;
    } else {
      const parts = /^(https?):\/\/([^/?#]+)(.*)$/is.exec(target);
      if (parts === null) return Fault.target;
      this.absoluteForm = true;
      this.scheme = parts[1]!.toLowerCase();
      this.authority = parts[2]!;
      const rest = parts[3]!;
      this.path = rest.startsWith('/') ? rest : `/${rest}`;
    }
    // RFC 9112 §3.2: a target has no fragment; readers differ on what a `#` in one means.
    return this.path.includes('#') ? Fault.fragment : undefined;
  }

  #judgeFraming(): MessageFault | undefined {
    if (this.has(Field.TRANSFER_ENCODING)) {
      if (this.http10) return Fault.chunkedInHttp10;
      if (this.has(Field.CONTENT_LENGTH)) return Fault.lengthAndChunked;
      if (this.times[Field.TRANSFER_ENCODING]! > 1) return Fault.transferEncoding;
      if (this.known(Field.TRANSFER_ENCODING).toLowerCase() !== 'chunked') return Fault.transferEncoding;
      this.framing = 'chunked';
    } else if (this.has(Field.CONTENT_LENGTH)) {
      if (this.times[Field.CONTENT_LENGTH]! > 1) return Fault.contentLength;
      const length = parseLength(this.known(Field.CONTENT_LENGTH));
      if (length < 0) return Fault.contentLength;
      this.contentLength = length;
      if (length > 0) this.framing = 'length';
    }
    return undefined;
  }

  #judgeConnection(): MessageFault | undefined {
    let keepAlive = false;
    let names: Set<string> | undefined;
    for (const option of listElements(this, 'connection')) {
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') keepAlive = true;
      else if (option === 'upgrade') this.upgrade = this.known(Field.UPGRADE).toLowerCase();
      else if (NOT_NOMINABLE.has(option)) return Fault.nominated;
      else if (option !== 'te' && option !== 'content-length' && option !== 'transfer-encoding') {
        names ??= new Set();
        names.add(option);
      }
    }
    if (names !== undefined) this.nominated = names;
    if (this.http10 && !keepAlive) this.close = true;
    if (this.upgrade === '' || this.upgrade === 'h2c') return undefined;
    if (this.times[Field.UPGRADE]! > 1) return Fault.upgradeRefused;
    if (this.framing !== 'none') return Fault.upgradeBody;
    return undefined;
  }

  #judgeHttp10(): undefined {
    if (this.http10) this.close = true;
  }
}

const VERSION = Buffer.from('HTTP/1.', 'latin1');

/** Common methods without making a string of them each time. */
const METHODS = {
  known: ['GET', 'PUT', 'POST', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS'].map((name) => ({
    name,
    bytes: Buffer.from(name, 'latin1'),
  })),
  get(length: number, bytes: Buffer, start: number): string | undefined {
    for (const { name, bytes: expected } of this.known) {
      if (expected.length !== length) continue;
      let at = 0;
      while (at < length && bytes[start + at] === expected[at]) at++;
      if (at === length) return name;
    }
    return undefined;
  },
};

/** The number a Content-Length holds, or -1 when it is anything but decimal digits. */
export function parseLength(value: string): number {
  if (value.length === 0 || value.length > MAX_LENGTH_DIGITS) return -1;
  let result = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    result = result * 10 + digit;
  }
  return result;
}

/** host [":" port], shallowly: characters, at most one port, digits in it. */
function isAuthority(authority: string): boolean {
  let colon = -1;
  let bracket = false;
  for (let at = 0; at < authority.length; at++) {
    const byte = authority.charCodeAt(at);
    if (AUTHORITY[byte] !== 1) return false;
    if (byte === 0x5b) {
      if (at !== 0) return false;
      bracket = true;
    } else if (byte === 0x5d) {
      if (!bracket || colon >= 0) return false;
      bracket = false;
    } else if (byte === COLON && !bracket) {
      if (colon >= 0 || at === 0) return false;
      colon = at;
    } else if (colon >= 0 && (byte < 0x30 || byte > 0x39)) return false;
  }
  return !bracket;
}

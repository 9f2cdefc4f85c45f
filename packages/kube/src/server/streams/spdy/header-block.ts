// SPDY's header blocks: names and values, compressed over the whole connection with a dictionary that both know.
// Draft 3.1, section 2.6.10.
import { createInflate, type Inflate } from 'node:zlib';
import { SpdyError } from './frames.ts';

/** What a block may unfold to. */
const MAX_HEADERS = 64 * 1024;

const WORDS =
  `options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status`.split(/\s+/);
const MORE_WORDS = ['200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin'];
const CODES = [
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden',
  '404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable',
];
const VALUES = [
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT',
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,',
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
];

/** The first part is written as blocks hold names: each word behind its length. */
export const DICTIONARY = Buffer.concat([
  ...[...WORDS, ...MORE_WORDS].map(lengthPrefixed),
  Buffer.from([...CODES, ...VALUES].join(''), 'latin1'),
]);

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Names are in lower case; one that came twice has its values joined by NUL. */
export type Headers = ReadonlyMap<string, string>;

export function encodeHeaders(headers: Headers): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(headers.size);
  return Buffer.concat([count, ...[...headers].flat().map(lengthPrefixed)]);
}

/** Throws a SpdyError. */
export function decodeHeaders(bytes: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (bytes.length < at + 4) throw new SpdyError('a header block that is cut off');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (bytes.length < at + length) throw new SpdyError('a header block that is cut off');
    at += length;
    return bytes.toString('latin1', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left--) headers.set(text().toLowerCase(), text());
  return headers;
}

/** The blocks of one connection's one direction, in their order: each is told in terms of those before. */
export class HeaderInflater {
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY });
  #fail: (error: SpdyError) => void = () => undefined;
  #size = 0;
  #parts: Buffer[] = [];

  constructor() {
    this.#inflate.on('data', (part: Buffer) => {
      this.#size += part.length;
      if (this.#size <= MAX_HEADERS) this.#parts.push(part);
      else this.#fail(new SpdyError(`headers of more than ${MAX_HEADERS} bytes`));
    });
    this.#inflate.on('error', (error) => this.#fail(new SpdyError(`headers that are no zlib data: ${error.message}`)));
    this.#inflate.on('end', () => this.#fail(new SpdyError('headers behind the end of their zlib data')));
  }

  /** One at a time. Rejects with a SpdyError, after which the connection's headers cannot be read any more. */
  async decode(block: Buffer): Promise<Headers> {
    this.#size = 0;
    this.#parts = [];
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#inflate.write(block);
      // What a block unfolds to is given out before its flush is over, in this turn of the loop at the latest.
      this.#inflate.flush(() => setImmediate(resolve));
    });
    return decodeHeaders(Buffer.concat(this.#parts));
  }

  close(): void {
    this.#inflate.destroy();
  }
}

/** An empty stored block, which ends what a decompressor may give out (as Z_SYNC_FLUSH does); Go's waits for it. */
const SYNC = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** RFC 1950 and 1951: a zlib stream of stored blocks. What is sent here are answers without headers, not worth more. */
export class HeaderStorer {
  #begun = false;

  encode(headers: Headers): Buffer {
    const bytes = encodeHeaders(headers);
    const block = Buffer.alloc(5);
    block.writeUInt16LE(bytes.length, 1);
    block.writeUInt16LE(bytes.length ^ 0xffff, 3);
    const begin = this.#begun ? [] : [Buffer.from([0x78, 0x01])];
    this.#begun = true;
    return Buffer.concat([...begin, block, bytes, SYNC]);
  }
}

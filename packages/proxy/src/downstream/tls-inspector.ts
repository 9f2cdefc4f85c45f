// Recognises TLS by its ClientHello and reads the server name (SNI) and protocols (ALPN) from it, without ending it.

export type TlsInspection =
  | { readonly kind: 'more' }
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'tls'; readonly serverName: string | undefined; readonly protocols: readonly string[] };

const MORE: TlsInspection = { kind: 'more' };
const NOT_TLS: TlsInspection = { kind: 'not-tls' };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;

/** Most bytes of ClientHello that are looked at (Envoy: TLS_MAX_CLIENT_HELLO, 16 KiB). */
const MAX_HELLO_BYTES = 16 * 1024;

export function inspectTls(bytes: Buffer): TlsInspection {
  const hello = gatherHandshake(bytes);
  if (!Buffer.isBuffer(hello)) return hello;
  const details = readHello(hello);
  return details === undefined ? NOT_TLS : { kind: 'tls', ...details };
}

/** The ClientHello's body, which may be spread over several records. */
function gatherHandshake(bytes: Buffer): Buffer | TlsInspection {
  let handshake: Buffer = Buffer.alloc(0);
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return NOT_TLS;
    // SSL 3.0 and every TLS write 3 here.
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return NOT_TLS;
    if (at + 5 > bytes.length) return MORE;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0) return NOT_TLS;
    const record = bytes.subarray(at + 5, at + 5 + length);
    handshake = handshake.length === 0 ? record : Buffer.concat([handshake, record]);
    if (handshake.length > 0 && handshake[0] !== CLIENT_HELLO) return NOT_TLS;
    if (handshake.length >= 4) {
      const size = handshake.readUIntBE(1, 3);
      if (size > MAX_HELLO_BYTES) return NOT_TLS;
      if (handshake.length >= 4 + size) return handshake.subarray(4, 4 + size);
    }
    if (record.length < length) return MORE;
    at += 5 + length;
  }
}

/** Reads fields that carry their own length; `undefined` once anything has run past the end. */
class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(size: 1 | 2): number | undefined {
    if (this.#at + size > this.#bytes.length) return undefined;
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  take(length: number): Buffer | undefined {
    if (this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  vector(size: 1 | 2): Buffer | undefined {
    const length = this.number(size);
    return length === undefined ? undefined : this.take(length);
  }
}

type Details = Pick<Extract<TlsInspection, { kind: 'tls' }>, 'serverName' | 'protocols'>;

/** RFC 8446 §4.1.2: version, random, session id, cipher suites, compression methods, extensions. */
function readHello(hello: Buffer): Details | undefined {
  const reader = new FieldReader(hello);
  const fixed = reader.take(34) && reader.vector(1) && reader.vector(2) && reader.vector(1);
  if (fixed === undefined) return undefined;
  if (reader.done) return { serverName: undefined, protocols: [] };
  const extensions = reader.vector(2);
  if (extensions === undefined) return undefined;
  let serverName: string | undefined;
  let protocols: readonly string[] = [];
  for (const list = new FieldReader(extensions); !list.done; ) {
    const type = list.number(2);
    const body = list.vector(2);
    if (type === undefined || body === undefined) return undefined;
    if (type === SERVER_NAME) serverName = readServerName(body);
    if (type === ALPN) protocols = readProtocols(body);
  }
  return { serverName, protocols };
}

/** RFC 6066 §3: a list of names, of which type 0 is a host name. */
function readServerName(body: Buffer): string | undefined {
  const list = new FieldReader(new FieldReader(body).vector(2) ?? Buffer.alloc(0));
  while (!list.done) {
    const type = list.number(1);
    const name = list.vector(2);
    if (name === undefined) return undefined;
    if (type === 0) return name.toString('latin1').toLowerCase();
  }
  return undefined;
}

/** RFC 7301 §3.1. */
function readProtocols(body: Buffer): readonly string[] {
  const list = new FieldReader(new FieldReader(body).vector(2) ?? Buffer.alloc(0));
  const protocols: string[] = [];
  while (!list.done) {
    const name = list.vector(1);
    if (name === undefined) return protocols;
    protocols.push(name.toString('latin1'));
  }
  return protocols;
}

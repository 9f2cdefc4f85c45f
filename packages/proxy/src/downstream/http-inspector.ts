// Recognises HTTP by a connection's first bytes: an HTTP/1 request line, or HTTP/2's preface.

export type HttpInspection = 'more' | 'not-http' | 'http/1.0' | 'http/1.1' | 'h2c';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Longest request line that is waited for: as much as a request head may have. */
const MAX_LINE_BYTES = 64 * 1024;

/** Methods are upper-case words; anything else is raw at its first byte, so that its peer need not wait. */
const MAX_METHOD_BYTES = 24;

const LF = 10;
const CR = 13;
const SPACE = 32;

function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

export function inspectHttp(bytes: Buffer): HttpInspection {
  if (bytes.length === 0) return 'more';
  const shared = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, shared, 0, shared) === 0) return shared === PREFACE.length ? 'h2c' : 'more';
  // Envoy's parsers take empty lines before a request, as RFC 9112 §2.2 asks servers to.
  let at = 0;
  while (at < bytes.length && at < 4 && (bytes[at] === CR || bytes[at] === LF)) at++;
  const method = at;
  while (at < bytes.length && isMethodByte(bytes[at]!)) at++;
  if (at - method > MAX_METHOD_BYTES) return 'not-http';
  if (at === bytes.length) return 'more';
  if (at === method || bytes[at] !== SPACE) return 'not-http';
  return inspectTarget(bytes, at + 1);
}

function inspectTarget(bytes: Buffer, start: number): HttpInspection {
  let at = start;
  while (at < bytes.length && bytes[at]! > SPACE && bytes[at] !== 0x7f) at++;
  if (at === bytes.length) return bytes.length > MAX_LINE_BYTES ? 'not-http' : 'more';
  if (at === start || bytes[at] !== SPACE) return 'not-http';
  const version = bytes.toString('latin1', at + 1, at + 9);
  const rest = bytes[at + 9];
  for (const [text, protocol] of VERSIONS) {
    if (version === text) return rest === undefined ? 'more' : rest === CR || rest === LF ? protocol : 'not-http';
    if (version.length < text.length && text.startsWith(version)) return 'more';
  }
  return 'not-http';
}

const VERSIONS = [
  ['HTTP/1.1', 'http/1.1'],
  ['HTTP/1.0', 'http/1.0'],
] as const;

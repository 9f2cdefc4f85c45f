// Character classes of HTTP/1.1 (RFC 9110 §5.5–5.6, RFC 9112 §3.2), as tables indexed by byte.

function table(accepts: (byte: number) => boolean): Uint8Array {
  const result = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (accepts(byte)) result[byte] = 1;
  return result;
}

const TOKEN_PUNCTUATION = new Set([..."!#$%&'*+-.^_`|~"].map((character) => character.charCodeAt(0)));

function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** token: methods and field names. */
export const TOKEN = table((byte) => isAlphanumeric(byte) || TOKEN_PUNCTUATION.has(byte));

/** field-content with inner blanks: visible ASCII, obs-text, space and tab; never a control character. */
export const FIELD_VALUE = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/** Request target: no blank, no control character. Bytes over 0x7f pass, because browsers and curl do send them. */
export const TARGET = table((byte) => byte > 0x20 && byte !== 0x7f);

/** uri-host with port (RFC 3986 §3.2.2). No userinfo, no comma: `user@host` and `a,b` would let two readers see two hosts. */
export const AUTHORITY = table(
  (byte) => isAlphanumeric(byte) || ":[]-._~%!$&'()*+;=".includes(String.fromCharCode(byte)),
);

/** ASCII lower case, for comparing names. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));

/** Value of a hexadecimal digit, or 255. */
export const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[0-9a-fA-F]/.test(character) ? Number.parseInt(character, 16) : 255;
});

export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
export const TAB = 0x09;
export const COLON = 0x3a;

/**
 * Text as the bytes that go on the wire, one character a byte. Characters above `highest` make it UTF-8: written as
 * latin1 they would be cut down, U+010A to a line feed.
 */
export function toWireBytes(text: string, highest = 0xff): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > highest) return Buffer.from(text, 'utf8').toString('latin1');
  }
  return text;
}

/** A configured text as a field's value; undefined when it holds a control character. */
export function toFieldValue(text: string): string | undefined {
  const value = toWireBytes(text, 0x7f);
  for (let at = 0; at < value.length; at++) if (FIELD_VALUE[value.charCodeAt(at)] !== 1) return undefined;
  return value;
}

/** A rewritten path or authority: bytes of the request pass, blanks and controls of the configuration are escaped. */
export function toTarget(text: string): string {
  const bytes = toWireBytes(text);
  let out = '';
  let from = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes.charCodeAt(at);
    if (TARGET[byte] === 1) continue;
    out += `${bytes.slice(from, at)}%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    from = at + 1;
  }
  return from === 0 ? bytes : out + bytes.slice(from);
}

// Field names the proxy looks at itself, found by length and bytes while a head is parsed.
import { LOWER } from './grammar.ts';

/** Numbers for the names, small enough to index a table. */
export const Field = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  KEEP_ALIVE: 5,
  PROXY_CONNECTION: 6,
  UPGRADE: 7,
  TE: 8,
  EXPECT: 9,
  SERVER: 10,
  DATE: 11,
  X_REQUEST_ID: 12,
  X_FORWARDED_FOR: 13,
  X_FORWARDED_PROTO: 14,
  /** Any name that starts with `x-envoy-`. */
  X_ENVOY: 15,
  HTTP2_SETTINGS: 16,
  X_FORWARDED_CLIENT_CERT: 17,
} as const;

export type Field = (typeof Field)[keyof typeof Field];

export const FIELD_COUNT = 18;

const NAMES: readonly (readonly [string, Field])[] = [
  ['host', Field.HOST],
  ['content-length', Field.CONTENT_LENGTH],
  ['transfer-encoding', Field.TRANSFER_ENCODING],
  ['connection', Field.CONNECTION],
  ['keep-alive', Field.KEEP_ALIVE],
  ['proxy-connection', Field.PROXY_CONNECTION],
  ['upgrade', Field.UPGRADE],
  ['te', Field.TE],
  ['expect', Field.EXPECT],
  ['server', Field.SERVER],
  ['date', Field.DATE],
  ['x-request-id', Field.X_REQUEST_ID],
  ['x-forwarded-for', Field.X_FORWARDED_FOR],
  ['x-forwarded-proto', Field.X_FORWARDED_PROTO],
  ['http2-settings', Field.HTTP2_SETTINGS],
  ['x-forwarded-client-cert', Field.X_FORWARDED_CLIENT_CERT],
];

interface Candidate {
  readonly bytes: Uint8Array;
  readonly field: Field;
}

const BY_LENGTH: readonly (readonly Candidate[] | undefined)[] = (() => {
  const result: Candidate[][] = [];
  for (const [name, field] of NAMES) {
    result[name.length] ??= [];
    result[name.length]!.push({ bytes: Buffer.from(name, 'latin1'), field });
  }
  return Array.from(result);
})();

const X_ENVOY_PREFIX = Buffer.from('x-envoy-', 'latin1');

function matches(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (LOWER[bytes[at + i]!] !== expected[i]) return false;
  return true;
}

export function fieldOf(bytes: Uint8Array, start: number, end: number): Field {
  const length = end - start;
  const candidates = length < BY_LENGTH.length ? BY_LENGTH[length] : undefined;
  if (candidates !== undefined) {
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      if (matches(bytes, start, candidate.bytes)) return candidate.field;
    }
  }
  // The third byte tells almost every other name apart before the prefix is compared.
  if (length > 8 && LOWER[bytes[start + 2]!] === 0x65 && matches(bytes, start, X_ENVOY_PREFIX)) return Field.X_ENVOY;
  return Field.OTHER;
}

/** Framing and routing fields: only the codec writes them, so a configured edit of one is not carried out. */
const CODEC_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'te',
  'trailer',
]);

export function isCodecField(lowerCaseName: string): boolean {
  return CODEC_FIELDS.has(lowerCaseName);
}

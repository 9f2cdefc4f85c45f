// Values on the wire: PostgreSQL's type OIDs, and text to and from what SQLite holds.
import { SqlError } from './sql-error.ts';

/** src/include/catalog/pg_type.dat of PostgreSQL. */
export const OID = {
  unspecified: 0,
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  varchar: 1043,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** With setReadBigInts, every integer is a bigint. */
export type SqlValue = null | bigint | number | string | Uint8Array;

/** A declared type, as SQLite keeps it word for word. The first pattern that fits wins. */
const DECLARED: readonly (readonly [RegExp, number])[] = [
  [/^bool/i, OID.bool],
  [/^(bigint|int8)\b/i, OID.int8],
  [/^(smallint|int2)\b/i, OID.int2],
  [/int/i, OID.int4],
  [/^(varchar|character varying)/i, OID.varchar],
  [/^(float4|real)\b/i, OID.float4],
  [/floa|doub/i, OID.float8],
  [/^(numeric|decimal)/i, OID.numeric],
  [/^jsonb/i, OID.jsonb],
  [/^json/i, OID.json],
  [/^(timestamptz|timestamp with time zone)/i, OID.timestamptz],
  [/^(timestamp|datetime)/i, OID.timestamp],
  [/^date/i, OID.date],
  [/^uuid/i, OID.uuid],
  [/^(bytea|blob)/i, OID.bytea],
];

export function oidOfDeclared(type: string): number {
  return DECLARED.find(([pattern]) => pattern.test(type))?.[1] ?? OID.text;
}

/** An expression has no declared type; its values have one each. */
export function oidOfValue(value: SqlValue | undefined): number {
  if (typeof value === 'bigint') return value >= -2147483648n && value <= 2147483647n ? OID.int4 : OID.int8;
  if (typeof value === 'number') return OID.float8;
  return value instanceof Uint8Array ? OID.bytea : OID.text;
}

/** pg_type's typlen; -1 for those of no fixed size. */
export function sizeOfType(oid: number): number {
  switch (oid) {
    case OID.bool:
      return 1;
    case OID.int2:
      return 2;
    case OID.int4:
    case OID.float4:
    case OID.date:
      return 4;
    case OID.int8:
    case OID.float8:
    case OID.timestamp:
    case OID.timestamptz:
      return 8;
    case OID.uuid:
      return 16;
    default:
      return -1;
  }
}

/** The text format of a value in a column of the given type. */
export function encodeText(value: Exclude<SqlValue, null>, oid: number): string {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (oid === OID.bool) return String(value) === '0' || value === 'false' || value === 'f' ? 'f' : 't';
  if (typeof value === 'number') {
    if (value === Number.POSITIVE_INFINITY) return 'Infinity';
    return value === Number.NEGATIVE_INFINITY ? '-Infinity' : String(value);
  }
  // SQLite's CURRENT_TIMESTAMP is UTC and does not say so; without a zone a client would take it for its own.
  if (oid === OID.timestamptz && typeof value === 'string' && !/(Z|[+-]\d\d(:?\d\d)?)$/.test(value))
    return `${value}+00`;
  return String(value);
}

/** What SQLite is given for a parameter in the text format. Throws an SqlError 22P02 where the text is no such value. */
export function decodeText(text: string, oid: number): SqlValue {
  switch (oid) {
    case OID.bool:
      if (/^(t|true|y|yes|on|1)$/i.test(text)) return 1n;
      if (/^(f|false|n|no|off|0)$/i.test(text)) return 0n;
      throw invalid('boolean', text);
    case OID.int2:
    case OID.int4:
    case OID.int8:
      return integer(text, oid);
    case OID.float4:
    case OID.float8:
    case OID.numeric: {
      const number = Number(text);
      if (text.trim() === '' || (Number.isNaN(number) && text !== 'NaN')) throw invalid('double precision', text);
      return number;
    }
    case OID.timestamptz:
      return utc(text);
    case OID.timestamp:
      return text.replace(/(Z|[+-]\d\d:?\d\d)$/, '').replace('T', ' ');
    case OID.date:
      return text.slice(0, 10);
    case OID.bytea:
      return text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex') : Buffer.from(text, 'utf8');
    case OID.unspecified:
      return guess(text);
    default:
      return text;
  }
}

/** Where nothing says what a parameter is: text that reads as a number and would be written back the same is one. */
function guess(text: string): SqlValue {
  if (/^(0|-?[1-9]\d{0,17})$/.test(text)) return BigInt(text);
  return /^-?\d+\.\d+$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}

function integer(text: string, oid: number): bigint {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw invalid(oid === OID.int8 ? 'bigint' : 'integer', text);
  const value = BigInt(text.trim().replace(/^\+/, ''));
  if (BigInt.asIntN(64, value) !== value)
    throw new SqlError('22003', `value "${text}" is out of range for type bigint`);
  return value;
}

/** One spelling for every instant, so that SQLite's comparison of texts is a comparison of times. */
function utc(text: string): string {
  const instant = new Date(/\d\d:\d\d/.test(text) && !/(Z|[+-]\d\d(:?\d\d)?)$/.test(text) ? `${text}Z` : text);
  if (Number.isNaN(instant.getTime())) throw invalid('timestamp with time zone', text);
  return instant.toISOString().replace('T', ' ').replace('Z', '+00');
}

/** A parameter in the binary format, which needs its type said in Parse; unsaid, it is bytes (as `pg` sends a Buffer). */
export function decodeBinary(bytes: Buffer, oid: number): SqlValue {
  switch (oid) {
    case OID.bool:
      return BigInt(bytes.readUInt8(0));
    case OID.int2:
      return BigInt(bytes.readInt16BE(0));
    case OID.int4:
      return BigInt(bytes.readInt32BE(0));
    case OID.int8:
      return bytes.readBigInt64BE(0);
    case OID.float4:
      return bytes.readFloatBE(0);
    case OID.float8:
      return bytes.readDoubleBE(0);
    case OID.text:
    case OID.varchar:
    case OID.json:
      return bytes.toString('utf8');
    default:
      // The wire's buffer is used again for the next message.
      return Buffer.from(bytes);
  }
}

function invalid(type: string, text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type ${type}: "${text}"`);
}

// PostgreSQL's frontend/backend protocol 3.0 as bytes: messages out of a stream of chunks, and the backend's messages.
import type { SqlError } from './sql-error.ts';
import { encodeText, type SqlValue, sizeOfType } from './types.ts';

export interface Message {
  /** The message's type byte as a character; the startup messages, which have none, are `startup`. */
  readonly type: string;
  readonly body: Buffer;
}

/** The client sends what is no message, or one that is too long: there is no way on. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const MAX_STARTUP_BYTES = 10_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Cuts a stream into messages. The first ones have no type byte, until `started`. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);
  #started = false;

  started(): void {
    this.#started = true;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The next whole message, or undefined until more bytes come. Throws a WireError. */
  next(): Message | undefined {
    const header = this.#started ? 5 : 4;
    if (this.#pending.length < header) return undefined;
    const length = this.#pending.readUInt32BE(header - 4);
    const limit = this.#started ? MAX_MESSAGE_BYTES : MAX_STARTUP_BYTES;
    if (length < 4 || length > limit) throw new WireError(`invalid message length ${length}, ${limit} bytes at most`);
    const end = header - 4 + length;
    if (this.#pending.length < end) return undefined;
    const type = this.#started ? String.fromCharCode(this.#pending[0] as number) : 'startup';
    const body = this.#pending.subarray(header, end);
    this.#pending = this.#pending.subarray(end);
    return { type, body };
  }
}

/** Reads a message's fields one after the other. Throws a WireError past the end. */
export class FieldReader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  int16(): number {
    return this.bytes(2).readUInt16BE(0);
  }

  int32(): number {
    return this.bytes(4).readInt32BE(0);
  }

  char(): string {
    return String.fromCharCode(this.bytes(1)[0] as number);
  }

  string(): string {
    const end = this.#body.indexOf(0, this.#at);
    if (end < 0) throw new WireError('a string without end in a message');
    const text = this.#body.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  bytes(count: number): Buffer {
    if (count < 0 || this.#at + count > this.#body.length) throw new WireError('a message is shorter than its fields');
    this.#at += count;
    return this.#body.subarray(this.#at - count, this.#at);
  }

  /** A count and as many items. */
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.int16() }, read);
  }
}

export interface Field {
  readonly name: string;
  readonly oid: number;
}

export type TransactionStatus = 'I' | 'T' | 'E';

function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`, 'utf8') : part));
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(4 + body.reduce((sum, { length }) => sum + length, 0), 1);
  return Buffer.concat([header, ...body]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const END = Buffer.alloc(1);

export const backend = {
  authenticationOk: message('R', int32(0)),
  authenticationCleartextPassword: message('R', int32(3)),
  parseComplete: message('1'),
  bindComplete: message('2'),
  closeComplete: message('3'),
  noData: message('n'),
  emptyQueryResponse: message('I'),
  parameterStatus: (name: string, value: string): Buffer => message('S', name, value),
  backendKeyData: (processId: number, secret: number): Buffer => message('K', int32(processId), int32(secret)),
  readyForQuery: (status: TransactionStatus): Buffer => message('Z', Buffer.from(status, 'latin1')),
  commandComplete: (tag: string): Buffer => message('C', tag),
  parameterDescription: (oids: readonly number[]): Buffer => message('t', int16(oids.length), ...oids.map(int32)),
  rowDescription: (fields: readonly Field[]): Buffer =>
    message(
      'T',
      int16(fields.length),
      ...fields.flatMap(({ name, oid }) => [
        name,
        // No table and column number, the type and its size, no modifier, text format.
        Buffer.concat([int32(0), int16(0), int32(oid), int16(sizeOfType(oid)), int32(-1), int16(0)]),
      ]),
    ),
  dataRow: (row: readonly SqlValue[], fields: readonly Field[]): Buffer =>
    message(
      'D',
      int16(row.length),
      ...row.flatMap((value, at) => {
        if (value === null) return [int32(-1)];
        const text = Buffer.from(encodeText(value, fields[at]?.oid ?? 0), 'utf8');
        return [int32(text.length), text];
      }),
    ),
  error: (error: SqlError, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer => report('E', severity, error),
  warning: (error: SqlError): Buffer => report('N', 'WARNING', error),
};

/** ErrorResponse and NoticeResponse: fields of one letter and a text each. */
function report(type: 'E' | 'N', severity: string, { sqlState, message: text, hint, column }: SqlError): Buffer {
  const optional = [...(hint === undefined ? [] : [`H${hint}`]), ...(column === undefined ? [] : [`c${column}`])];
  return message(type, `S${severity}`, `V${severity}`, `C${sqlState}`, `M${text}`, ...optional, END);
}

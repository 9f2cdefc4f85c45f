// AMQP's elementary types in and out of bytes (AMQP 0-9-1 specification, 4.2.5), and its field tables.

/** The bytes are no AMQP: the connection ends with 501 or 502. */
export class SyntaxProblem extends Error {
  override readonly name = 'SyntaxProblem';
}

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Bits in a row share octets; the next bit of the octet at `#at - 1`, or 0 for none. */
  #bit = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint(size: 1 | 2 | 4): number {
    return this.#take(size).readUIntBE(0, size);
  }

  longlong(): bigint {
    return this.#take(8).readBigUInt64BE(0);
  }

  shortstr(): string {
    return this.#take(this.uint(1)).toString('utf8');
  }

  longstr(): Buffer {
    return this.#take(this.uint(4));
  }

  skip(size: number): void {
    this.#take(size);
  }

  bit(): boolean {
    if (this.#bit === 0 || this.#bit > 0x80) {
      this.#take(1);
      this.#bit = 1;
    }
    const set = ((this.#bytes[this.#at - 1] as number) & this.#bit) !== 0;
    this.#bit <<= 1;
    return set;
  }

  #take(size: number): Buffer {
    if (this.#at + size > this.#bytes.length) throw new SyntaxProblem('a frame is shorter than its fields');
    this.#at += size;
    this.#bit = 0;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}

export class ByteWriter {
  readonly #parts: Buffer[] = [];
  #bits: { octet: Buffer; next: number } | undefined;

  uint(value: number, size: 1 | 2 | 4): void {
    const part = Buffer.alloc(size);
    part.writeUIntBE(value, 0, size);
    this.#add(part);
  }

  longlong(value: bigint): void {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(value);
    this.#add(part);
  }

  /** Cut where it is too long: 255 bytes. */
  shortstr(text: string): void {
    const part = Buffer.from(text, 'utf8').subarray(0, 255);
    this.uint(part.length, 1);
    this.#add(part);
  }

  longstr(bytes: Buffer): void {
    this.uint(bytes.length, 4);
    this.#add(bytes);
  }

  bit(set: boolean): void {
    if (this.#bits === undefined || this.#bits.next > 0x80) {
      const octet = Buffer.alloc(1);
      this.#parts.push(octet);
      this.#bits = { octet, next: 1 };
    }
    if (set) this.#bits.octet[0] = (this.#bits.octet[0] as number) | this.#bits.next;
    this.#bits.next <<= 1;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(part: Buffer): void {
    this.#bits = undefined;
    this.#parts.push(part);
  }
}

export interface TableEntry {
  readonly name: string;
  /** Its value where that is a string; otherwise only the name is of use here. */
  readonly text: string | undefined;
}

/** Sizes of a table's values by their tag (RabbitMQ's errata of AMQP 0-9-1); -1: with a length of four octets before it. */
const SIZES: Readonly<Record<string, number>> = {
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  l: 8,
  L: 8,
  f: 4,
  d: 8,
  D: 5,
  T: 8,
  V: 0,
  S: -1,
  A: -1,
  F: -1,
  x: -1,
};

export function tableEntries(table: Buffer): TableEntry[] {
  const reader = new ByteReader(table);
  const entries: TableEntry[] = [];
  while (!reader.done) {
    const name = reader.shortstr();
    const tag = String.fromCharCode(reader.uint(1));
    const size = SIZES[tag];
    if (size === undefined) throw new SyntaxProblem(`a table's field ${name} has the unknown type "${tag}"`);
    const value = size === -1 ? reader.longstr() : undefined;
    if (size > 0) reader.skip(size);
    entries.push({ name, text: tag === 'S' ? value?.toString('utf8') : undefined });
  }
  return entries;
}

export type TableValue = string | boolean | { readonly [name: string]: TableValue };

export function encodeTable(table: Readonly<Record<string, TableValue>>): Buffer {
  const writer = new ByteWriter();
  for (const [name, value] of Object.entries(table)) {
    writer.shortstr(name);
    const tag = typeof value === 'string' ? 'S' : typeof value === 'boolean' ? 't' : 'F';
    writer.uint(tag.charCodeAt(0), 1);
    if (typeof value === 'boolean') writer.uint(value ? 1 : 0, 1);
    else writer.longstr(typeof value === 'string' ? Buffer.from(value, 'utf8') : encodeTable(value));
  }
  return writer.bytes();
}

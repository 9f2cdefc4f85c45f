// RESP, Redis' protocol, both ways: commands out of bytes, replies into bytes of version 2 or 3.
// Strings are held as latin1, one character a byte, so that any bytes go through unharmed.

/** The first word is the error's code: ERR, WRONGTYPE … */
export class RedisError extends Error {
  override readonly name = 'RedisError';
}

/** What can't be read on from: the client is told, and cut off. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** `+OK`. */
export class Status {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const OK = new Status('OK');

/** A map in version 3, an array of names and values in turn in version 2. */
export class ReplyMap {
  readonly entries: readonly (readonly [string, Reply])[];

  constructor(entries: readonly (readonly [string, Reply])[]) {
    this.entries = entries;
  }
}

export class ReplySet {
  readonly members: readonly string[];

  constructor(members: readonly string[]) {
    this.members = members;
  }
}

/** Members with their scores: pairs in version 3, one after the other in version 2. */
export class ScoredMembers {
  readonly members: readonly (readonly [string, number])[];

  constructor(members: readonly (readonly [string, number])[]) {
    this.members = members;
  }
}

/** A score: a number of its own in version 3, a string in version 2. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What a subscriber gets unasked. */
export class Push {
  readonly items: readonly Reply[];

  constructor(items: readonly Reply[]) {
    this.items = items;
  }
}

export type Reply =
  | Status
  | RedisError
  | ReplyMap
  | ReplySet
  | ScoredMembers
  | Double
  | Push
  | number
  | string
  | null
  | readonly Reply[];

export type ProtocolVersion = 2 | 3;

export function encodeReply(reply: Reply, version: ProtocolVersion): string {
  if (reply === null) return version === 3 ? '_\r\n' : '$-1\r\n';
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`;
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (reply instanceof Status) return `+${reply.text}\r\n`;
  if (reply instanceof RedisError) return `-${reply.message.replace(/[\r\n]/g, ' ')}\r\n`;
  if (reply instanceof Double) {
    const text = formatDouble(reply.value);
    return version === 3 ? `,${text}\r\n` : encodeReply(text, version);
  }
  if (reply instanceof ReplyMap) {
    const items = reply.entries.flat();
    return sequence(version === 3 ? '%' : '*', version === 3 ? items.length / 2 : items.length, items, version);
  }
  if (reply instanceof ReplySet)
    return sequence(version === 3 ? '~' : '*', reply.members.length, reply.members, version);
  if (reply instanceof ScoredMembers) {
    const pairs = reply.members.map(([member, score]) => [member, new Double(score)]);
    return encodeReply(version === 3 ? pairs : pairs.flat(), version);
  }
  if (reply instanceof Push) return sequence(version === 3 ? '>' : '*', reply.items.length, reply.items, version);
  return sequence('*', reply.length, reply, version);
}

function sequence(type: string, count: number, items: readonly Reply[], version: ProtocolVersion): string {
  let text = `${type}${count}\r\n`;
  for (const item of items) text += encodeReply(item, version);
  return text;
}

export function formatDouble(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  return value === Number.NEGATIVE_INFINITY ? '-inf' : String(value);
}

export function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

export interface CommandLimits {
  readonly arguments: number;
  readonly bulkBytes: number;
}

/** Redis' own: 64 KiB of a line; the other two are less than Redis' 1 Mi arguments and 512 MB. */
const MAX_LINE_BYTES = 65_536;
export const LIMITS: CommandLimits = { arguments: 65_536, bulkBytes: 16 * 1024 * 1024 };

/** Cuts a stream into commands: arrays of bulk strings, or lines of words as a person types them. */
export class CommandReader {
  #pending: Buffer = Buffer.alloc(0);
  #at = 0;

  push(chunk: Buffer): void {
    this.#pending = this.#at < this.#pending.length ? Buffer.concat([this.#pending.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /** How many bytes given have not become commands. */
  get unread(): number {
    return this.#pending.length - this.#at;
  }

  /** The next whole command, never empty, or undefined until more bytes come. Throws a ProtocolError. */
  next(): string[] | undefined {
    for (;;) {
      const start = this.#at;
      const words = this.#pending[start] === 0x2a ? this.#array() : this.#inline();
      if (words === undefined) {
        this.#at = start;
        return undefined;
      }
      if (words.length > 0) return words;
    }
  }

  #line(): string | undefined {
    const end = this.#pending.indexOf('\n', this.#at, 'latin1');
    if (end < 0) {
      if (this.unread > MAX_LINE_BYTES) throw new ProtocolError('too big inline request');
      return undefined;
    }
    const line = this.#pending.toString('latin1', this.#at, end).replace(/\r$/, '');
    this.#at = end + 1;
    return line;
  }

  #inline(): string[] | undefined {
    const line = this.#line();
    return line === undefined ? undefined : line.split(/\s+/).filter((word) => word !== '');
  }

  #array(): string[] | undefined {
    const count = this.#count('*', LIMITS.arguments, 'invalid multibulk length');
    if (count === undefined) return undefined;
    const words: string[] = [];
    for (let n = 0; n < count; n++) {
      if (this.unread > 0 && this.#pending[this.#at] !== 0x24) {
        throw new ProtocolError(`expected '$', got '${String.fromCharCode(this.#pending[this.#at] as number)}'`);
      }
      const bytes = this.#count('$', LIMITS.bulkBytes, 'invalid bulk length');
      if (bytes === undefined || this.unread < bytes + 2) return undefined;
      words.push(this.#pending.toString('latin1', this.#at, this.#at + bytes));
      this.#at += bytes + 2;
    }
    return words;
  }

  #count(type: string, most: number, problem: string): number | undefined {
    const line = this.#line();
    if (line === undefined) return undefined;
    const count = Number(line.slice(type.length));
    if (!/^.(-1|\d+)$/.test(line) || count > most || (type === '$' && count < 0)) throw new ProtocolError(problem);
    return Math.max(count, 0);
  }
}

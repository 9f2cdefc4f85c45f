// Replies of RESP version 2 out of a socket, and as redis-cli shows them.
import type { Socket } from 'node:net';
import { RedisError } from './resp.ts';

export type ReadReply = string | number | null | RedisError | { readonly status: string } | readonly ReadReply[];

export class ReplyReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Throws when the server ends the connection first. */
  async next(): Promise<ReadReply> {
    const line = await this.#line();
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return { status: rest };
      case '-':
        return new RedisError(rest);
      case ':':
        return Number(rest);
      case '$': {
        if (rest === '-1') return null;
        const text = await this.#take(Number(rest));
        await this.#take(2);
        return text;
      }
      case '*': {
        if (rest === '-1') return null;
        const items: ReadReply[] = [];
        for (let n = Number(rest); n > 0; n--) items.push(await this.next());
        return items;
      }
      default:
        throw new Error(`the server does not speak Redis' protocol: ${line.slice(0, 60)}`);
    }
  }

  async #line(): Promise<string> {
    let end = this.#pending.indexOf('\r\n');
    while (end < 0) {
      await this.#more();
      end = this.#pending.indexOf('\r\n');
    }
    return (await this.#take(end + 2)).slice(0, -2);
  }

  async #take(bytes: number): Promise<string> {
    while (this.#pending.length < bytes) await this.#more();
    const text = this.#pending.toString('latin1', 0, bytes);
    this.#pending = this.#pending.subarray(bytes);
    return text;
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#chunks.next();
    if (done === true) throw new Error('Server closed the connection');
    this.#pending = Buffer.concat([this.#pending, value]);
  }
}

/** As redis-cli prints it: plain for a pipe, with types and numbers for a terminal. */
export function formatReply(reply: ReadReply, raw: boolean, indent = ''): string {
  if (reply === null) return raw ? '' : '(nil)';
  if (reply instanceof RedisError) return raw ? `${reply.message}\n` : `(error) ${reply.message}`;
  if (typeof reply === 'number') return raw ? String(reply) : `(integer) ${reply}`;
  if (typeof reply === 'string') return raw ? reply : quoted(reply);
  if (!isList(reply)) return reply.status;
  if (raw) return reply.map((item) => formatReply(item, true)).join('\n');
  if (reply.length === 0) return '(empty array)';
  const width = String(reply.length).length;
  return reply
    .map((item, at) => {
      const number = `${String(at + 1).padStart(width)}) `;
      return `${at === 0 ? '' : indent}${number}${formatReply(item, false, indent + ' '.repeat(number.length))}`;
    })
    .join('\n');
}

function isList(reply: object): reply is readonly ReadReply[] {
  return Array.isArray(reply);
}

function quoted(text: string): string {
  const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };
  const body = Array.from(text, (char) => {
    const code = char.charCodeAt(0);
    return NAMED[char] ?? (code < 32 || code > 126 ? `\\x${code.toString(16).padStart(2, '0')}` : char);
  });
  return `"${body.join('')}"`;
}

// What a command is, and how its arguments are read.
import type { Clock, Keyspace } from './keyspace.ts';
import { RedisError, type Reply } from './resp.ts';

export interface Context {
  readonly db: Keyspace;
  readonly now: Clock;
  /** Has `words` written to the journal in the place of the command itself, for what depends on time or chance. */
  journal(words: readonly string[] | undefined): void;
}

export interface Command {
  /** As in Redis: how many words with the name; negative: that many at least. */
  readonly arity: number;
  /** True: it changes keys, and so goes to the journal. */
  readonly writes?: boolean;
  run(context: Context, args: readonly string[]): Reply;
}

export type CommandTable = Readonly<Record<string, Command>>;

export const SYNTAX = 'ERR syntax error';

const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;

export function integer(text: string): bigint {
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value < MIN_INTEGER || value > MAX_INTEGER) {
    throw new RedisError('ERR value is not an integer or out of range');
  }
  return value;
}

/** An integer that is an index, a count or a time: exact as a number. */
export function count(text: string): number {
  const value = Number(integer(text));
  if (!Number.isSafeInteger(value)) throw new RedisError('ERR value is not an integer or out of range');
  return value;
}

export function sum(a: bigint, b: bigint): bigint {
  const value = a + b;
  if (value < MIN_INTEGER || value > MAX_INTEGER) throw new RedisError('ERR increment or decrement would overflow');
  return value;
}

export function float(text: string): number {
  const value = /^[+-]?inf(inity)?$/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
  if (text.trim() !== text || text === '' || Number.isNaN(value))
    throw new RedisError('ERR value is not a valid float');
  return value;
}

/** What GETRANGE, LRANGE and ZRANGE mean by two indexes, negative ones from the end: [from, to). */
export function slice(start: string, stop: string, length: number): [number, number] {
  const at = (text: string): number => {
    const index = count(text);
    return index < 0 ? length + index : index;
  };
  return [Math.max(at(start), 0), Math.min(at(stop), length - 1) + 1];
}

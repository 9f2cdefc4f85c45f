// One database: keys, their values of five types, and when they end.
import { RedisError } from './resp.ts';

export interface Types {
  readonly string: { text: string };
  readonly hash: Map<string, string>;
  readonly list: string[];
  readonly set: Set<string>;
  readonly zset: Map<string, number>;
}

export type TypeName = keyof Types;

export type Entry = {
  [T in TypeName]: { readonly type: T; readonly value: Types[T]; expiresAt: number | undefined };
}[TypeName];

const EMPTY: { readonly [T in TypeName]: () => Types[T] } = {
  string: () => ({ text: '' }),
  hash: () => new Map(),
  list: () => [],
  set: () => new Set(),
  zset: () => new Map(),
};

/** Milliseconds since 1970. */
export type Clock = () => number;

export class Keyspace {
  readonly #entries = new Map<string, Entry>();
  readonly #expiring = new Set<string>();
  readonly #now: Clock;
  readonly #expired: (key: string) => void;

  /** `expired` is told of every key whose time is up, when that is noticed. */
  constructor(now: Clock, expired: (key: string) => void) {
    this.#now = now;
    this.#expired = expired;
  }

  get size(): number {
    this.sweep();
    return this.#entries.size;
  }

  get expiringCount(): number {
    return this.#expiring.size;
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.expiresAt === undefined || entry.expiresAt > this.#now()) return entry;
    this.delete(key);
    this.#expired(key);
    return undefined;
  }

  /** The value of that type, or undefined. Throws WRONGTYPE when the key holds another. */
  read<T extends TypeName>(key: string, type: T): Types[T] | undefined {
    const entry = this.get(key);
    if (entry === undefined) return undefined;
    if (entry.type !== type) throw new RedisError('WRONGTYPE Operation against a key holding the wrong kind of value');
    return entry.value as Types[T];
  }

  /** The value to be changed in place, made when the key is new. */
  open<T extends TypeName>(key: string, type: T): Types[T] {
    const existing = this.read(key, type);
    if (existing !== undefined) return existing;
    const value = EMPTY[type]();
    this.#entries.set(key, { type, value, expiresAt: undefined } as unknown as Entry);
    return value;
  }

  /** Replaces whatever the key held, its end included. */
  set(key: string, text: string): void {
    this.#expiring.delete(key);
    this.#entries.set(key, { type: 'string', value: { text }, expiresAt: undefined });
  }

  put(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.expireAt(key, entry.expiresAt);
  }

  delete(key: string): boolean {
    this.#expiring.delete(key);
    return this.#entries.delete(key);
  }

  /** Redis keeps no empty lists, hashes and sets. */
  deleteIfEmpty(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.type === 'string') return;
    if ((entry.type === 'list' ? entry.value.length : entry.value.size) === 0) this.delete(key);
  }

  expireAt(key: string, at: number | undefined): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.expiresAt = at;
    if (at === undefined) this.#expiring.delete(key);
    else this.#expiring.add(key);
  }

  keys(): string[] {
    this.sweep();
    return [...this.#entries.keys()];
  }

  clear(): void {
    this.#entries.clear();
    this.#expiring.clear();
  }

  /** Lets go of everything whose time is up. */
  sweep(): void {
    for (const key of [...this.#expiring]) this.get(key);
  }
}

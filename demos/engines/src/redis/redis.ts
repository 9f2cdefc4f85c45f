// The databases, the command table, the channels: what all clients share.
import { collectionCommands } from './collection-commands.ts';
import type { Command, CommandTable, Context } from './command.ts';
import { globMatches } from './glob.ts';
import { Journal } from './journal.ts';
import { keysCommands } from './keys-commands.ts';
import { type Clock, type Entry, Keyspace } from './keyspace.ts';
import { OK, RedisError, type Reply } from './resp.ts';
import { stringCommands } from './string-commands.ts';

export const DATABASES = 16;

export const dataCommands: CommandTable = {
  ...keysCommands,
  ...stringCommands,
  ...collectionCommands,
};

export interface Subscriber {
  readonly channels: ReadonlySet<string>;
  readonly patterns: ReadonlySet<string>;
  message(channel: string, text: string, pattern?: string): void;
}

export class Redis {
  readonly databases: readonly Keyspace[];
  readonly subscribers = new Set<Subscriber>();
  /** True: what would make the data larger is refused. */
  full = false;
  readonly #now: Clock;
  readonly #journal: Journal | undefined;
  #journalDatabase = 0;
  #loading = true;

  /** With `path` everything is kept in that file, and what it holds is there again. */
  constructor(now: Clock, path: string | undefined) {
    this.#now = now;
    // While the journal is read nothing expires: it says itself what did.
    const clock = (): number => (this.#loading ? Number.NEGATIVE_INFINITY : now());
    this.databases = Array.from(
      { length: DATABASES },
      (_, index) => new Keyspace(clock, (key) => this.#log(index, ['DEL', key])),
    );
    this.#journal = path === undefined ? undefined : new Journal(path, () => this.#state());
    for (const words of this.#journal?.read() ?? []) this.#replay(words);
    this.#journal?.rewrite();
    // The next command says its database, whatever the file ends with.
    this.#journalDatabase = -1;
    this.#loading = false;
  }

  /** Runs a data command; what it throws has changed nothing. */
  run(index: number, name: string, command: Command, args: readonly string[]): Reply {
    let words: readonly string[] | undefined = [name, ...args];
    const context: Context = {
      db: this.databases[index] as Keyspace,
      now: this.#now,
      journal: (instead) => {
        words = instead;
      },
    };
    if (command.writes === true && this.full && !/^(DEL|UNLINK|FLUSHDB|[LRHS]?POP|SREM|HDEL|ZREM)$/.test(name)) {
      throw new RedisError("OOM command not allowed when used memory > 'maxmemory'.");
    }
    const reply = command.run(context, args);
    if (command.writes === true && words !== undefined) this.#log(index, words);
    return reply;
  }

  flushAll(): Reply {
    for (const [index, db] of this.databases.entries()) {
      if (db.size === 0) continue;
      db.clear();
      this.#log(index, ['FLUSHDB']);
    }
    return OK;
  }

  /** Answers how many got it. */
  publish(channel: string, text: string): number {
    let receivers = 0;
    for (const subscriber of this.subscribers) {
      if (subscriber.channels.has(channel)) {
        subscriber.message(channel, text);
        receivers += 1;
      }
      for (const pattern of subscriber.patterns) {
        if (!globMatches(pattern, channel)) continue;
        subscriber.message(channel, text, pattern);
        receivers += 1;
      }
    }
    return receivers;
  }

  /** What is due by the clock: keys to let go of, a journal to rewrite. */
  tick(): void {
    for (const db of this.databases) db.sweep();
    if (this.#journal?.grown !== true) return;
    this.#journal.rewrite();
    this.#journalDatabase = -1;
  }

  close(): void {
    this.#journal?.close();
  }

  #log(index: number, words: readonly string[]): void {
    if (this.#loading) return;
    if (index !== this.#journalDatabase) this.#journal?.append(['SELECT', String(index)]);
    this.#journalDatabase = index;
    this.#journal?.append(words);
  }

  #replay([name = '', ...args]: readonly string[]): void {
    if (name === 'SELECT') {
      this.#journalDatabase = Number(args[0]);
      return;
    }
    const command = dataCommands[name];
    const db = this.databases[this.#journalDatabase];
    if (command === undefined || db === undefined) throw new Error(`the journal holds what is no command: ${name}`);
    command.run({ db, now: this.#now, journal: () => undefined }, args);
  }

  *#state(): Generator<readonly string[]> {
    for (const [index, db] of this.databases.entries()) {
      const keys = db.keys();
      if (keys.length > 0) yield ['SELECT', String(index)];
      for (const key of keys) {
        const entry = db.get(key);
        if (entry === undefined) continue;
        yield [...making(key, entry)];
        if (entry.expiresAt !== undefined) yield ['PEXPIREAT', key, String(entry.expiresAt)];
      }
    }
  }
}

/** The command that makes a key. */
function making(key: string, entry: Entry): readonly string[] {
  switch (entry.type) {
    case 'string':
      return ['SET', key, entry.value.text];
    case 'hash':
      return ['HSET', key, ...[...entry.value].flat()];
    case 'list':
      return ['RPUSH', key, ...entry.value];
    case 'set':
      return ['SADD', key, ...entry.value];
    case 'zset':
      return ['ZADD', key, ...[...entry.value].flatMap(([member, score]) => [String(score), member])];
  }
}

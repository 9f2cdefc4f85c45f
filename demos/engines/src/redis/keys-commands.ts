// Commands on keys of any type: existence, expiry, names.
import { type Command, type CommandTable, type Context, count, SYNTAX } from './command.ts';
import { globMatches } from './glob.ts';
import { OK, RedisError, type Reply, Status } from './resp.ts';

/** EXPIRE and its kin: the unit of the argument in milliseconds, and what it counts from. */
function expire(unitMs: number, fromNow: boolean): Command {
  return {
    arity: -3,
    writes: true,
    run(context, [key = '', time = '', condition = '']) {
      const at = count(time) * unitMs + (fromNow ? context.now() : 0);
      const entry = context.db.get(key);
      if (entry === undefined) return 0;
      const current = entry.expiresAt ?? Number.POSITIVE_INFINITY;
      switch (condition.toUpperCase()) {
        case '':
          break;
        case 'NX':
          if (entry.expiresAt !== undefined) return 0;
          break;
        case 'XX':
          if (entry.expiresAt === undefined) return 0;
          break;
        case 'GT':
          if (at <= current) return 0;
          break;
        case 'LT':
          if (at >= current) return 0;
          break;
        default:
          throw new RedisError(`ERR Unsupported option ${condition}`);
      }
      context.db.expireAt(key, at);
      context.journal(['PEXPIREAT', key, String(at)]);
      return 1;
    },
  };
}

/** TTL and its kin: -2 no key, -1 no end. */
const left = (unitMs: number): Command => ({
  arity: 2,
  run({ db, now }, [key = '']) {
    const entry = db.get(key);
    if (entry === undefined) return -2;
    return entry.expiresAt === undefined ? -1 : Math.round(Math.max(entry.expiresAt - now(), 0) / unitMs);
  },
});

const remove: Command = {
  arity: -2,
  writes: true,
  run: ({ db }, keys) => keys.filter((key) => db.get(key) !== undefined && db.delete(key)).length,
};

export const keysCommands: CommandTable = {
  DEL: remove,
  UNLINK: remove,
  EXISTS: { arity: -2, run: ({ db }, keys) => keys.filter((key) => db.get(key) !== undefined).length },
  EXPIRE: expire(1000, true),
  PEXPIRE: expire(1, true),
  EXPIREAT: expire(1000, false),
  PEXPIREAT: expire(1, false),
  TTL: left(1000),
  PTTL: left(1),
  PERSIST: {
    arity: 2,
    writes: true,
    run({ db }, [key = '']) {
      if (db.get(key)?.expiresAt === undefined) return 0;
      db.expireAt(key, undefined);
      return 1;
    },
  },
  TYPE: { arity: 2, run: ({ db }, [key = '']) => new Status(db.get(key)?.type ?? 'none') },
  RENAME: {
    arity: 3,
    writes: true,
    run({ db }, [from = '', to = '']) {
      const entry = db.get(from);
      if (entry === undefined) throw new RedisError('ERR no such key');
      db.delete(from);
      db.put(to, entry);
      return OK;
    },
  },
  KEYS: { arity: 2, run: ({ db }, [pattern = '']) => db.keys().filter((key) => globMatches(pattern, key)) },
  SCAN: { arity: -2, run: scan },
  DBSIZE: { arity: 1, run: ({ db }) => db.size },
  FLUSHDB: {
    arity: -1,
    writes: true,
    run({ db }) {
      db.clear();
      return OK;
    },
  },
};

/**
 * The cursor is a place in the order of the keys' hashes: every key that is there from the first call to the last comes
 * once, whatever else comes and goes.
 */
function scan({ db }: Context, [cursor = '', ...options]: readonly string[]): Reply {
  if (!/^\d{1,20}$/.test(cursor)) throw new RedisError('ERR invalid cursor');
  let [pattern, type, wanted] = ['*', undefined as string | undefined, 10];
  for (let at = 0; at < options.length; at += 2) {
    const value = options[at + 1];
    const option = options[at]?.toUpperCase();
    if (value === undefined) throw new RedisError(SYNTAX);
    if (option === 'MATCH') pattern = value;
    else if (option === 'TYPE') type = value.toLowerCase();
    else if (option === 'COUNT' && count(value) > 0) wanted = count(value);
    else throw new RedisError(SYNTAX);
  }
  const from = Number(cursor);
  const ordered = db
    .keys()
    .map((key) => ({ key, hash: hashOf(key) }))
    .filter(({ hash }) => hash >= from)
    .sort((a, b) => a.hash - b.hash);
  // Keys of one hash are never parted: the next cursor is a hash of its own.
  let end = Math.min(wanted, ordered.length);
  while (end < ordered.length && ordered[end]?.hash === ordered[end - 1]?.hash) end += 1;
  const keys = ordered
    .slice(0, end)
    .map(({ key }) => key)
    .filter((key) => globMatches(pattern, key) && (type === undefined || db.get(key)?.type === type));
  return [String(ordered[end]?.hash ?? 0), keys];
}

/** FNV-1a, 32 bits; 1 and more, as 0 is the cursor of the beginning and of the end. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) + 1;
}

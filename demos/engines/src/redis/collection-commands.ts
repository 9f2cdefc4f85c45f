// Commands on hashes, lists, sets and sorted sets.
import { type Command, type CommandTable, count, float, integer, SYNTAX, slice, sum } from './command.ts';
import { Double, OK, RedisError, ReplyMap, ReplySet, ScoredMembers } from './resp.ts';

function pairs(args: readonly string[], name: string): [string, string][] {
  if (args.length % 2 !== 0) throw new RedisError(`ERR wrong number of arguments for '${name}' command`);
  return Array.from({ length: args.length / 2 }, (_, at) => [args[2 * at] as string, args[2 * at + 1] as string]);
}

const hashCommands: CommandTable = {
  HSET: {
    arity: -4,
    writes: true,
    run({ db }, [key = '', ...rest]) {
      const fields = pairs(rest, 'hset');
      const hash = db.open(key, 'hash');
      const before = hash.size;
      for (const [field, value] of fields) hash.set(field, value);
      return hash.size - before;
    },
  },
  HMSET: {
    arity: -4,
    writes: true,
    run({ db }, [key = '', ...rest]) {
      const fields = pairs(rest, 'hmset');
      const hash = db.open(key, 'hash');
      for (const [field, value] of fields) hash.set(field, value);
      return OK;
    },
  },
  HSETNX: {
    arity: 4,
    writes: true,
    run({ db }, [key = '', field = '', value = '']) {
      const hash = db.open(key, 'hash');
      if (hash.has(field)) return 0;
      hash.set(field, value);
      return 1;
    },
  },
  HGET: { arity: 3, run: ({ db }, [key = '', field = '']) => db.read(key, 'hash')?.get(field) ?? null },
  HMGET: {
    arity: -3,
    run({ db }, [key = '', ...fields]) {
      const hash = db.read(key, 'hash');
      return fields.map((field) => hash?.get(field) ?? null);
    },
  },
  HGETALL: { arity: 2, run: ({ db }, [key = '']) => new ReplyMap([...(db.read(key, 'hash') ?? [])]) },
  HDEL: {
    arity: -3,
    writes: true,
    run({ db }, [key = '', ...fields]) {
      const hash = db.read(key, 'hash');
      const removed = fields.filter((field) => hash?.delete(field)).length;
      db.deleteIfEmpty(key);
      return removed;
    },
  },
  HEXISTS: { arity: 3, run: ({ db }, [key = '', field = '']) => (db.read(key, 'hash')?.has(field) ? 1 : 0) },
  HLEN: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'hash')?.size ?? 0 },
  HKEYS: { arity: 2, run: ({ db }, [key = '']) => [...(db.read(key, 'hash')?.keys() ?? [])] },
  HVALS: { arity: 2, run: ({ db }, [key = '']) => [...(db.read(key, 'hash')?.values() ?? [])] },
  HINCRBY: {
    arity: 4,
    writes: true,
    run({ db }, [key = '', field = '', step = '']) {
      const before = db.read(key, 'hash')?.get(field) ?? '0';
      if (!/^-?\d+$/.test(before)) throw new RedisError('ERR hash value is not an integer');
      const value = sum(integer(before), integer(step));
      db.open(key, 'hash').set(field, String(value));
      return Number(value);
    },
  },
};

const push = (end: 'unshift' | 'push'): Command => ({
  arity: -3,
  writes: true,
  run({ db }, [key = '', ...values]) {
    const list = db.open(key, 'list');
    for (const value of values) list[end](value);
    return list.length;
  },
});

const pop = (end: 'shift' | 'pop'): Command => ({
  arity: -2,
  writes: true,
  run({ db }, [key = '', most]) {
    const wanted = most === undefined ? 1 : count(most);
    if (wanted < 0) throw new RedisError('ERR value is out of range, must be positive');
    const list = db.read(key, 'list');
    if (list === undefined) return null;
    const taken = Array.from({ length: Math.min(wanted, list.length) }, () => list[end]() as string);
    db.deleteIfEmpty(key);
    return most === undefined ? (taken[0] ?? null) : taken;
  },
});

const listCommands: CommandTable = {
  LPUSH: push('unshift'),
  RPUSH: push('push'),
  LPOP: pop('shift'),
  RPOP: pop('pop'),
  LLEN: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'list')?.length ?? 0 },
  LRANGE: {
    arity: 4,
    run({ db }, [key = '', start = '', stop = '']) {
      const list = db.read(key, 'list') ?? [];
      return list.slice(...slice(start, stop, list.length));
    },
  },
  LINDEX: { arity: 3, run: ({ db }, [key = '', index = '']) => db.read(key, 'list')?.at(count(index)) ?? null },
  LTRIM: {
    arity: 4,
    writes: true,
    run({ db }, [key = '', start = '', stop = '']) {
      const list = db.read(key, 'list') ?? [];
      list.splice(0, list.length, ...list.slice(...slice(start, stop, list.length)));
      db.deleteIfEmpty(key);
      return OK;
    },
  },
};

const setCommands: CommandTable = {
  SADD: {
    arity: -3,
    writes: true,
    run({ db }, [key = '', ...members]) {
      const set = db.open(key, 'set');
      const before = set.size;
      for (const member of members) set.add(member);
      return set.size - before;
    },
  },
  SREM: {
    arity: -3,
    writes: true,
    run({ db }, [key = '', ...members]) {
      const set = db.read(key, 'set');
      const removed = members.filter((member) => set?.delete(member)).length;
      db.deleteIfEmpty(key);
      return removed;
    },
  },
  SMEMBERS: { arity: 2, run: ({ db }, [key = '']) => new ReplySet([...(db.read(key, 'set') ?? [])]) },
  SISMEMBER: { arity: 3, run: ({ db }, [key = '', member = '']) => (db.read(key, 'set')?.has(member) ? 1 : 0) },
  SCARD: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'set')?.size ?? 0 },
};

function ranked(members: ReadonlyMap<string, number>): [string, number][] {
  return [...members].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

const zsetCommands: CommandTable = {
  ZADD: {
    arity: -4,
    writes: true,
    run({ db }, [key = '', ...rest]) {
      const scored = pairs(rest, 'zadd').map(([score, member]) => [member, float(score)] as const);
      const members = db.open(key, 'zset');
      const before = members.size;
      for (const [member, score] of scored) members.set(member, score);
      return members.size - before;
    },
  },
  ZINCRBY: {
    arity: 4,
    writes: true,
    run({ db }, [key = '', step = '', member = '']) {
      const score = (db.read(key, 'zset')?.get(member) ?? 0) + float(step);
      db.open(key, 'zset').set(member, score);
      return new Double(score);
    },
  },
  ZREM: {
    arity: -3,
    writes: true,
    run({ db }, [key = '', ...names]) {
      const members = db.read(key, 'zset');
      const removed = names.filter((name) => members?.delete(name)).length;
      db.deleteIfEmpty(key);
      return removed;
    },
  },
  ZSCORE: {
    arity: 3,
    run({ db }, [key = '', member = '']) {
      const score = db.read(key, 'zset')?.get(member);
      return score === undefined ? null : new Double(score);
    },
  },
  ZCARD: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'zset')?.size ?? 0 },
  ZRANGE: {
    arity: -4,
    run({ db }, [key = '', start = '', stop = '', ...options]) {
      const words = options.map((option) => option.toUpperCase());
      if (words.some((word) => word !== 'REV' && word !== 'WITHSCORES')) throw new RedisError(SYNTAX);
      const all = ranked(db.read(key, 'zset') ?? new Map());
      if (words.includes('REV')) all.reverse();
      const found = all.slice(...slice(start, stop, all.length));
      return words.includes('WITHSCORES') ? new ScoredMembers(found) : found.map(([member]) => member);
    },
  },
};

export const collectionCommands: CommandTable = { ...hashCommands, ...listCommands, ...setCommands, ...zsetCommands };

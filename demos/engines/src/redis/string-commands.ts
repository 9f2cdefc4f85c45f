// Commands on strings, counters included.
import { type Command, type CommandTable, type Context, count, float, integer, SYNTAX, slice, sum } from './command.ts';
import { OK, RedisError, type Reply } from './resp.ts';

/** INCR and its kin: the argument's sign, and the step where there is no argument. */
const increment = (sign: 1n | -1n, fixed: boolean): Command => ({
  arity: fixed ? 2 : 3,
  writes: true,
  run({ db }, [key = '', step = '1']) {
    const value = sum(integer(db.read(key, 'string')?.text ?? '0'), sign * integer(step));
    db.open(key, 'string').text = String(value);
    return Number(value);
  },
});

const setEx = (unitMs: number): Command => ({
  arity: 4,
  writes: true,
  run: (context, [key = '', time = '', value = '']) => set(context, [key, value, unitMs === 1 ? 'PX' : 'EX', time]),
});

export const stringCommands: CommandTable = {
  GET: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'string')?.text ?? null },
  SET: { arity: -3, writes: true, run: set },
  SETEX: setEx(1000),
  PSETEX: setEx(1),
  SETNX: {
    arity: 3,
    writes: true,
    run: (context, [key = '', value = '']) => (set(context, [key, value, 'NX']) === null ? 0 : 1),
  },
  GETSET: { arity: 3, writes: true, run: (context, [key = '', value = '']) => set(context, [key, value, 'GET']) },
  GETDEL: {
    arity: 2,
    writes: true,
    run({ db }, [key = '']) {
      const text = db.read(key, 'string')?.text ?? null;
      db.delete(key);
      return text;
    },
  },
  MGET: {
    arity: -2,
    run: ({ db }, keys) =>
      keys.map((key) => {
        const entry = db.get(key);
        return entry?.type === 'string' ? entry.value.text : null;
      }),
  },
  MSET: {
    arity: -3,
    writes: true,
    run({ db }, pairs) {
      if (pairs.length % 2 !== 0) throw new RedisError("ERR wrong number of arguments for 'mset' command");
      for (let at = 0; at < pairs.length; at += 2) db.set(pairs[at] as string, pairs[at + 1] as string);
      return OK;
    },
  },
  APPEND: {
    arity: 3,
    writes: true,
    run({ db }, [key = '', text = '']) {
      const value = db.open(key, 'string');
      value.text += text;
      return value.text.length;
    },
  },
  STRLEN: { arity: 2, run: ({ db }, [key = '']) => db.read(key, 'string')?.text.length ?? 0 },
  GETRANGE: {
    arity: 4,
    run({ db }, [key = '', start = '', end = '']) {
      const text = db.read(key, 'string')?.text ?? '';
      return text.slice(...slice(start, end, text.length));
    },
  },
  INCR: increment(1n, true),
  DECR: increment(-1n, true),
  INCRBY: increment(1n, false),
  DECRBY: increment(-1n, false),
  INCRBYFLOAT: {
    arity: 3,
    writes: true,
    run({ db }, [key = '', step = '']) {
      // Two doubles' sum shows their binary dust; Redis counts in long doubles and shows 17 digits of them.
      const value = Number((float(db.read(key, 'string')?.text ?? '0') + float(step)).toPrecision(15));
      if (!Number.isFinite(value)) throw new RedisError('ERR increment would produce NaN or Infinity');
      db.open(key, 'string').text = String(value);
      return String(value);
    },
  },
};

function set(context: Context, [key = '', value = '', ...options]: readonly string[]): Reply {
  const { db, now } = context;
  let [nx, xx, get, keep] = [false, false, false, false];
  let expiresAt: number | undefined;
  for (let at = 0; at < options.length; at++) {
    const option = options[at]?.toUpperCase() ?? '';
    if (option === 'NX') nx = true;
    else if (option === 'XX') xx = true;
    else if (option === 'GET') get = true;
    else if (option === 'KEEPTTL') keep = true;
    else if (/^(EX|PX|EXAT|PXAT)$/.test(option) && expiresAt === undefined && at + 1 < options.length) {
      at += 1;
      const time = count(options[at] as string) * (option.startsWith('EX') ? 1000 : 1);
      if (time <= 0) throw new RedisError("ERR invalid expire time in 'set' command");
      expiresAt = time + (option.endsWith('AT') ? 0 : now());
    } else throw new RedisError(SYNTAX);
  }
  if ((nx && xx) || (keep && expiresAt !== undefined)) throw new RedisError(SYNTAX);
  const before = get ? (db.read(key, 'string')?.text ?? null) : null;
  const entry = db.get(key);
  if ((nx && entry !== undefined) || (xx && entry === undefined)) {
    context.journal(undefined);
    return before;
  }
  const end = keep ? entry?.expiresAt : expiresAt;
  db.set(key, value);
  db.expireAt(key, end);
  context.journal(end === undefined ? ['SET', key, value] : ['SET', key, value, 'PXAT', String(end)]);
  return get ? before : OK;
}

// One client: its database, its login, its transaction, its subscriptions.
import { timingSafeEqual } from 'node:crypto';
import { DATABASES, dataCommands, type Redis, type Subscriber } from './redis.ts';
import { encodeReply, OK, type ProtocolVersion, Push, RedisError, type Reply, ReplyMap, Status } from './resp.ts';

export const SERVER_VERSION = '7.0.15';

const MAX_QUEUED = 10_000;
const MAX_SUBSCRIPTIONS = 10_000;

export interface SessionLink {
  readonly id: number;
  readonly address: string;
  write(text: string): void;
  /** No more is written; the connection ends. */
  end(): void;
  /** The text of INFO. */
  info(): string;
}

interface Queued {
  readonly name: string;
  readonly args: readonly string[];
}

/** Allowed in version 2 while anything is subscribed to. */
const SUBSCRIBED = new Set(['SUBSCRIBE', 'UNSUBSCRIBE', 'PSUBSCRIBE', 'PUNSUBSCRIBE', 'PING', 'QUIT', 'RESET']);

/** Connection commands, with how many words each takes as in Redis' own table. */
const OWN: Readonly<Record<string, number>> = {
  PING: -1,
  ECHO: 2,
  HELLO: -1,
  AUTH: -2,
  SELECT: 2,
  CLIENT: -2,
  COMMAND: -1,
  CONFIG: -2,
  INFO: -1,
  TIME: 1,
  FLUSHALL: -1,
  MULTI: 1,
  EXEC: 1,
  DISCARD: 1,
  PUBLISH: 3,
  SUBSCRIBE: -2,
  UNSUBSCRIBE: -1,
  PSUBSCRIBE: -2,
  PUNSUBSCRIBE: -1,
  RESET: 1,
  QUIT: -1,
};

export class Session implements Subscriber {
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  readonly #redis: Redis;
  readonly #link: SessionLink;
  readonly #password: string | undefined;
  #version: ProtocolVersion = 2;
  #database = 0;
  #loggedIn: boolean;
  #name = '';
  #queue: Queued[] | undefined;
  #queueBroken = false;

  constructor(redis: Redis, link: SessionLink, password: string | undefined) {
    this.#redis = redis;
    this.#link = link;
    this.#password = password;
    this.#loggedIn = password === undefined;
  }

  /** Answers one command. Errors are answers too. */
  handle([word = '', ...args]: readonly string[]): void {
    const name = word.toUpperCase();
    let reply: Reply | undefined;
    try {
      reply = this.#command(name, word, args);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      reply = error;
    }
    if (reply !== undefined) this.#send(reply);
    if (name === 'QUIT') this.#link.end();
  }

  message(channel: string, text: string, pattern?: string): void {
    this.#send(new Push(pattern === undefined ? ['message', channel, text] : ['pmessage', pattern, channel, text]));
  }

  close(): void {
    this.#redis.subscribers.delete(this);
  }

  #send(reply: Reply): void {
    this.#link.write(encodeReply(reply, this.#version));
  }

  /** Undefined: it has answered already. */
  #command(name: string, word: string, args: readonly string[]): Reply | undefined {
    const data = Object.hasOwn(dataCommands, name) ? dataCommands[name] : undefined;
    const arity = data?.arity ?? (Object.hasOwn(OWN, name) ? OWN[name] : undefined);
    try {
      if (arity === undefined) throw unknown(word, args);
      checkArity(name, arity, args);
      if (!this.#loggedIn && !/^(AUTH|HELLO|QUIT|RESET)$/.test(name)) {
        throw new RedisError('NOAUTH Authentication required.');
      }
      const subscribed = this.channels.size + this.patterns.size > 0;
      if (subscribed && this.#version === 2 && !SUBSCRIBED.has(name)) {
        throw new RedisError(
          `ERR Can't execute '${word.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
        );
      }
    } catch (error) {
      this.#queueBroken ||= this.#queue !== undefined;
      throw error;
    }
    if (this.#queue !== undefined && !/^(EXEC|DISCARD|MULTI|QUIT|RESET)$/.test(name)) {
      if (this.#queue.length >= MAX_QUEUED)
        throw new RedisError(`ERR a transaction has ${MAX_QUEUED} commands at most`);
      this.#queue.push({ name, args });
      return new Status('QUEUED');
    }
    return this.#execute(name, args);
  }

  #execute(name: string, args: readonly string[]): Reply | undefined {
    const command = Object.hasOwn(dataCommands, name) ? dataCommands[name] : undefined;
    return command === undefined ? this.#own(name, args) : this.#redis.run(this.#database, name, command, args);
  }

  #own(name: string, args: readonly string[]): Reply | undefined {
    switch (name) {
      case 'PING':
        return this.#ping(args[0]);
      case 'ECHO':
        return args[0] ?? '';
      case 'QUIT':
        return OK;
      case 'RESET':
        return this.#reset();
      case 'HELLO':
        return this.#hello(args);
      case 'AUTH':
        return this.#auth(args.length > 1 ? args[0] : undefined, args.at(-1) ?? '');
      case 'SELECT':
        if (!/^\d+$/.test(args[0] ?? '')) throw new RedisError('ERR value is not an integer or out of range');
        if (Number(args[0]) >= DATABASES) throw new RedisError('ERR DB index is out of range');
        this.#database = Number(args[0]);
        return OK;
      case 'CLIENT':
        return this.#client(args);
      case 'CONFIG':
        return config(args);
      case 'COMMAND':
        return describeCommands(args);
      case 'INFO':
        return this.#link.info();
      case 'TIME':
        return [String(Math.floor(Date.now() / 1000)), String((Date.now() % 1000) * 1000)];
      case 'FLUSHALL':
        return this.#redis.flushAll();
      case 'PUBLISH':
        return this.#redis.publish(args[0] ?? '', args[1] ?? '');
      case 'MULTI':
        if (this.#queue !== undefined) throw new RedisError('ERR MULTI calls can not be nested');
        this.#queue = [];
        return OK;
      case 'EXEC':
      case 'DISCARD':
        return this.#finish(name);
      default:
        this.#subscribe(name, args);
        return undefined;
    }
  }

  #ping(text: string | undefined): Reply {
    const subscribed = this.channels.size + this.patterns.size > 0;
    if (subscribed && this.#version === 2) return ['pong', text ?? ''];
    return text ?? new Status('PONG');
  }

  #reset(): Reply {
    this.#queue = undefined;
    this.#queueBroken = false;
    this.#database = 0;
    this.#version = 2;
    this.#loggedIn = this.#password === undefined;
    this.channels.clear();
    this.patterns.clear();
    this.#redis.subscribers.delete(this);
    return new Status('RESET');
  }

  #hello(args: readonly string[]): Reply {
    const [version, ...options] = args;
    if (version !== undefined && version !== '2' && version !== '3') {
      throw new RedisError('NOPROTO unsupported protocol version');
    }
    for (let at = 0; at < options.length; at++) {
      const option = options[at]?.toUpperCase();
      if (option === 'AUTH' && at + 2 < options.length) {
        this.#auth(options[at + 1], options[at + 2] as string);
        at += 2;
      } else if (option === 'SETNAME' && at + 1 < options.length) {
        at += 1;
        this.#name = options[at] as string;
      } else {
        throw new RedisError(`ERR Syntax error in HELLO option '${options[at]}'`);
      }
    }
    if (!this.#loggedIn) {
      throw new RedisError(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
    }
    if (version !== undefined) this.#version = version === '3' ? 3 : 2;
    return new ReplyMap([
      ['server', 'redis'],
      ['version', SERVER_VERSION],
      ['proto', this.#version],
      ['id', this.#link.id],
      ['mode', 'standalone'],
      ['role', 'master'],
      ['modules', []],
    ]);
  }

  #auth(user: string | undefined, password: string): Reply {
    if (this.#password === undefined) {
      // With no password set the user `default` may log in with any.
      if (user === 'default') return OK;
      throw new RedisError(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
    }
    const [given, expected] = [Buffer.from(password, 'latin1'), Buffer.from(this.#password, 'utf8')];
    const right = given.length === expected.length && timingSafeEqual(given, expected);
    if (!right || (user !== undefined && user !== 'default')) {
      throw new RedisError('WRONGPASS invalid username-password pair or user is disabled.');
    }
    this.#loggedIn = true;
    return OK;
  }

  #client([sub = '', value = '']: readonly string[]): Reply {
    switch (sub.toUpperCase()) {
      case 'ID':
        return this.#link.id;
      case 'GETNAME':
        return this.#name === '' ? null : this.#name;
      case 'SETNAME':
        this.#name = value;
        return OK;
      case 'SETINFO':
      case 'NO-EVICT':
      case 'NO-TOUCH':
        return OK;
      case 'INFO':
        return `id=${this.#link.id} addr=${this.#link.address} name=${this.#name} db=${this.#database} resp=${this.#version}\n`;
      default:
        throw new RedisError(`ERR unknown subcommand '${sub}'. Try CLIENT HELP.`);
    }
  }

  #finish(name: 'EXEC' | 'DISCARD'): Reply {
    const [queue, broken] = [this.#queue, this.#queueBroken];
    this.#queue = undefined;
    this.#queueBroken = false;
    if (queue === undefined) throw new RedisError(`ERR ${name} without MULTI`);
    if (name === 'DISCARD') return OK;
    if (broken) throw new RedisError('EXECABORT Transaction discarded because of previous errors.');
    return queue.map(({ name: one, args }) => {
      try {
        return this.#execute(one, args) ?? OK;
      } catch (error) {
        if (error instanceof RedisError) return error;
        throw error;
      }
    });
  }

  /** One answer for each channel, with how many subscriptions there are then. */
  #subscribe(name: string, args: readonly string[]): void {
    const kind = name.toLowerCase();
    const set = name.startsWith('P') ? this.patterns : this.channels;
    const leaving = name.endsWith('UNSUBSCRIBE');
    const wanted = leaving && args.length === 0 ? [...set] : args;
    if (leaving && wanted.length === 0) this.#send(new Push([kind, null, this.channels.size + this.patterns.size]));
    for (const channel of wanted) {
      if (leaving) set.delete(channel);
      else if (set.size < MAX_SUBSCRIPTIONS) set.add(channel);
      else throw new RedisError(`ERR ${MAX_SUBSCRIPTIONS} subscriptions at most`);
      this.#send(new Push([kind, channel, this.channels.size + this.patterns.size]));
    }
    if (this.channels.size + this.patterns.size > 0) this.#redis.subscribers.add(this);
    else this.#redis.subscribers.delete(this);
  }
}

function unknown(word: string, args: readonly string[]): RedisError {
  const beginning = args
    .slice(0, 20)
    .map((arg) => `'${arg.slice(0, 128)}' `)
    .join('');
  return new RedisError(`ERR unknown command '${word.slice(0, 128)}', with args beginning with: ${beginning}`);
}

function checkArity(name: string, arity: number, args: readonly string[]): void {
  const words = args.length + 1;
  if (arity >= 0 ? words === arity : words >= -arity) return;
  throw new RedisError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
}

/** Clients look whether the server saves; nothing can be set. */
function config([sub = '', name = '']: readonly string[]): Reply {
  if (sub.toUpperCase() !== 'GET') throw new RedisError(`ERR unknown subcommand '${sub}'. Try CONFIG HELP.`);
  const known: Readonly<Record<string, string>> = { save: '', appendonly: 'yes', databases: String(DATABASES) };
  const value = known[name.toLowerCase()];
  return new ReplyMap(value === undefined ? [] : [[name, value]]);
}

function describeCommands([sub = '']: readonly string[]): Reply {
  const all = [
    ...Object.entries(dataCommands).map(([name, { arity }]) => [name, arity] as const),
    ...Object.entries(OWN),
  ];
  switch (sub.toUpperCase()) {
    case '':
      return all.map(([name, arity]) => [name.toLowerCase(), arity, [], 0, 0, 0]);
    case 'COUNT':
      return all.length;
    case 'DOCS':
      return new ReplyMap([]);
    default:
      throw new RedisError(`ERR unknown subcommand '${sub}'. Try COMMAND HELP.`);
  }
}

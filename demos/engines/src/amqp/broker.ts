// The broker's state and rules, without a socket: exchanges, queues, bindings, messages.
import { randomBytes } from 'node:crypto';
import { AmqpError } from './amqp-error.ts';
import { Exchange, type ExchangeOptions, isExchangeType } from './exchange.ts';
import { type Message, sizeOf } from './message.ts';
import { Queue, type QueueEntry, type QueueOptions } from './queue.ts';
import type { Store } from './store.ts';

/** Of all messages together; beyond it publishing is refused. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;
const MAX_QUEUES = 10_000;
const MAX_EXCHANGES = 1000;
const MAX_BINDINGS = 10_000;

/** Of both sorts: what a name is looked up for, and what a client says it should be. */
type Passive = { readonly passive: boolean };

export class Broker {
  readonly exchanges = new Map<string, Exchange>();
  readonly queues = new Map<string, Queue>();
  readonly #store: Store | undefined;
  #heldBytes = 0;
  published = 0;

  constructor(store: Store | undefined) {
    this.#store = store;
    const builtIn = (name: string, type: ExchangeOptions['type']): void => {
      this.exchanges.set(name, new Exchange(name, { type, durable: true, autoDelete: false, internal: false }));
    };
    builtIn('', 'direct');
    for (const type of ['direct', 'fanout', 'topic'] as const) builtIn(`amq.${type}`, type);
    for (const { name, options } of store?.exchanges() ?? []) this.exchanges.set(name, new Exchange(name, options));
    for (const { name, autoDelete } of store?.queues() ?? []) {
      this.queues.set(name, new Queue(name, { durable: true, exclusive: false, autoDelete }, undefined));
    }
    for (const { exchange, queue, key } of store?.bindings() ?? []) this.exchanges.get(exchange)?.bind(queue, key);
    for (const { id, queue, message } of store?.messages() ?? []) {
      this.#heldBytes += sizeOf(message);
      // Whether a consumer had it before the restart is not known.
      this.queues.get(queue)?.push(message, id, true);
    }
  }

  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) throw new AmqpError(404, `no exchange '${name}' in vhost '/'`);
    return exchange;
  }

  /** `owner` is the connection that asks: another's exclusive queue is locked for it. */
  queue(name: string, owner: object): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new AmqpError(404, `no queue '${name}' in vhost '/'`);
    if (queue.options.exclusive && queue.owner !== owner) {
      throw new AmqpError(
        405,
        `cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
      );
    }
    return queue;
  }

  declareExchange(name: string, options: Omit<ExchangeOptions, 'type'> & Passive & { readonly type: string }): void {
    const { passive, type, ...rest } = options;
    if (passive) {
      this.exchange(name);
      return;
    }
    if (!isExchangeType(type)) throw new AmqpError(503, `unknown exchange type '${type}'`);
    const existing = this.exchanges.get(name);
    if (existing !== undefined) {
      same('exchange', name, existing.options, { type, ...rest });
      return;
    }
    if (name === '' || name.startsWith('amq.')) {
      throw new AmqpError(403, `exchange name '${name}' contains reserved prefix 'amq.*'`);
    }
    if (this.exchanges.size >= MAX_EXCHANGES) throw new AmqpError(506, `${MAX_EXCHANGES} exchanges at most`);
    this.exchanges.set(name, new Exchange(name, { type, ...rest }));
    if (rest.durable) this.#store?.addExchange(name, { type, ...rest });
  }

  /** One that does not exist is fine, as in RabbitMQ. */
  deleteExchange(name: string, ifUnused: boolean): void {
    const exchange = this.exchanges.get(name);
    if (name === '' || name.startsWith('amq.'))
      throw new AmqpError(403, `deletion of system exchange '${name}' not allowed`);
    if (exchange === undefined) return;
    if (ifUnused && exchange.bindings.length > 0) throw new AmqpError(406, `exchange '${name}' in vhost '/' in use`);
    this.exchanges.delete(name);
    if (exchange.options.durable) this.#store?.removeExchange(name);
  }

  declareQueue(name: string, options: QueueOptions & Passive, owner: object): Queue {
    const { passive, ...rest } = options;
    if (passive) return this.queue(name, owner);
    const existing = name === '' ? undefined : this.queues.get(name);
    if (existing !== undefined) {
      const queue = this.queue(name, owner);
      same('queue', name, queue.options, rest);
      return queue;
    }
    if (name.startsWith('amq.')) throw new AmqpError(403, `queue name '${name}' contains reserved prefix 'amq.*'`);
    if (this.queues.size >= MAX_QUEUES) throw new AmqpError(506, `${MAX_QUEUES} queues at most`);
    const given = name === '' ? `amq.gen-${randomBytes(16).toString('base64url')}` : name;
    const queue = new Queue(given, rest, rest.exclusive ? owner : undefined);
    this.queues.set(given, queue);
    if (this.#outlives(queue)) this.#store?.addQueue(given, rest.autoDelete);
    return queue;
  }

  /** Answers how many messages went with it. */
  deleteQueue(queue: Queue, conditions: { ifUnused?: boolean; ifEmpty?: boolean } = {}): number {
    const { name } = queue;
    if (conditions.ifUnused && queue.consumers.length > 0)
      throw new AmqpError(406, `queue '${name}' in vhost '/' in use`);
    if (conditions.ifEmpty && queue.length > 0) throw new AmqpError(406, `queue '${name}' in vhost '/' not empty`);
    this.queues.delete(name);
    const dropped = queue.drain();
    for (const { message } of dropped) this.#heldBytes -= sizeOf(message);
    if (this.#outlives(queue)) this.#store?.removeQueue(name);
    for (const exchange of this.exchanges.values()) this.#unbind(exchange, name);
    for (const consumer of queue.consumers.splice(0)) consumer.cancelled();
    return dropped.length;
  }

  purge(queue: Queue): number {
    const dropped = queue.drain();
    for (const entry of dropped) this.#forget(entry);
    return dropped.length;
  }

  bind(queue: Queue, exchangeName: string, key: string): void {
    const exchange = this.#bindable(exchangeName);
    if (exchange.bindings.length >= MAX_BINDINGS) throw new AmqpError(506, `${MAX_BINDINGS} bindings at most`);
    const lasting = exchange.options.durable && this.#outlives(queue);
    if (exchange.bind(queue.name, key) && lasting) this.#store?.addBinding(exchange.name, queue.name, key);
  }

  unbind(queue: Queue, exchangeName: string, key: string): void {
    this.#unbind(this.#bindable(exchangeName), queue.name, key);
  }

  /** Answers into how many queues it went. */
  publish(message: Message): number {
    const exchange = this.exchange(message.exchange);
    if (exchange.options.internal) {
      throw new AmqpError(403, `cannot publish to internal exchange '${exchange.name}' in vhost '/'`);
    }
    // The default exchange is bound to every queue by its name.
    const names = exchange.name === '' ? [message.key] : exchange.route(message.key);
    const targets = [...names].flatMap((name) => this.queues.get(name) ?? []);
    if (this.#heldBytes + sizeOf(message) * targets.length > MAX_HELD_BYTES) {
      throw new AmqpError(506, `the broker holds ${MAX_HELD_BYTES} bytes of messages and takes no more; consume some`);
    }
    this.published += 1;
    for (const queue of targets) {
      this.#heldBytes += sizeOf(message);
      const lasting = message.persistent && this.#outlives(queue);
      queue.push(message, lasting ? this.#store?.addMessage(queue.name, message) : undefined);
      queue.pump();
    }
    return targets.length;
  }

  /** It was taken, or refused for good. */
  settle(queue: Queue, entry: QueueEntry): void {
    queue.unacked -= 1;
    this.#forget(entry);
  }

  requeue(queue: Queue, entry: QueueEntry): void {
    queue.unacked -= 1;
    // With the queue gone, the message is too.
    if (this.queues.get(queue.name) === queue) queue.putBack(entry);
    else this.#forget(entry);
  }

  /** A consumer has left: an auto-delete queue goes with its last one. */
  consumerGone(queue: Queue): void {
    if (queue.options.autoDelete && queue.consumers.length === 0) this.deleteQueue(queue);
  }

  /** A connection has ended: its exclusive queues go. */
  ownerGone(owner: object): void {
    for (const queue of [...this.queues.values()]) if (queue.owner === owner) this.deleteQueue(queue);
  }

  close(): void {
    this.#store?.close();
  }

  #outlives({ options: { durable, exclusive } }: Queue): boolean {
    return durable && !exclusive;
  }

  #forget({ message, stored }: QueueEntry): void {
    this.#heldBytes -= sizeOf(message);
    if (stored !== undefined) this.#store?.removeMessage(stored);
  }

  #bindable(name: string): Exchange {
    if (name === '') throw new AmqpError(403, 'operation not permitted on the default exchange');
    return this.exchange(name);
  }

  #unbind(exchange: Exchange, queue: string, key?: string): void {
    if (!exchange.unbind(queue, key)) return;
    if (key !== undefined) this.#store?.removeBinding(exchange.name, queue, key);
    if (exchange.options.autoDelete && exchange.bindings.length === 0) this.deleteExchange(exchange.name, false);
  }
}

const ARGUMENTS: Readonly<Record<string, string>> = { autoDelete: 'auto_delete' };

/** Declaring again is only allowed with the same words. */
function same<T extends object>(what: string, name: string, current: T, received: T): void {
  for (const [key, value] of Object.entries(current)) {
    const asked = (received as Readonly<Record<string, unknown>>)[key];
    if (asked === value) continue;
    throw new AmqpError(
      406,
      `inequivalent arg '${ARGUMENTS[key] ?? key}' for ${what} '${name}' in vhost '/': received '${asked}' but current is '${value}'`,
    );
  }
}

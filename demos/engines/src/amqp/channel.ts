// One channel: its methods, its consumers, what it has not acknowledged yet.
import { randomBytes } from 'node:crypto';
import { AmqpError } from './amqp-error.ts';
import type { Broker } from './broker.ts';
import { tableEntries } from './bytes.ts';
import type { ContentHeader } from './frames.ts';
import type { Message } from './message.ts';
import type { Fields, Method, MethodName } from './methods.ts';
import type { Consumer, Queue, QueueEntry } from './queue.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_CONSUMERS = 1000;

/** What a channel needs of its connection. */
export interface ChannelLink {
  /** Stands for the connection where exclusive queues ask whose they are. */
  readonly owner: object;
  send(name: MethodName, fields?: Fields): void;
  sendContent(name: MethodName, fields: Fields, message: Message): void;
  /** False: the client does not read as fast as it is sent to. */
  writable(): boolean;
}

interface Delivery {
  readonly queue: Queue;
  readonly entry: QueueEntry;
  readonly consumer: ChannelConsumer | undefined;
}

interface ChannelConsumer extends Consumer {
  readonly queue: Queue;
  readonly prefetch: number;
  unacked: number;
}

interface Publishing {
  readonly fields: Fields;
  header?: ContentHeader;
  readonly chunks: Buffer[];
  bytes: number;
}

export class Channel {
  readonly #broker: Broker;
  readonly #link: ChannelLink;
  readonly #consumers = new Map<string, ChannelConsumer>();
  /** By delivery tag, in order. */
  readonly #unacked = new Map<bigint, Delivery>();
  #deliveryTag = 0n;
  /** Of each consumer that starts from now on, and of the channel as a whole; 0: no limit. */
  #prefetch = 0;
  #globalPrefetch = 0;
  #confirming = false;
  #publishTag = 0n;
  #publishing: Publishing | undefined;
  /** The queue last declared, which an empty name means (AMQP 0-9-1 specification, queue.bind). */
  #lastQueue = '';

  constructor(broker: Broker, link: ChannelLink) {
    this.#broker = broker;
    this.#link = link;
  }

  handle({ name, fields, classId, methodId }: Method): void {
    if (this.#publishing !== undefined) throw new AmqpError(505, 'expected content, got a method');
    switch (name) {
      case 'channel.flow':
        if (fields['active'] !== true) throw new AmqpError(540, 'active=false');
        this.#link.send('channel.flow-ok', { active: true });
        return;
      case 'exchange.declare':
      case 'exchange.delete':
        this.#exchangeMethod(name, fields);
        return;
      case 'queue.declare':
      case 'queue.bind':
      case 'queue.unbind':
      case 'queue.purge':
      case 'queue.delete':
        this.#queueMethod(name, fields);
        return;
      case 'basic.qos':
        if (fields['size'] !== 0) throw new AmqpError(540, 'prefetch_size!=0');
        if (fields['global'] === true) this.#globalPrefetch = Number(fields['count']);
        else this.#prefetch = Number(fields['count']);
        this.#link.send('basic.qos-ok');
        this.pump();
        return;
      case 'basic.consume':
        this.#consume(fields);
        return;
      case 'basic.cancel':
        this.#cancel(String(fields['tag']), fields['nowait'] === true);
        return;
      case 'basic.publish':
        if (fields['immediate'] === true) throw new AmqpError(540, 'immediate=true');
        this.#broker.exchange(String(fields['exchange']));
        this.#publishing = { fields, chunks: [], bytes: 0 };
        return;
      case 'basic.get':
        this.#get(fields);
        return;
      case 'basic.ack':
        this.#settle(fields, false);
        return;
      case 'basic.nack':
      case 'basic.reject':
        this.#settle(fields, fields['requeue'] === true);
        return;
      case 'basic.recover':
        if (fields['requeue'] !== true) throw new AmqpError(540, 'requeue=false');
        this.#requeueAll();
        this.#link.send('basic.recover-ok');
        return;
      case 'confirm.select':
        this.#confirming = true;
        this.#answer('confirm.select-ok', fields);
        return;
      default:
        throw new AmqpError(540, `method ${name ?? `${classId}.${methodId}`} is not there in this embedded broker`);
    }
  }

  header(header: ContentHeader): void {
    const publishing = this.#publishing;
    if (publishing === undefined || publishing.header !== undefined)
      throw new AmqpError(505, 'unexpected content header');
    if (header.bodyBytes > MAX_BODY_BYTES) {
      throw new AmqpError(406, `message size ${header.bodyBytes} is larger than max size ${MAX_BODY_BYTES}`);
    }
    publishing.header = header;
    if (header.bodyBytes === 0) this.#publish(publishing, header);
  }

  body(chunk: Buffer): void {
    const publishing = this.#publishing;
    const header = publishing?.header;
    if (publishing === undefined || header === undefined) throw new AmqpError(505, 'unexpected content body');
    publishing.bytes += chunk.length;
    if (publishing.bytes > header.bodyBytes) throw new AmqpError(501, 'more content than the header said');
    publishing.chunks.push(chunk);
    if (publishing.bytes === header.bodyBytes) this.#publish(publishing, header);
  }

  /** Gives out what waits for this channel's consumers. */
  pump(): void {
    for (const { queue } of this.#consumers.values()) queue.pump();
  }

  /** Everything not acknowledged goes back. */
  close(): void {
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    for (const consumer of consumers) this.#leave(consumer);
    this.#requeueAll();
    for (const { queue } of consumers) this.#broker.consumerGone(queue);
  }

  #answer(name: MethodName, asked: Fields, fields: Fields = {}): void {
    if (asked['nowait'] !== true) this.#link.send(name, fields);
  }

  #queue(name: unknown): Queue {
    return this.#broker.queue(String(name) || this.#lastQueue, this.#link.owner);
  }

  #exchangeMethod(name: 'exchange.declare' | 'exchange.delete', fields: Fields): void {
    const exchange = String(fields['exchange']);
    if (name === 'exchange.delete') {
      this.#broker.deleteExchange(exchange, fields['ifUnused'] === true);
      this.#answer('exchange.delete-ok', fields);
      return;
    }
    refuseArguments(fields['arguments'], 'exchange');
    this.#broker.declareExchange(exchange, {
      type: String(fields['type']),
      passive: fields['passive'] === true,
      durable: fields['durable'] === true,
      autoDelete: fields['autoDelete'] === true,
      internal: fields['internal'] === true,
    });
    this.#answer('exchange.declare-ok', fields);
  }

  #queueMethod(name: `queue.${'declare' | 'bind' | 'unbind' | 'purge' | 'delete'}`, fields: Fields): void {
    if (name === 'queue.declare') {
      if (fields['passive'] !== true) refuseArguments(fields['arguments'], 'queue');
      const options = {
        passive: fields['passive'] === true,
        durable: fields['durable'] === true,
        exclusive: fields['exclusive'] === true,
        autoDelete: fields['autoDelete'] === true,
      };
      const queue = this.#broker.declareQueue(String(fields['queue']), options, this.#link.owner);
      this.#lastQueue = queue.name;
      const { length: messages, consumers } = queue;
      this.#answer('queue.declare-ok', fields, { queue: queue.name, messages, consumers: consumers.length });
      return;
    }
    const existing =
      name === 'queue.delete' ? this.#broker.queues.has(String(fields['queue']) || this.#lastQueue) : true;
    // Deleting what is not there is fine, as in RabbitMQ.
    if (!existing) {
      this.#answer('queue.delete-ok', fields, { messages: 0 });
      return;
    }
    const queue = this.#queue(fields['queue']);
    const [exchange, key] = [String(fields['exchange']), String(fields['key'])];
    switch (name) {
      case 'queue.bind':
        this.#broker.bind(queue, exchange, key);
        this.#answer('queue.bind-ok', fields);
        return;
      case 'queue.unbind':
        this.#broker.unbind(queue, exchange, key);
        this.#answer('queue.unbind-ok', fields);
        return;
      case 'queue.purge':
        this.#answer('queue.purge-ok', fields, { messages: this.#broker.purge(queue) });
        return;
      case 'queue.delete': {
        const conditions = { ifUnused: fields['ifUnused'] === true, ifEmpty: fields['ifEmpty'] === true };
        this.#answer('queue.delete-ok', fields, { messages: this.#broker.deleteQueue(queue, conditions) });
        return;
      }
    }
  }

  #consume(fields: Fields): void {
    const queue = this.#queue(fields['queue']);
    const tag = String(fields['tag']) || `amq.ctag-${randomBytes(16).toString('base64url')}`;
    const exclusive = fields['exclusive'] === true;
    if (this.#consumers.has(tag)) throw new AmqpError(530, `attempt to reuse consumer tag '${tag}'`);
    if (this.#consumers.size >= MAX_CONSUMERS) throw new AmqpError(506, `${MAX_CONSUMERS} consumers at most`);
    if (queue.consumers.some((other) => other.exclusive || exclusive)) {
      throw new AmqpError(403, `queue '${queue.name}' in vhost '/' in exclusive use`);
    }
    const noAck = fields['noAck'] === true;
    const consumer: ChannelConsumer = {
      tag,
      exclusive,
      queue,
      prefetch: this.#prefetch,
      unacked: 0,
      ready: () =>
        this.#link.writable() &&
        (noAck ||
          ((consumer.prefetch === 0 || consumer.unacked < consumer.prefetch) &&
            (this.#globalPrefetch === 0 || this.#unacked.size < this.#globalPrefetch))),
      deliver: (from, entry) => {
        const { exchange, key } = entry.message;
        const { redelivered } = entry;
        const deliveryTag = this.#handOut(from, entry, noAck ? undefined : consumer);
        this.#link.sendContent('basic.deliver', { tag, deliveryTag, redelivered, exchange, key }, entry.message);
      },
      cancelled: () => {
        this.#consumers.delete(tag);
        this.#link.send('basic.cancel', { tag, nowait: true });
      },
    };
    this.#consumers.set(tag, consumer);
    queue.consumers.push(consumer);
    this.#answer('basic.consume-ok', fields, { tag });
    queue.pump();
  }

  #cancel(tag: string, nowait: boolean): void {
    const consumer = this.#consumers.get(tag);
    this.#consumers.delete(tag);
    if (!nowait) this.#link.send('basic.cancel-ok', { tag });
    if (consumer === undefined) return;
    this.#leave(consumer);
    this.#broker.consumerGone(consumer.queue);
  }

  #leave(consumer: ChannelConsumer): void {
    const { consumers } = consumer.queue;
    const at = consumers.indexOf(consumer);
    if (at >= 0) consumers.splice(at, 1);
  }

  /** Answers the delivery tag. Without a consumer to acknowledge it (no-ack), it is settled at once. */
  #handOut(
    queue: Queue,
    entry: QueueEntry,
    consumer: ChannelConsumer | undefined,
    awaited = consumer !== undefined,
  ): bigint {
    this.#deliveryTag += 1n;
    queue.unacked += 1;
    if (awaited) {
      this.#unacked.set(this.#deliveryTag, { queue, entry, consumer });
      if (consumer !== undefined) consumer.unacked += 1;
    } else {
      this.#broker.settle(queue, entry);
    }
    return this.#deliveryTag;
  }

  #get(fields: Fields): void {
    const queue = this.#queue(fields['queue']);
    const entry = queue.shift();
    if (entry === undefined) {
      this.#link.send('basic.get-empty');
      return;
    }
    const { redelivered, message } = entry;
    const deliveryTag = this.#handOut(queue, entry, undefined, fields['noAck'] !== true);
    const { exchange, key } = message;
    this.#link.sendContent(
      'basic.get-ok',
      { deliveryTag, redelivered, exchange, key, messages: queue.length },
      message,
    );
  }

  #settle(fields: Fields, requeue: boolean): void {
    const upTo = fields['deliveryTag'] as bigint;
    const tags =
      fields['multiple'] === true ? [...this.#unacked.keys()].filter((tag) => upTo === 0n || tag <= upTo) : [upTo];
    if (!(fields['multiple'] === true && upTo === 0n) && !tags.some((tag) => this.#unacked.has(tag))) {
      throw new AmqpError(406, `unknown delivery tag ${upTo}`);
    }
    const touched = new Set<Queue>();
    for (const tag of tags) touched.add(this.#finish(tag, requeue));
    for (const queue of touched) queue.pump();
    this.pump();
  }

  #finish(tag: bigint, requeue: boolean): Queue {
    const { queue, entry, consumer } = this.#unacked.get(tag) as Delivery;
    this.#unacked.delete(tag);
    if (consumer !== undefined) consumer.unacked -= 1;
    if (requeue) this.#broker.requeue(queue, entry);
    else this.#broker.settle(queue, entry);
    return queue;
  }

  #requeueAll(): void {
    const touched = new Set([...this.#unacked.keys()].map((tag) => this.#finish(tag, true)));
    for (const queue of touched) queue.pump();
  }

  #publish({ fields, chunks }: Publishing, { properties, persistent }: ContentHeader): void {
    this.#publishing = undefined;
    const [exchange, key] = [String(fields['exchange']), String(fields['key'])];
    const message = { exchange, key, properties, persistent, body: Buffer.concat(chunks) };
    const reached = this.#broker.publish(message);
    if (reached === 0 && fields['mandatory'] === true) {
      this.#link.sendContent('basic.return', { code: 312, text: 'NO_ROUTE', exchange, key }, message);
    }
    if (!this.#confirming) return;
    this.#publishTag += 1n;
    this.#link.send('basic.ack', { deliveryTag: this.#publishTag });
  }
}

/** An argument that is not carried out must not look as if it were. */
function refuseArguments(table: unknown, what: string): void {
  if (!Buffer.isBuffer(table)) return;
  for (const { name, text } of tableEntries(table)) {
    if (name === 'x-queue-type' && text === 'classic') continue;
    if (/^x-|^alternate-exchange$/.test(name)) {
      throw new AmqpError(
        540,
        `${what} argument '${name}' is not there in this embedded broker; install rabbitmq-server`,
      );
    }
  }
}

// What the demos rely on of an AMQP broker, as amqplib sees it: the embedded one and RabbitMQ alike.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Channel, type ChannelModel, type ConsumeMessage, connect, type Options } from 'amqplib';
import type { RunningEngine } from './support/real-engine.ts';

/** Messages as they arrive, to be awaited one at a time. */
export class Inbox {
  readonly #arrived: (ConsumeMessage | null)[] = [];
  readonly #awaited: ((message: ConsumeMessage | null) => void)[] = [];
  tag = '';

  readonly take = (message: ConsumeMessage | null): void => {
    const awaited = this.#awaited.shift();
    if (awaited === undefined) this.#arrived.push(message);
    else awaited(message);
  };

  next(): Promise<ConsumeMessage> {
    const arrived = this.#arrived.shift();
    const one =
      arrived !== undefined
        ? Promise.resolve(arrived)
        : new Promise<ConsumeMessage | null>((r) => this.#awaited.push(r));
    return one.then((message) => message ?? assert.fail('the consumer was cancelled'));
  }

  cancelled(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (message: ConsumeMessage | null) => (message === null ? resolve() : reject(new Error('a message')));
      const arrived = this.#arrived.shift();
      if (arrived === undefined) this.#awaited.push(look);
      else look(arrived);
    });
  }

  get waiting(): number {
    return this.#arrived.length;
  }
}

export async function inbox(channel: Channel, queue: string, options: Options.Consume = {}): Promise<Inbox> {
  const box = new Inbox();
  box.tag = (await channel.consume(queue, box.take, options)).consumerTag;
  return box;
}

const text = (message: { content: Buffer } | false): string =>
  message === false ? 'none' : message.content.toString();

export function amqpContract(name: string, skip: string | false, start: () => Promise<RunningEngine>): void {
  describe(`AMQP: ${name}`, { skip }, () => {
    let engine: RunningEngine;
    let connection: ChannelModel;
    const url = () => `amqp://guest:guest@127.0.0.1:${engine.port}`;
    before(async () => {
      engine = await start();
      connection = await connect(url());
    });
    after(async () => {
      await connection?.close();
      await engine?.stop();
    });
    /** A channel whose end by the broker resolves `ended` to its reason. */
    const channelWithEnd = async (): Promise<{ channel: Channel; ended: Promise<Error> }> => {
      const channel = await connection.createChannel();
      return { channel, ended: new Promise((resolve) => channel.once('error', resolve)) };
    };

    it('carries a message with its properties through the default exchange', async () => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('plain');
      const properties = {
        contentType: 'application/json',
        headers: { MessageType: 'CustomerRegistered', n: 7, nested: { list: ['a', true, null] } },
        correlationId: 'c-1',
        replyTo: 'r',
        messageId: 'm-1',
        timestamp: 1_700_000_000,
        type: 't',
        appId: 'a',
        priority: 3,
        expiration: '60000',
        deliveryMode: 2,
      };
      channel.sendToQueue(queue, Buffer.from('{"a":1}'), properties);
      const box = await inbox(channel, queue);
      const message = await box.next();
      assert.equal(text(message), '{"a":1}');
      for (const [key, value] of Object.entries(properties)) {
        assert.deepEqual(message.properties[key as keyof typeof message.properties], value, key);
      }
      const { exchange, routingKey, redelivered } = message.fields;
      assert.deepEqual(
        { exchange, routingKey, redelivered },
        { exchange: '', routingKey: 'plain', redelivered: false },
      );
      channel.ack(message);
      await channel.close();
    });

    it('routes by fanout, direct and topic, and to each queue once', async () => {
      const channel = await connection.createChannel();
      for (const type of ['fanout', 'direct', 'topic'] as const) await channel.assertExchange(`x-${type}`, type);
      const queueFor = async (type: string, ...keys: string[]): Promise<string> => {
        const { queue } = await channel.assertQueue('', { exclusive: true });
        for (const key of keys) await channel.bindQueue(queue, `x-${type}`, key);
        return queue;
      };
      const got = async (queue: string): Promise<string[]> => {
        const all: string[] = [];
        for (
          let one = await channel.get(queue, { noAck: true });
          one !== false;
          one = await channel.get(queue, { noAck: true })
        ) {
          all.push(text(one));
        }
        return all;
      };
      const [f1, f2] = [await queueFor('fanout', ''), await queueFor('fanout', 'ignored')];
      const [d1, d2] = [await queueFor('direct', 'a', 'b'), await queueFor('direct', 'b')];
      const t1 = await queueFor('topic', 'stock.*', 'stock.#');
      const t2 = await queueFor('topic', '#.sold');
      const t3 = await queueFor('topic', '*.*.sold');
      channel.publish('x-fanout', 'any', Buffer.from('f'));
      for (const key of ['a', 'b', 'c']) channel.publish('x-direct', key, Buffer.from(key));
      for (const key of ['stock', 'stock.sock', 'stock.sock.sold', 'sold', 'x.y.z.sold']) {
        channel.publish('x-topic', key, Buffer.from(key));
      }
      assert.deepEqual(await Promise.all([got(f1), got(f2)]), [['f'], ['f']]);
      assert.deepEqual(await Promise.all([got(d1), got(d2)]), [['a', 'b'], ['b']]);
      assert.deepEqual(await got(t1), ['stock', 'stock.sock', 'stock.sock.sold']);
      assert.deepEqual(await got(t2), ['stock.sock.sold', 'sold', 'x.y.z.sold']);
      assert.deepEqual(await got(t3), ['stock.sock.sold']);
      await channel.unbindQueue(d1, 'x-direct', 'a');
      channel.publish('x-direct', 'a', Buffer.from('late'));
      assert.deepEqual(await got(d1), []);
      for (const type of ['fanout', 'direct', 'topic']) await channel.deleteExchange(`x-${type}`);
      await channel.close();
    });

    it('shares messages among consumers, no more than the prefetch at a time for each', async () => {
      const channel = await connection.createConfirmChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.prefetch(2);
      const box = new Inbox();
      for (const consumerTag of ['one', 'two']) await channel.consume(queue, box.take, { consumerTag });
      for (let n = 0; n < 6; n++) channel.sendToQueue(queue, Buffer.from(String(n)));
      await channel.waitForConfirms();
      const first = [await box.next(), await box.next(), await box.next(), await box.next()];
      assert.deepEqual(first.map(text).sort(), ['0', '1', '2', '3']);
      assert.deepEqual(first.map(({ fields }) => fields.consumerTag).sort(), ['one', 'one', 'two', 'two']);
      assert.equal((await channel.checkQueue(queue)).messageCount, 2);
      assert.equal(box.waiting, 0);
      channel.ack(first[3] as ConsumeMessage, true);
      assert.deepEqual([text(await box.next()), text(await box.next())].sort(), ['4', '5']);
      await channel.close();
    });

    it('gives back what was refused, in its old place and marked, or drops it', async () => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      for (const word of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(word));
      const [a, b] = [await channel.get(queue), await channel.get(queue)];
      assert.ok(a !== false && b !== false);
      channel.nack(b, false, true);
      channel.nack(a, false, true);
      const again = await channel.get(queue);
      assert.ok(again !== false);
      assert.deepEqual([text(again), again.fields.redelivered, again.fields.messageCount], ['a', true, 2]);
      channel.reject(again, false);
      assert.deepEqual([text(await channel.get(queue)), text(await channel.get(queue))], ['b', 'c']);
      assert.equal(await channel.get(queue), false);
      await channel.close();
    });

    it('gives back what a channel or a connection leaves behind unacknowledged', async () => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('left-behind', { durable: false });
      channel.sendToQueue(queue, Buffer.from('m'));
      assert.equal(text(await channel.get(queue)), 'm');
      await channel.close();
      const other = await connect(url());
      const taken = await inbox(await other.createChannel(), queue);
      assert.deepEqual([text(await taken.next()), taken.waiting], ['m', 0]);
      await other.close();
      const last = await connection.createChannel();
      const message = await (await inbox(last, queue)).next();
      assert.deepEqual([text(message), message.fields.redelivered], ['m', true]);
      await last.deleteQueue(queue);
      await last.close();
    });

    it('confirms what it has taken, and returns what goes nowhere', async () => {
      const channel = await connection.createConfirmChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      for (let n = 0; n < 100; n++) channel.sendToQueue(queue, Buffer.from(String(n)));
      await channel.waitForConfirms();
      assert.equal((await channel.checkQueue(queue)).messageCount, 100);
      const returned = new Promise<ConsumeMessage>((resolve) => channel.once('return', resolve));
      channel.publish('', 'nowhere', Buffer.from('lost'), { mandatory: true, messageId: 'x' });
      const back = await returned;
      assert.equal(text(back), 'lost');
      const fields = back.fields as unknown as { replyCode: number; replyText: string; routingKey: string };
      assert.deepEqual([fields.replyCode, fields.replyText, fields.routingKey], [312, 'NO_ROUTE', 'nowhere']);
      await channel.waitForConfirms();
      await channel.close();
    });

    it('carries bodies of many frames, and of none', async () => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      const large = Buffer.alloc(1_000_000, 'large body ');
      for (const body of [large, Buffer.alloc(0)]) channel.sendToQueue(queue, body);
      const box = await inbox(channel, queue, { noAck: true });
      assert.ok((await box.next()).content.equals(large));
      assert.equal((await box.next()).content.length, 0);
      await channel.close();
    });

    it('counts, purges and deletes queues; a deleted one cancels its consumers', async () => {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue('counted', { durable: false });
      for (let n = 0; n < 3; n++) channel.sendToQueue('counted', Buffer.from('m'));
      await channel.waitForConfirms();
      assert.deepEqual(await channel.checkQueue('counted'), { queue: 'counted', messageCount: 3, consumerCount: 0 });
      assert.deepEqual(await channel.purgeQueue('counted'), { messageCount: 3 });
      const box = await inbox(channel, 'counted');
      assert.equal((await channel.checkQueue('counted')).consumerCount, 1);
      assert.deepEqual(await channel.deleteQueue('counted'), { messageCount: 0 });
      await box.cancelled();
      assert.deepEqual(await channel.deleteQueue('never was'), { messageCount: 0 });
      await channel.close();
    });

    it('drops an exclusive queue with its connection, an auto-delete one with its last consumer', async () => {
      const other = await connect(url());
      const channel = await other.createChannel();
      await channel.assertQueue('mine', { exclusive: true });
      await channel.assertQueue('brief', { autoDelete: true, durable: false });
      const box = await inbox(channel, 'brief');
      const locked = await channelWithEnd();
      await assert.rejects(locked.channel.checkQueue('mine'), /RESOURCE_LOCKED - cannot obtain exclusive access/);
      await channel.cancel(box.tag);
      const gone = await channelWithEnd();
      await assert.rejects(gone.channel.checkQueue('brief'), /NOT_FOUND - no queue 'brief' in vhost '\/'/);
      await other.close();
      const after = await channelWithEnd();
      await assert.rejects(after.channel.checkQueue('mine'), /NOT_FOUND/);
    });

    it('ends the channel, and only that, on what is wrong', async () => {
      const cases: readonly (readonly [(channel: Channel) => unknown, number, RegExp])[] = [
        [(channel) => channel.checkQueue('none'), 404, /NOT_FOUND - no queue 'none' in vhost '\/'/],
        [(channel) => channel.checkExchange('none'), 404, /NOT_FOUND - no exchange 'none' in vhost '\/'/],
        [(channel) => channel.publish('none', '', Buffer.from('x')), 404, /NOT_FOUND - no exchange 'none'/],
        [(channel) => channel.assertExchange('amq.mine', 'direct'), 403, /ACCESS_REFUSED - exchange name 'amq.mine'/],
        [(channel) => channel.assertExchange('amq.topic', 'fanout'), 406, /inequivalent arg 'type'/],
        [
          (channel) => channel.assertQueue('plain', { durable: false }),
          406,
          /inequivalent arg 'durable' for queue 'plain'/,
        ],
        [
          (channel) => channel.ack({ fields: { deliveryTag: 99 } } as ConsumeMessage),
          406,
          /PRECONDITION_FAILED - unknown delivery tag 99/,
        ],
      ];
      for (const [wrong, code, pattern] of cases) {
        const { channel, ended } = await channelWithEnd();
        Promise.resolve(wrong(channel)).catch(() => undefined);
        const error = (await ended) as Error & { code: number };
        assert.match(error.message, pattern);
        assert.equal(error.code, code);
      }
      const channel = await connection.createChannel();
      assert.equal((await channel.checkQueue('plain')).queue, 'plain');
      await channel.close();
    });

    it('refuses a wrong password, another vhost, and an exchange type it does not have', async () => {
      await assert.rejects(connect(`amqp://guest:wrong@127.0.0.1:${engine.port}`), /ACCESS[_-]REFUSED/);
      await assert.rejects(connect(`${url()}/other`), /got <ConnectionClose/);
      const other = await connect(url());
      const ended = new Promise<Error>((resolve) => other.once('error', resolve));
      const channel = await other.createChannel();
      channel.assertExchange('odd', 'x-none').catch(() => undefined);
      channel.on('error', () => undefined);
      assert.match((await ended).message, /COMMAND_INVALID - .*unknown exchange type 'x-none'/);
    });
  });
}

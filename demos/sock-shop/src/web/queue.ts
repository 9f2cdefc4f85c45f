// The queue between shipping and queue-master. The broker may be late or restart: both sides find it again.
import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { ConnectionLog } from './connection-log.ts';
import { endpoint } from './environment.ts';

/** The name by which both sides know it. */
export const SHIPPING_QUEUE = 'shipping-task';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
const CONNECT_TIMEOUT_MS = 2_000;

export class Broker {
  #channel: Channel | undefined;
  readonly #ready: (channel: Channel) => Promise<void>;

  /** `ready` runs on every new connection, once the queue is there. */
  constructor(ready: (channel: Channel) => Promise<void> = () => Promise.resolve()) {
    this.#ready = ready;
    void this.#stayConnected();
  }

  get isConnected(): boolean {
    return this.#channel !== undefined;
  }

  /** False when the broker is away: the message is lost, as the caller must say or ignore. */
  send(message: string): boolean {
    if (this.#channel === undefined) return false;
    return this.#channel.sendToQueue(SHIPPING_QUEUE, Buffer.from(message), { contentType: 'application/json' });
  }

  async #stayConnected(): Promise<void> {
    const { host, port } = endpoint('rabbitmq', 5672);
    const log = new ConnectionLog('rabbitmq');
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      try {
        const connection = await connect(`amqp://guest:guest@${host}:${port}`, { timeout: CONNECT_TIMEOUT_MS });
        const closed = untilClosed(connection);
        const channel = await connection.createChannel();
        await channel.assertQueue(SHIPPING_QUEUE, { durable: false });
        await this.#ready(channel);
        this.#channel = channel;
        log.connected();
        wait = FIRST_RETRY_MS;
        log.failed(await closed);
      } catch (error) {
        log.failed(error);
      }
      this.#channel = undefined;
      await delay(wait);
    }
  }
}

function untilClosed(connection: ChannelModel): Promise<string> {
  return new Promise((resolve) => {
    // An error is followed by a close; without a listener it would end the process.
    connection.on('error', (error: Error) => resolve(error.message));
    connection.on('close', () => resolve('it was closed'));
  });
}

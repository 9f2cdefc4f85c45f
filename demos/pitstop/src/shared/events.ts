// What happens in the garage, as messages: published to the fanout exchange, taken from a queue of one's own.
import { setTimeout } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { addressOf } from './addresses.ts';
import { BROKER } from './broker.ts';
import type { Log } from './log.ts';
import { delayMs } from './retry.ts';

const EXCHANGE = 'Pitstop';
/** Who listens. Whoever comes first, publisher or listener, declares them all: an event before the first listener waits. */
const QUEUES = ['WorkshopManagement', 'Notifications', 'Invoicing', 'Auditlog'] as const;
export type Queue = (typeof QUEUES)[number];
/** Messages from elsewhere are not taken on trust. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const HEARTBEAT_S = 10;

export interface EventFields {
  CustomerRegistered: {
    readonly customerId: string;
    readonly name: string;
    readonly address: string;
    readonly postalCode: string;
    readonly city: string;
    readonly telephoneNumber: string;
    readonly emailAddress: string;
  };
  VehicleRegistered: {
    readonly licenseNumber: string;
    readonly brand: string;
    readonly type: string;
    readonly ownerId: string;
  };
  WorkshopPlanningCreated: { readonly date: string };
  MaintenanceJobPlanned: {
    readonly jobId: string;
    /** Local times without zone, like all times of the workshop: 2026-03-01T09:00:00. */
    readonly startTime: string;
    readonly endTime: string;
    readonly customerInfo: { readonly id: string; readonly name: string; readonly telephoneNumber: string };
    readonly vehicleInfo: { readonly licenseNumber: string; readonly brand: string; readonly type: string };
    readonly description: string;
  };
  MaintenanceJobFinished: {
    readonly jobId: string;
    readonly startTime: string;
    readonly endTime: string;
    readonly notes: string;
  };
  DayHasPassed: Readonly<Record<never, never>>;
}

export type EventType = keyof EventFields;
export type EventOf<T extends EventType> = { readonly messageType: T; readonly messageId: string } & EventFields[T];
/** Any event, told apart by `messageType`. */
export type PitstopEvent = { [T in EventType]: EventOf<T> }[EventType];

function brokerConnection(): Promise<ChannelModel> {
  const { host, port } = addressOf('rabbitmq', 5672);
  const { user, password } = BROKER;
  return connect({ hostname: host, port, username: user, password, heartbeat: HEARTBEAT_S });
}

async function declare(channel: Channel): Promise<void> {
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: true });
  for (const queue of QUEUES) {
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, EXCHANGE, '');
  }
}

/** Publishes, one at a time, on a connection that is made when first needed and again when it was lost. */
export class Publisher {
  #channel: Promise<ConfirmChannel> | undefined;

  /** Resolves when the broker has taken the message. */
  async publish(messageType: string, messageId: string, body: string): Promise<void> {
    this.#channel ??= this.#open();
    const opened = this.#channel;
    try {
      const channel = await opened;
      const options = {
        persistent: true,
        messageId,
        contentType: 'application/json',
        headers: { MessageType: messageType },
      };
      channel.publish(EXCHANGE, '', Buffer.from(body), options);
      await channel.waitForConfirms();
    } catch (error) {
      if (this.#channel === opened) this.#channel = undefined;
      throw error;
    }
  }

  async #open(): Promise<ConfirmChannel> {
    const connection = await brokerConnection();
    const lost = () => {
      this.#channel = undefined;
    };
    // 'close' follows an 'error', which without a listener would end the program.
    connection.on('error', lost);
    connection.on('close', lost);
    const channel = await connection.createConfirmChannel();
    channel.on('error', lost);
    await declare(channel);
    return channel;
  }
}

/**
 * Hands every message of `queue` to `handle`, one after the other, and keeps at it: a message that fails (the database is
 * away, say) is tried again until it succeeds, a lost broker is connected to again. Never returns.
 */
export async function consume(queue: Queue, log: Log, handle: (event: PitstopEvent, body: string) => Promise<void>) {
  for (let attempt = 1; ; attempt++) {
    try {
      await consumeUntilLost(queue, log, handle, () => {
        attempt = 0;
      });
      log.warning('The connection to the broker was lost; connecting again');
    } catch (error) {
      log.error('The broker does not answer; trying again in {Delay} ms', error, { Delay: delayMs(attempt + 1) });
    }
    await setTimeout(delayMs(attempt + 1));
  }
}

async function consumeUntilLost(
  queue: Queue,
  log: Log,
  handle: (event: PitstopEvent, body: string) => Promise<void>,
  connected: () => void,
): Promise<void> {
  const connection = await brokerConnection();
  const lost = new Promise<void>((resolve) => {
    connection.on('error', () => resolve());
    connection.on('close', () => resolve());
  });
  const channel = await connection.createChannel();
  // Without its channel, or its queue, the connection is of no use.
  const giveUp = (error: Error): void => {
    log.error('The broker gives no more messages', error);
    connection.close().catch((closing: unknown) => log.error('The connection was closed already', closing));
  };
  channel.on('error', giveUp);
  await declare(channel);
  await channel.prefetch(1);
  let open = true;
  void lost.then(() => {
    open = false;
  });
  await channel.consume(queue, async (message) => {
    if (message === null) return giveUp(new Error(`queue ${queue} was deleted`));
    await settle(message, log, handle, () => open);
    if (open) channel.ack(message);
  });
  connected();
  log.information('Listening to queue {Queue}', { Queue: queue });
  await lost;
}

async function settle(
  message: ConsumeMessage,
  log: Log,
  handle: (event: PitstopEvent, body: string) => Promise<void>,
  stillOpen: () => boolean,
): Promise<void> {
  const event = readEvent(message);
  if (event === undefined) {
    log.warning('Dropped a message of {Size} bytes that is no event of ours', { Size: message.content.length });
    return;
  }
  for (let retry = 1; stillOpen(); retry++) {
    try {
      return await handle(event, message.content.toString('utf8'));
    } catch (error) {
      log.error('{MessageType} {MessageId} failed, trying again', error, {
        MessageType: event.messageType,
        MessageId: event.messageId,
      });
      await setTimeout(delayMs(retry));
    }
  }
}

/** The event in a message; the fields beside its type and id are the publisher's word. */
function readEvent({ content, properties }: ConsumeMessage): PitstopEvent | undefined {
  const messageType: unknown = properties.headers?.['MessageType'];
  if (typeof messageType !== 'string' || content.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    const body: unknown = JSON.parse(content.toString('utf8'));
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
    return { messageId: String(properties.messageId ?? ''), ...body, messageType } as PitstopEvent;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

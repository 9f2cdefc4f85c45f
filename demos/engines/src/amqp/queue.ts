// One queue: messages in order, consumers in turn.
import type { Message } from './message.ts';

/** Someone who takes messages: a basic.consume of one channel. */
export interface Consumer {
  readonly tag: string;
  readonly exclusive: boolean;
  /** Whether it may be given a message now: prefetch left, connection not congested. */
  ready(): boolean;
  deliver(queue: Queue, entry: QueueEntry): void;
  /** The queue is gone. */
  cancelled(): void;
}

export interface QueueEntry {
  readonly message: Message;
  /** The place in the queue, kept when the message comes back. */
  readonly position: number;
  /** The store's number, for a message that outlives the broker. */
  readonly stored: number | undefined;
  redelivered: boolean;
}

export interface QueueOptions {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

export class Queue {
  readonly name: string;
  readonly options: QueueOptions;
  /** The connection that an exclusive queue belongs to. */
  readonly owner: object | undefined;
  readonly consumers: Consumer[] = [];
  /** Messages given to a consumer and not yet acknowledged. */
  unacked = 0;
  #entries: QueueEntry[] = [];
  #head = 0;
  #nextPosition = 1;

  constructor(name: string, options: QueueOptions, owner: object | undefined) {
    this.name = name;
    this.options = options;
    this.owner = owner;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(message: Message, stored: number | undefined, redelivered = false): void {
    this.#entries.push({ message, position: this.#nextPosition++, stored, redelivered });
  }

  shift(): QueueEntry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head += 1;
    // The used half goes when it is the larger one, so that taking stays cheap in a long queue.
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Back to where it was, as RabbitMQ does. */
  putBack(entry: QueueEntry): void {
    entry.redelivered = true;
    let at = this.#head;
    while (at < this.#entries.length && (this.#entries[at] as QueueEntry).position < entry.position) at += 1;
    this.#entries.splice(at, 0, entry);
  }

  /** Empties it; answers what was in it. */
  drain(): QueueEntry[] {
    const entries = this.#entries.slice(this.#head);
    this.#entries = [];
    this.#head = 0;
    return entries;
  }

  /** Gives out what can be given out, to the consumers in turn. */
  pump(): void {
    while (this.length > 0) {
      const at = this.consumers.findIndex((consumer) => consumer.ready());
      if (at < 0) return;
      const [consumer] = this.consumers.splice(at, 1);
      const entry = this.shift();
      if (consumer === undefined || entry === undefined) return;
      this.consumers.push(consumer);
      consumer.deliver(this, entry);
    }
  }
}

// Events are written in the transaction of what they tell of, and published after it: none is lost while the broker is away.
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Database, Queries } from './database.ts';
import { type EventFields, type EventType, Publisher } from './events.ts';
import type { Log } from './log.ts';
import { delayMs } from './retry.ts';

/** To be part of the schema of a database with an outbox. */
export const OUTBOX_TABLE = `CREATE TABLE IF NOT EXISTS outbox (
  message_id TEXT PRIMARY KEY, message_type TEXT NOT NULL, body TEXT NOT NULL, written_at TEXT NOT NULL)`;

interface OutboxRow {
  message_id: string;
  message_type: string;
  body: string;
}

/** At least once: when two programs share a database, or one ends in between, an event may be published twice. */
export class Outbox {
  readonly #database: Database;
  readonly #log: Log;
  readonly #publisher = new Publisher();
  #publishing = false;
  #again = false;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  async write<T extends EventType>(queries: Queries, messageType: T, fields: EventFields[T]): Promise<void> {
    const messageId = randomUUID();
    const body = JSON.stringify({ messageId, messageType, ...fields });
    await queries.query('INSERT INTO outbox (message_id, message_type, body, written_at) VALUES ($1, $2, $3, $4)', [
      messageId,
      messageType,
      body,
      new Date().toISOString(),
    ]);
  }

  /** Publishes what is there, in the background, until nothing is left. */
  publish(): void {
    this.#again = true;
    if (!this.#publishing) void this.#publishAll();
  }

  async #publishAll(): Promise<void> {
    this.#publishing = true;
    for (let retry = 1; this.#again; ) {
      try {
        this.#again = false;
        await this.#publishOnce();
        retry = 1;
      } catch (error) {
        this.#again = true;
        this.#log.error('Events wait to be published', error);
        await setTimeout(delayMs(retry++));
      }
    }
    this.#publishing = false;
  }

  async #publishOnce(): Promise<void> {
    const rows = await this.#database.query<OutboxRow>(
      'SELECT message_id, message_type, body FROM outbox ORDER BY written_at, message_id LIMIT 100',
    );
    for (const { message_id, message_type, body } of rows) {
      await this.#publisher.publish(message_type, message_id, body);
      await this.#database.query('DELETE FROM outbox WHERE message_id = $1', [message_id]);
      this.#log.information('Published {MessageType}', { MessageType: message_type });
    }
    if (rows.length > 0) this.#again = true;
  }
}

// What outlives the broker: durable exchanges, queues and bindings, and the persistent messages in them.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ExchangeOptions } from './exchange.ts';
import type { Message } from './message.ts';

export interface StoredMessage {
  readonly id: number;
  readonly queue: string;
  readonly message: Message;
}

export interface Store {
  exchanges(): { name: string; options: ExchangeOptions }[];
  queues(): { name: string; autoDelete: boolean }[];
  bindings(): { exchange: string; queue: string; key: string }[];
  messages(): Iterable<StoredMessage>;
  addExchange(name: string, options: ExchangeOptions): void;
  removeExchange(name: string): void;
  addQueue(name: string, autoDelete: boolean): void;
  removeQueue(name: string): void;
  addBinding(exchange: string, queue: string, key: string): void;
  removeBinding(exchange: string, queue: string, key: string): void;
  /** Answers the message's number. */
  addMessage(queue: string, message: Message): number;
  removeMessage(id: number): void;
  close(): void;
}

/** In a SQLite file: a message is safe from the broker's own end once it is written, and from the machine's a moment later. */
export function openStore(directory: string): Store {
  const db = new DatabaseSync(join(directory, 'amqp.sqlite'));
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS exchange (name TEXT PRIMARY KEY, options TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, auto_delete INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS binding (exchange TEXT, queue TEXT, key TEXT, PRIMARY KEY (exchange, queue, key));
    CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, queue TEXT NOT NULL, exchange TEXT NOT NULL,
      key TEXT NOT NULL, properties BLOB NOT NULL, body BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS message_queue ON message (queue);`);
  const addMessage = db.prepare('INSERT INTO message (queue, exchange, key, properties, body) VALUES (?, ?, ?, ?, ?)');
  const removeMessage = db.prepare('DELETE FROM message WHERE id = ?');
  const run = (sql: string, ...values: (string | number)[]): void => void db.prepare(sql).run(...values);
  return {
    exchanges: () =>
      (db.prepare('SELECT name, options FROM exchange').all() as { name: string; options: string }[]).map(
        ({ name, options }) => ({ name, options: JSON.parse(options) as ExchangeOptions }),
      ),
    queues: () =>
      (db.prepare('SELECT name, auto_delete FROM queue').all() as { name: string; auto_delete: number }[]).map(
        ({ name, auto_delete }) => ({ name, autoDelete: auto_delete === 1 }),
      ),
    bindings: () =>
      db.prepare('SELECT exchange, queue, key FROM binding').all() as {
        exchange: string;
        queue: string;
        key: string;
      }[],
    *messages() {
      for (const row of db.prepare('SELECT * FROM message ORDER BY id').iterate()) {
        const { id, queue, exchange, key, properties, body } = row as unknown as {
          id: number;
          queue: string;
          exchange: string;
          key: string;
          properties: Uint8Array;
          body: Uint8Array;
        };
        const message = {
          exchange,
          key,
          properties: Buffer.from(properties),
          body: Buffer.from(body),
          persistent: true,
        };
        yield { id, queue, message };
      }
    },
    addExchange: (name, options) => run('INSERT OR REPLACE INTO exchange VALUES (?, ?)', name, JSON.stringify(options)),
    removeExchange(name) {
      run('DELETE FROM exchange WHERE name = ?', name);
      run('DELETE FROM binding WHERE exchange = ?', name);
    },
    addQueue: (name, autoDelete) => run('INSERT OR REPLACE INTO queue VALUES (?, ?)', name, autoDelete ? 1 : 0),
    removeQueue(name) {
      run('DELETE FROM queue WHERE name = ?', name);
      run('DELETE FROM binding WHERE queue = ?', name);
      run('DELETE FROM message WHERE queue = ?', name);
    },
    addBinding: (exchange, queue, key) => run('INSERT OR IGNORE INTO binding VALUES (?, ?, ?)', exchange, queue, key),
    removeBinding: (exchange, queue, key) =>
      run('DELETE FROM binding WHERE exchange = ? AND queue = ? AND key = ?', exchange, queue, key),
    addMessage(queue, { exchange, key, properties, body }) {
      return Number(addMessage.run(queue, exchange, key, properties, body).lastInsertRowid);
    },
    removeMessage: (id) => void removeMessage.run(id),
    close: () => db.close(),
  };
}

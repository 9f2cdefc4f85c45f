// The file under the store: objects as JSON rows in SQLite, written in whole batches.
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { openError, StoreCorruptError, StoreNewerError, writeError } from './store-error.ts';

const FORMAT = 1;

export interface Row {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly value: string;
}

export type RowChange =
  | { readonly kind: 'put'; readonly row: Row }
  | { readonly kind: 'remove'; readonly row: Omit<Row, 'value'> };

export class Database {
  readonly path: string;
  readonly #sqlite: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #setRevision: StatementSync;

  private constructor(path: string, sqlite: DatabaseSync) {
    this.path = path;
    this.#sqlite = sqlite;
    this.#put = sqlite.prepare(
      'INSERT INTO objects (resource, namespace, name, revision, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision, value = excluded.value',
    );
    this.#remove = sqlite.prepare('DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?');
    this.#setRevision = sqlite.prepare('UPDATE revision SET value = ?');
  }

  static open(path: string, maxBytes: number): Database {
    let sqlite: DatabaseSync | undefined;
    try {
      // It will hold secrets, so it is its owner's only; SQLite gives its log the same mode.
      closeSync(openSync(path, 'a', 0o600));
      sqlite = new DatabaseSync(path);
      // Exclusive: two servers on one file would each trust their own memory. The kernel drops the lock with the process.
      sqlite.exec('PRAGMA locking_mode = EXCLUSIVE');
      sqlite.exec('PRAGMA journal_mode = WAL');
      // FULL: the log is on the disk before a commit returns, so an acknowledged write survives a power cut too.
      sqlite.exec('PRAGMA synchronous = FULL');
      const format = pragma(sqlite, 'user_version');
      if (format > FORMAT) throw new StoreNewerError(path, format, FORMAT);
      const damage = sqlite.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
      if (damage !== 'ok') throw new StoreCorruptError(path, String(damage));
      sqlite.exec(`
        CREATE TABLE IF NOT EXISTS objects (
          resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
          revision INTEGER NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY (resource, namespace, name)
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS revision (value INTEGER NOT NULL);
        INSERT INTO revision SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM revision);
        PRAGMA user_version = ${FORMAT};
      `);
      sqlite.exec(`PRAGMA max_page_count = ${Math.max(16, Math.floor(maxBytes / pragma(sqlite, 'page_size')))}`);
      return new Database(path, sqlite);
    } catch (error) {
      sqlite?.close();
      throw openError(path, error);
    }
  }

  /** The newest revision ever given out. */
  revision(): number {
    return Number(this.#sqlite.prepare('SELECT value FROM revision').get()?.['value']);
  }

  *rows(): Generator<Row> {
    try {
      for (const row of this.#sqlite
        .prepare('SELECT resource, namespace, name, revision, value FROM objects')
        .iterate()) {
        yield {
          resource: String(row['resource']),
          namespace: String(row['namespace']),
          name: String(row['name']),
          revision: Number(row['revision']),
          value: String(row['value']),
        };
      }
    } catch (error) {
      throw openError(this.path, error);
    }
  }

  /** All or nothing, and on the disk when it returns. */
  apply(changes: readonly RowChange[], revision: number): void {
    try {
      this.#sqlite.exec('BEGIN IMMEDIATE');
      for (const change of changes) {
        const { resource, namespace, name } = change.row;
        if (change.kind === 'put') this.#put.run(resource, namespace, name, change.row.revision, change.row.value);
        else this.#remove.run(resource, namespace, name);
      }
      this.#setRevision.run(revision);
      this.#sqlite.exec('COMMIT');
    } catch (error) {
      // SQLite may have rolled back by itself (a full disk does that).
      if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK');
      throw writeError(this.path, error);
    }
  }

  close(): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }
}

function pragma(sqlite: DatabaseSync, name: string): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()?.[name]);
}

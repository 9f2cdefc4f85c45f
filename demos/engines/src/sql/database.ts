// The SQLite files behind the wire, one for each database: one connection per client, and whose turn it is to write.
import { constants, copyFileSync, existsSync, linkSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Connection } from './connection.ts';
import { isSqliteFailure, SqlError } from './sql-error.ts';
import { splitStatements } from './statement-text.ts';

/** How long a statement waits while another client's transaction writes. */
const LOCK_TIMEOUT_MS = 10_000;
/** The lock may be another process's (two pods of one workload, for a moment), which tells nobody when it is done. */
const LOCK_POLL_MS = 20;

const SQLITE_BUSY = 5;
const SQLITE_BUSY_SNAPSHOT = 517;

/** PostgreSQL's NAMEDATALEN. */
const MAX_NAME_BYTES = 63;
const MAX_DATABASES = 100;
const TEMPLATE = 'template1';

/** The databases of one server. A new one is made when a client first names it, as a copy of `template1`. */
export class Databases {
  readonly #directory: string;
  readonly #temporary: boolean;
  readonly #open = new Map<string, Database>();

  /** In `directory`, or in memory's stead in a temporary directory that goes with the process. */
  constructor(directory: string | undefined) {
    this.#temporary = directory === undefined;
    this.#directory = directory ?? mkdtempSync(join(tmpdir(), 'varka-sql-'));
    this.#open.set(TEMPLATE, new Database(this.#pathOf(TEMPLATE)));
  }

  /** Throws an SqlError 3D000 for what can be no name. */
  named(name: string): Database {
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw new SqlError('3D000', `database "${name.slice(0, MAX_NAME_BYTES)}" does not exist`);
    }
    if (this.#open.size >= MAX_DATABASES) {
      throw new SqlError('53400', `there are ${MAX_DATABASES} databases already, and there can be no more`);
    }
    const path = this.#pathOf(name);
    if (!existsSync(path)) this.#copyTemplate(path);
    const database = new Database(path);
    this.#open.set(name, database);
    return database;
  }

  /** Runs a script once in the template's life, so that a restart keeps what was changed since. */
  seed(file: string): void {
    this.named(TEMPLATE).seed(file);
  }

  close(): void {
    if (this.#temporary) rmSync(this.#directory, { recursive: true, force: true });
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${encodeURIComponent(name).replaceAll('.', '%2E')}.sqlite`);
  }

  /** Whole or not at all; another process that makes the same one at the same time may be first. */
  #copyTemplate(path: string): void {
    const draft = `${path}.${process.pid}`;
    copyFileSync(this.#pathOf(TEMPLATE), draft, constants.COPYFILE_FICLONE);
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft);
    }
  }
}

export class Database {
  readonly #path: string;
  readonly #waiting = new Set<() => void>();

  constructor(path: string) {
    this.#path = path;
    const first = new DatabaseSync(this.#path);
    // Write-ahead logging: who reads does not wait for who writes.
    first.exec('PRAGMA journal_mode = WAL');
    first.close();
  }

  connect(): Connection {
    return new Connection(this.#path);
  }

  /** Runs a script once in the file's life, so that a restart keeps what was changed since. */
  seed(file: string): void {
    const connection = new DatabaseSync(this.#path);
    try {
      connection.exec('BEGIN IMMEDIATE');
      const { user_version: seeded } = connection.prepare('PRAGMA user_version').get() as { user_version: number };
      if (seeded === 0) {
        for (const { sql } of splitStatements(readFileSync(file, 'utf8'))) {
          try {
            connection.exec(sql);
          } catch (error) {
            throw new Error(`${file}: ${error instanceof Error ? error.message : error}, in: ${sql.slice(0, 200)}`);
          }
        }
        connection.exec('PRAGMA user_version = 1');
      }
      connection.exec('COMMIT');
    } finally {
      connection.close();
    }
  }

  /** Calls `work` again while another transaction has the lock; an SqlError 55P03 when that takes too long. */
  async whenFree<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isSqliteFailure(error) || (error.errcode & 0xff) !== SQLITE_BUSY) throw error;
        // The transaction has read what has changed since; waiting can't help it.
        if (error.errcode === SQLITE_BUSY_SNAPSHOT) {
          throw new SqlError('40001', 'could not serialize access due to concurrent update');
        }
        if (performance.now() > deadline) throw new SqlError('55P03', 'canceling statement due to lock timeout');
      }
      await this.#nextRelease();
    }
  }

  /** Some transaction has ended. */
  released(): void {
    for (const done of this.#waiting) done();
  }

  #nextRelease(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, LOCK_POLL_MS);
      this.#waiting.add(done);
    });
  }
}

// The SQLite file behind the wire: one connection per client, and whose turn it is to write.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

export class Database {
  readonly #path: string;
  readonly #temporary: string | undefined;
  readonly #waiting = new Set<() => void>();

  /** In `directory`, or in memory's stead in a temporary directory that goes with the process. */
  constructor(directory: string | undefined) {
    this.#temporary = directory === undefined ? mkdtempSync(join(tmpdir(), 'varka-sql-')) : undefined;
    this.#path = join(directory ?? (this.#temporary as string), 'data.sqlite');
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

  close(): void {
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
  }
}

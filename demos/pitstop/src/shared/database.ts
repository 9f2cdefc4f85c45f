// A program's own database on the SQL server: made and migrated at start, with patience; then queries and transactions.
import pg from 'pg';
import { addressOf } from './addresses.ts';
import type { Log } from './log.ts';
import { withRetries } from './retry.ts';

const RETRIES = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A released connection is closed after this time, so that a program nobody calls has no traffic either. */
const IDLE_MS = 10_000;
const CONNECTIONS = 4;

// SQLSTATE codes, PostgreSQL's appendix A.
const NO_SUCH_DATABASE = '3D000';
const DUPLICATE_DATABASE = '42P04';
const UNIQUE_VIOLATION = '23505';

/** The same in and outside of a transaction. */
export interface Queries {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

function connectionTo(database: string): pg.ClientConfig {
  const password = process.env['SQLSERVER_PASSWORD'] ?? 'pitstop';
  return {
    ...addressOf('sqlserver', 1433),
    user: 'sa',
    password,
    database,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  };
}

export class Database implements Queries {
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /**
   * Connects, makes the database if there is none, and runs `schema`: statements that change nothing when run again.
   * Gives up after ten retries, about 45 s.
   */
  static async open(name: string, schema: readonly string[], log: Log): Promise<Database> {
    const pool = new pg.Pool({ ...connectionTo(name), max: CONNECTIONS, idleTimeoutMillis: IDLE_MS });
    pool.on('error', (error) => log.error('A connection to database {Database} ended', error, { Database: name }));
    await withRetries(
      RETRIES,
      async () => {
        await ensureDatabase(name);
        for (const statement of schema) await pool.query(statement);
      },
      (error, retry) =>
        log.error('Database {Database} is not ready, retry {Retry} of {Retries}', error, {
          Database: name,
          Retry: retry,
          Retries: RETRIES,
        }),
    );
    log.information('Database {Database} is ready', { Database: name });
    return new Database(pool);
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  /** All that `work` writes, or nothing of it. */
  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = false;
    try {
      await client.query('BEGIN');
      const result = await work({
        query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
          (await client.query<Row>(text, [...values])).rows,
      });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      try {
        await client.query('ROLLBACK');
      } catch {
        broken = true; // the connection is gone, and with it the transaction; `error` says why
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async isReachable(): Promise<boolean> {
    try {
      await this.#pool.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}

async function ensureDatabase(name: string): Promise<void> {
  try {
    await connectOnce(name);
  } catch (error) {
    if (sqlState(error) !== NO_SUCH_DATABASE) throw error;
    try {
      await connectOnce('postgres', `CREATE DATABASE "${name}"`);
    } catch (creation) {
      // Another program that shares the database was quicker; which of the two codes it gets depends on when.
      if (sqlState(creation) !== DUPLICATE_DATABASE && !isDuplicate(creation)) throw creation;
    }
  }
}

async function connectOnce(database: string, statement?: string): Promise<void> {
  const client = new pg.Client(connectionTo(database));
  await client.connect();
  try {
    if (statement !== undefined) await client.query(statement);
  } finally {
    await client.end();
  }
}

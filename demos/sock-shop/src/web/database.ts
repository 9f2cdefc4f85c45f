// A service's database, which may be late, restart or lose its tables: it is found again without anyone's help.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ConnectionLog } from './connection-log.ts';
import { endpoint } from './environment.ts';

export type Row = Readonly<Record<string, unknown>>;

/** The database can't be reached, or refused what it was asked. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

const CONNECT_TIMEOUT_MS = 2_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1_000;
/** PostgreSQL's "undefined_table": the database came back without its data. */
const NO_SUCH_TABLE = '42P01';

export class Database {
  readonly #pool: pg.Pool;
  readonly #log: ConnectionLog;
  readonly #prepare: (database: Database) => Promise<void>;
  #prepared: Promise<void> | undefined;

  /** `prepare` makes the tables and the first rows; it runs before anything else, and again when they are gone. */
  constructor(name: string, standardPort: number, prepare: (database: Database) => Promise<void>) {
    this.#prepare = prepare;
    this.#log = new ConnectionLog(name);
    this.#pool = new pg.Pool({
      ...endpoint(name, standardPort),
      user: 'shop',
      password: 'shop',
      database: 'shop',
      ssl: false,
      max: 4,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      // A connection that a restart cut off is noticed when it ends; the pool forgets it then.
      idleTimeoutMillis: 30_000,
    });
    this.#pool.on('error', (error) => this.#log.failed(error));
    void this.#prepareEarly();
  }

  /** Statements that may be repeated: reads, and writes that come to the same the second time. */
  async query(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    await this.#ready();
    try {
      return await this.run(sql, values);
    } catch (error) {
      if (!(error instanceof DatabaseError) || !isWorthRetrying(error)) throw error;
      if (codeOf(error) === NO_SUCH_TABLE) this.#prepared = undefined;
      await this.#ready();
      return this.run(sql, values);
    }
  }

  /** One try, without looking whether the tables are there: what `prepare` uses. */
  async run(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.#pool.query<Record<string, unknown>>(sql, [...values])).rows;
    } catch (error) {
      throw new DatabaseError('database connection error', { cause: error });
    }
  }

  async isHealthy(): Promise<boolean> {
    try {
      await this.run('SELECT 1');
      return true;
    } catch (error) {
      if (error instanceof DatabaseError) return false;
      throw error;
    }
  }

  #ready(): Promise<void> {
    this.#prepared ??= this.#prepare(this).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /** So that the first customer need not wait; services and databases start in any order. */
  async #prepareEarly(): Promise<void> {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      try {
        await this.#ready();
        this.#log.connected();
        return;
      } catch (error) {
        this.#log.failed(error instanceof DatabaseError ? error.cause : error);
        await delay(wait);
      }
    }
  }
}

function codeOf(error: unknown): string | undefined {
  const cause = error instanceof DatabaseError ? error.cause : error;
  return (cause as { code?: string } | undefined)?.code;
}

/** Cut off in the middle (no SQLSTATE, or a class 57 one: the server is going down), or the tables are gone. */
function isWorthRetrying(error: DatabaseError): boolean {
  const code = codeOf(error);
  return code === undefined || code === NO_SUCH_TABLE || code === 'ECONNRESET' || code.startsWith('57');
}

const PROCESS = Math.floor(Math.random() * 0x10000000000);
let counter = Math.floor(Math.random() * 0x800000);

/**
 * 24 hexadecimal digits: the seconds, this process and a counter, so that what is newer sorts later. It is the shape of
 * a MongoDB ObjectId.
 */
export function newId(): string {
  counter = (counter + 1) & 0xffffff;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return hex(Math.floor(Date.now() / 1000), 8) + hex(PROCESS, 10) + hex(counter, 6);
}

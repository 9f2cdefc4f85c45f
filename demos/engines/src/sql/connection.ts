// One client's connection to the SQLite file: PostgreSQL's handling of transactions over SQLite's statements.
import { randomUUID } from 'node:crypto';
import { constants, DatabaseSync } from 'node:sqlite';
import type { Schema } from './parameter-types.ts';
import { SqlError } from './sql-error.ts';
import type { StatementText } from './statement-text.ts';
import { oidOfDeclared, oidOfValue, type SqlValue } from './types.ts';
import type { Field, TransactionStatus } from './wire.ts';

/** What version() and server_version say: the protocol and the error codes are those of this PostgreSQL. */
export const SERVER_VERSION = '15.0';

export interface Result {
  /** Absent: a statement without rows. */
  readonly fields: readonly Field[] | undefined;
  readonly rows: readonly SqlValue[][];
  /** CommandComplete's: `INSERT 0 1`, `SELECT 3`. */
  readonly tag: string;
}

const MAX_RESULT_BYTES = 64 * 1024 * 1024;

/** Pragmas that only read; the others could break what all connections rely on. */
const READING_PRAGMAS = new Set(['table_info', 'table_list', 'index_list', 'index_info', 'foreign_key_list']);

/** Settings a client may ask for; it may set any, which does nothing. */
const SETTINGS: Readonly<Record<string, string>> = {
  server_version: SERVER_VERSION,
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  datestyle: 'ISO, MDY',
  timezone: 'UTC',
  standard_conforming_strings: 'on',
  transaction_isolation: 'serializable',
};

export class Connection {
  readonly #db: DatabaseSync;
  #failed = false;
  #schema: { readonly version: number; readonly tables: Schema } | undefined;

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 0 });
    this.#db.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2000');
    this.#db.function('version', () => `PostgreSQL ${SERVER_VERSION} (protocol only; SQLite runs the statements)`);
    this.#db.function('now', () => new Date().toISOString().replace('T', ' ').replace('Z', '+00'));
    this.#db.function('gen_random_uuid', () => randomUUID());
    this.#db.setAuthorizer((action, name, value) => {
      // No other file of this machine is a client's business.
      if (action === constants.SQLITE_ATTACH || action === constants.SQLITE_DETACH) return constants.SQLITE_DENY;
      if (action !== constants.SQLITE_PRAGMA) return constants.SQLITE_OK;
      const reads = READING_PRAGMAS.has(name ?? '') || (name === 'schema_version' && value === null);
      return reads ? constants.SQLITE_OK : constants.SQLITE_DENY;
    });
  }

  get status(): TransactionStatus {
    if (this.#failed) return 'E';
    return this.#db.isTransaction ? 'T' : 'I';
  }

  /** After an error inside a transaction nothing runs until it is rolled back. */
  fail(): void {
    if (this.#db.isTransaction) this.#failed = true;
  }

  schema(): Schema {
    const version = (this.#db.prepare('PRAGMA schema_version').get() as { schema_version: number }).schema_version;
    if (this.#schema?.version === version) return this.#schema.tables;
    const tables = new Map<string, Map<string, string>>();
    const rows = this.#db
      .prepare(
        "SELECT m.name AS t, p.name AS c, p.type AS d FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table'",
      )
      .all() as { t: string; c: string; d: string }[];
    for (const { t, c, d } of rows) {
      const columns = tables.get(t.toLowerCase()) ?? new Map<string, string>();
      tables.set(t.toLowerCase(), columns.set(c.toLowerCase(), d));
    }
    this.#schema = { version, tables };
    return tables;
  }

  /** Checks a statement and tells its columns without running it; undefined: it gives no rows. */
  describe(statement: StatementText): Field[] | undefined {
    if (this.#control(statement) !== undefined) return statement.verb === 'SHOW' ? [showField(statement)] : undefined;
    const columns = this.#db.prepare(statement.sql).columns();
    if (columns.length === 0) return undefined;
    return columns.map(({ name, type }) => ({ name, oid: oidOfDeclared(type ?? '') }));
  }

  /** Throws what SQLite throws, or an SqlError. With SQLITE_BUSY nothing has happened, so it may be run again. */
  run(statement: StatementText, values: readonly SqlValue[]): Result {
    const control = this.#control(statement);
    if (this.#failed && !/^(ROLLBACK|ABORT|COMMIT|END)$/.test(statement.verb)) {
      throw new SqlError('25P02', 'current transaction is aborted, commands ignored until end of transaction block');
    }
    if (control !== undefined) return control();
    const prepared = this.#db.prepare(statement.sql);
    const columns = prepared.columns();
    if (columns.length === 0) {
      const { changes } = prepared.run(...values);
      return { fields: undefined, rows: [], tag: tagOf(statement, Number(changes)) };
    }
    prepared.setReturnArrays(true);
    prepared.setReadBigInts(true);
    const rows: SqlValue[][] = [];
    let bytes = 0;
    for (const row of prepared.iterate(...values) as Iterable<unknown> as Iterable<SqlValue[]>) {
      for (const value of row) bytes += typeof value === 'string' || value instanceof Uint8Array ? value.length : 8;
      if (bytes > MAX_RESULT_BYTES) throw new SqlError('54000', `the result is larger than ${MAX_RESULT_BYTES} bytes`);
      rows.push(row);
    }
    const fields = columns.map(({ name, type }, at) => ({
      name,
      oid: type === null ? oidOfValue(rows.find((row) => row[at] !== null)?.[at]) : oidOfDeclared(type),
    }));
    return { fields, rows, tag: tagOf(statement, rows.length) };
  }

  close(): void {
    this.#db.close();
  }

  /** Statements that SQLite does not have, or has in other words. */
  #control({ verb, tokens }: StatementText): (() => Result) | undefined {
    const words = tokens.map(({ text }) => text.toUpperCase());
    const done = (tag: string): Result => ({ fields: undefined, rows: [], tag });
    switch (verb) {
      case 'BEGIN':
      case 'START':
        return () => {
          if (this.#db.isTransaction) return done(verb === 'START' ? 'START TRANSACTION' : 'BEGIN');
          // IMMEDIATE: who may write waits here for its turn, so that no transaction fails half-way for having read first.
          this.#db.exec(words.includes('ONLY') ? 'BEGIN DEFERRED' : 'BEGIN IMMEDIATE');
          return done(verb === 'START' ? 'START TRANSACTION' : 'BEGIN');
        };
      case 'COMMIT':
      case 'END':
        return () => {
          if (this.#db.isTransaction) this.#db.exec(this.#failed ? 'ROLLBACK' : 'COMMIT');
          const tag = this.#failed ? 'ROLLBACK' : 'COMMIT';
          this.#failed = false;
          return done(tag);
        };
      case 'ABORT':
      case 'ROLLBACK':
        return () =>
          this.#rollback(tokens.length > 1 && words.includes('TO') ? (tokens.at(-1)?.text ?? '') : undefined);
      case 'SET':
      case 'RESET':
        return () => done(verb);
      case 'DISCARD':
        return () => done('DISCARD ALL');
      case 'SHOW':
        return () => {
          const field = showField({ tokens });
          const value = SETTINGS[field.name];
          if (value === undefined) throw new SqlError('42704', `unrecognized configuration parameter "${field.name}"`);
          return { fields: [field], rows: [[value]], tag: 'SHOW' };
        };
      default:
        return undefined;
    }
  }

  #rollback(savepoint: string | undefined): Result {
    if (savepoint !== undefined) this.#db.exec(`ROLLBACK TO ${savepoint}`);
    else if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    this.#failed = false;
    return { fields: undefined, rows: [], tag: 'ROLLBACK' };
  }
}

function showField({ tokens }: Pick<StatementText, 'tokens'>): Field {
  return { name: (tokens[1]?.text ?? '').toLowerCase(), oid: oidOfDeclared('text') };
}

function tagOf({ verb, tokens }: StatementText, count: number): string {
  switch (verb) {
    case 'INSERT':
    case 'REPLACE':
      return `INSERT 0 ${count}`;
    case 'VALUES':
      return `SELECT ${count}`;
    case 'SELECT':
    case 'UPDATE':
    case 'DELETE':
      return `${verb} ${count}`;
    case 'CREATE':
    case 'DROP':
    case 'ALTER':
      return `${verb} ${tokens.map(({ text }) => text.toUpperCase()).find((word) => /^(TABLE|INDEX|VIEW|TRIGGER)$/.test(word)) ?? ''}`.trim();
    default:
      return verb;
  }
}

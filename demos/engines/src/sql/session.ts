// One client's conversation: start-up, then simple and extended queries (PostgreSQL documentation, "Message Flow").
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { type Connection, type Result, SERVER_VERSION } from './connection.ts';
import type { Database, Databases } from './database.ts';
import { parameterTypes } from './parameter-types.ts';
import { SqlError, toSqlError } from './sql-error.ts';
import { type StatementText, splitStatements } from './statement-text.ts';
import { decodeBinary, decodeText, OID, type SqlValue } from './types.ts';
import { backend, FieldReader, type Message, WireError } from './wire.ts';

const PROTOCOL_3 = 196_608;
const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;
const GSS_REQUEST = 80_877_104;

/** Named statements and portals a client may keep. */
const MAX_NAMED = 1000;

interface Prepared {
  readonly statement: StatementText;
  readonly types: readonly number[];
}

interface Portal {
  readonly prepared: Prepared;
  readonly values: readonly SqlValue[];
  /** Set by Describe or Execute, whichever comes first: an expression's type shows only in its values. */
  result?: Result;
  sent: number;
}

export interface SessionOptions {
  /** Undefined: any password is right. */
  readonly password: string | undefined;
  write(bytes: Buffer): void;
  /** The conversation is over. */
  end(): void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #databases: Databases;
  /** From the start-up message on. */
  #database: Database | undefined;
  #connection: Connection | undefined;
  #phase: 'startup' | 'password' | 'ready' = 'startup';
  readonly #prepared = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  /** After an error in the extended protocol all is skipped up to the next Sync. */
  #skipping = false;

  constructor(databases: Databases, options: SessionOptions) {
    this.#databases = databases;
    this.#options = options;
  }

  /** True once messages have a type byte. */
  get typed(): boolean {
    return this.#phase !== 'startup';
  }

  /** Handles one message; the next may be given when this resolves. */
  async handle({ type, body }: Message): Promise<void> {
    const fields = new FieldReader(body);
    if (this.#phase === 'startup') return this.#startup(fields);
    if (this.#phase === 'password') return this.#password(type, fields);
    if (this.#skipping && type !== 'S' && type !== 'X') return;
    try {
      await this.#command(type, fields);
    } catch (error) {
      if (error instanceof WireError) throw error;
      this.#connection?.fail();
      this.#options.write(backend.error(toSqlError(error)));
      if (type === 'Q') this.#ready();
      else this.#skipping = true;
    }
  }

  /** What the client has begun and not committed is rolled back. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#database?.released();
  }

  #startup(fields: FieldReader): void {
    const { write, end, password } = this.#options;
    const version = fields.int32();
    // One byte, outside of any message: no encryption here.
    if (version === SSL_REQUEST || version === GSS_REQUEST) {
      write(Buffer.from('N', 'latin1'));
    } else if (version === CANCEL_REQUEST) {
      // A query here runs without a pause for others, so there is never one to cancel.
      end();
    } else if (version >> 16 !== PROTOCOL_3 >> 16) {
      this.#fatal(new SqlError('0A000', `unsupported frontend protocol ${version >> 16}.${version & 0xffff}`));
    } else if (!this.#choose(fields)) {
      return;
    } else if (password === undefined) {
      this.#welcome();
    } else {
      this.#phase = 'password';
      write(backend.authenticationCleartextPassword);
    }
  }

  /** The database that the start-up parameters name; without one it is named after the user. */
  #choose(fields: FieldReader): boolean {
    const parameters = new Map<string, string>();
    for (let name = fields.string(); name !== ''; name = fields.string()) parameters.set(name, fields.string());
    try {
      this.#database = this.#databases.named(parameters.get('database') || parameters.get('user') || 'postgres');
      return true;
    } catch (error) {
      this.#fatal(toSqlError(error));
      return false;
    }
  }

  #password(type: string, fields: FieldReader): void {
    if (type !== 'p') throw new WireError(`expected a password, got message "${type}"`);
    if (equal(fields.string(), this.#options.password ?? '')) this.#welcome();
    else this.#fatal(new SqlError('28P01', 'password authentication failed'));
  }

  #welcome(): void {
    const { write } = this.#options;
    this.#phase = 'ready';
    this.#connection = this.#chosen.connect();
    write(backend.authenticationOk);
    for (const [name, value] of [
      ['server_version', SERVER_VERSION],
      ['server_encoding', 'UTF8'],
      ['client_encoding', 'UTF8'],
      ['DateStyle', 'ISO, MDY'],
      ['TimeZone', 'UTC'],
      ['integer_datetimes', 'on'],
      ['standard_conforming_strings', 'on'],
    ] as const) {
      write(backend.parameterStatus(name, value));
    }
    write(backend.backendKeyData(randomInt(1, 2 ** 31), randomInt(0, 2 ** 31)));
    this.#ready();
  }

  get #chosen(): Database {
    if (this.#database === undefined) throw new Error('no database was chosen at start-up');
    return this.#database;
  }

  #fatal(error: SqlError): void {
    this.#options.write(backend.error(error, 'FATAL'));
    this.#options.end();
  }

  #ready(): void {
    this.#options.write(backend.readyForQuery(this.#connection?.status ?? 'I'));
  }

  async #command(type: string, fields: FieldReader): Promise<void> {
    const { write } = this.#options;
    switch (type) {
      case 'Q':
        await this.#simpleQuery(fields.string());
        return this.#ready();
      case 'P':
        this.#parse(fields);
        return write(backend.parseComplete);
      case 'B':
        this.#bind(fields);
        return write(backend.bindComplete);
      case 'D':
        return this.#describe(fields.char(), fields.string());
      case 'E':
        return this.#execute(fields.string(), fields.int32());
      case 'C':
        if (fields.char() === 'S') this.#prepared.delete(fields.string());
        else this.#portals.delete(fields.string());
        return write(backend.closeComplete);
      case 'S':
        this.#skipping = false;
        if (this.#connection?.status === 'I') this.#portals.clear();
        return this.#ready();
      case 'H':
        return;
      case 'X':
        return this.#options.end();
      default:
        throw new WireError(`there is no message "${type}" here`);
    }
  }

  /** Several statements in one message are one transaction, unless they have words for it themselves. */
  async #simpleQuery(text: string): Promise<void> {
    const { write } = this.#options;
    const statements = splitStatements(text);
    if (statements.length === 0) return write(backend.emptyQueryResponse);
    const controls = statements.some(({ verb }) => /^(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)$/.test(verb));
    const wrapped = statements.length > 1 && !controls && this.#connection?.status === 'I';
    const control = async (word: string): Promise<void> => {
      const [statement] = splitStatements(word);
      if (wrapped && statement !== undefined) await this.#run(statement, []);
    };
    await control('BEGIN');
    try {
      for (const statement of statements) {
        if (statement.parameterCount > 0) throw new SqlError('42P02', 'there is no parameter $1');
        const { fields, rows, tag } = await this.#run(statement, []);
        if (fields !== undefined) write(backend.rowDescription(fields));
        for (const row of rows) write(backend.dataRow(row, fields ?? []));
        write(backend.commandComplete(tag));
      }
      await control('COMMIT');
    } catch (error) {
      await control('ROLLBACK');
      throw error;
    }
  }

  #parse(fields: FieldReader): void {
    const name = fields.string();
    const statements = splitStatements(fields.string());
    const declared = fields.list(() => fields.int32());
    if (statements.length > 1) {
      throw new SqlError('42601', 'cannot insert multiple commands into a prepared statement');
    }
    if (name !== '' && this.#prepared.has(name)) {
      throw new SqlError('42P05', `prepared statement "${name}" already exists`);
    }
    limit(this.#prepared, 'prepared statements');
    const [statement = { sql: '', tokens: [], verb: '', parameterCount: 0 }] = statements;
    const connection = this.#connection as Connection;
    // Errors of the text show here, as a client expects, and not at Execute.
    if (statement.sql !== '' && connection.status !== 'E') connection.describe(statement);
    this.#prepared.set(name, { statement, types: parameterTypes(statement, declared, connection.schema()) });
  }

  #bind(fields: FieldReader): void {
    const portal = fields.string();
    const name = fields.string();
    const prepared = this.#prepared.get(name);
    if (prepared === undefined) throw new SqlError('26000', `prepared statement "${name}" does not exist`);
    const formats = fields.list(() => fields.int16());
    const raw = fields.list(() => {
      const length = fields.int32();
      return length === -1 ? null : fields.bytes(length);
    });
    const { types } = prepared;
    if (raw.length !== types.length) {
      throw new SqlError(
        '08P01',
        `bind message supplies ${raw.length} parameters, but prepared statement "${name}" requires ${types.length}`,
      );
    }
    if (fields.list(() => fields.int16()).includes(1)) {
      throw new SqlError('0A000', 'results in the binary format are not supported', 'ask for the text format');
    }
    const values = raw.map((bytes, at): SqlValue => {
      if (bytes === null) return null;
      const type = types[at] ?? OID.unspecified;
      const binary = (formats.length === 1 ? formats[0] : formats[at]) === 1;
      return binary ? decodeBinary(bytes, type) : decodeText(bytes.toString('utf8'), type);
    });
    limit(this.#portals, 'portals');
    this.#portals.set(portal, { prepared, values, sent: 0 });
  }

  async #describe(kind: string, name: string): Promise<void> {
    const { write } = this.#options;
    let fields: Result['fields'];
    if (kind === 'S') {
      const prepared = this.#prepared.get(name);
      if (prepared === undefined) throw new SqlError('26000', `prepared statement "${name}" does not exist`);
      write(backend.parameterDescription(prepared.types.map((type) => type || OID.text)));
      fields = prepared.statement.sql === '' ? undefined : this.#connection?.describe(prepared.statement);
    } else {
      const portal = this.#portal(name);
      const { statement } = portal.prepared;
      if (statement.sql !== '' && this.#connection?.describe(statement) !== undefined) {
        portal.result = await this.#run(statement, portal.values);
        fields = portal.result.fields;
      }
    }
    write(fields === undefined ? backend.noData : backend.rowDescription(fields));
  }

  async #execute(name: string, maxRows: number): Promise<void> {
    const { write } = this.#options;
    const portal = this.#portal(name);
    const { statement } = portal.prepared;
    if (statement.sql === '') return write(backend.emptyQueryResponse);
    if (maxRows > 0) throw new SqlError('0A000', 'a row limit in Execute is not supported');
    portal.result ??= await this.#run(statement, portal.values);
    const { fields, rows, tag } = portal.result;
    for (const row of rows.slice(portal.sent)) write(backend.dataRow(row, fields ?? []));
    portal.sent = rows.length;
    write(backend.commandComplete(tag));
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new SqlError('34000', `portal "${name}" does not exist`);
    return portal;
  }

  async #run(statement: StatementText, values: readonly SqlValue[]): Promise<Result> {
    const result = await this.#chosen.whenFree(() => {
      // The client may have gone while it waited.
      if (this.#connection === undefined) throw new SqlError('57P01', 'the connection was closed');
      return this.#connection.run(statement, values);
    });
    if (this.#connection?.status === 'I') this.#database?.released();
    return result;
  }
}

function limit(named: ReadonlyMap<string, unknown>, what: string): void {
  if (named.size >= MAX_NAMED) throw new SqlError('54000', `too many ${what}, ${MAX_NAMED} at most; close some`);
}

/** In a time that tells nothing of the password. */
function equal(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

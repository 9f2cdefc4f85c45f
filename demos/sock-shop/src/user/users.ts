// The customers, their addresses and their cards, as the database keeps them and as the API shows them.
import { Database, newId, type Row } from '../web/database.ts';
import { RequestError, text } from '../web/service.ts';
import { hashPassword, isPassword } from './password.ts';

export type Body = Readonly<Record<string, unknown>>;
/** A customer, an address or a card, with its HAL links. */
export type Entity = Readonly<Record<string, unknown>> & { readonly id: string };
export type EntityKind = 'customer' | 'address' | 'card';

/** Those who have an account from the beginning; each has an address and a card. */
const FIRST_CUSTOMERS = [
  { id: '5f1e00000000000000000001', first: 'Eve', last: 'Berger', username: 'Eve_Berger', password: 'eve' },
  { id: '5f1e00000000000000000002', first: 'User', last: 'Name', username: 'user', password: 'password' },
  { id: '5f1e00000000000000000003', first: 'User1', last: 'Name1', username: 'user1', password: 'password' },
] as const;

const FIRST_ADDRESSES = [
  { number: '7', street: 'Harbour Road', city: 'Nafplio', postcode: '211 00', country: 'Greece' },
  { number: '24', street: 'Loom Lane', city: 'Leicester', postcode: 'LE1 5YA', country: 'United Kingdom' },
  { number: '112', street: 'Rue des Tricoteurs', city: 'Troyes', postcode: '10000', country: 'France' },
] as const;

const FIRST_CARDS = [
  { longNum: '4111111111111111', expires: '08/29', ccv: '958' },
  { longNum: '5555555555554444', expires: '04/30', ccv: '280' },
  { longNum: '4012888888881881', expires: '11/28', ccv: '374' },
] as const;

const COLUMNS = {
  customer: 'id, first_name, last_name, username',
  address: 'id, number, street, city, postcode, country',
  card: 'id, long_num, expires, ccv',
} as const;
/** The tables, and the parts of the API's paths. */
const PLURALS = { customer: 'customers', address: 'addresses', card: 'cards' } as const;

async function prepare(db: Database): Promise<void> {
  await db.run(
    'CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, first_name TEXT NOT NULL, ' +
      'last_name TEXT NOT NULL, email TEXT NOT NULL, password TEXT NOT NULL)',
  );
  await db.run(
    'CREATE TABLE IF NOT EXISTS addresses (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, number TEXT NOT NULL, ' +
      'street TEXT NOT NULL, city TEXT NOT NULL, postcode TEXT NOT NULL, country TEXT NOT NULL)',
  );
  await db.run(
    'CREATE TABLE IF NOT EXISTS cards (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, long_num TEXT NOT NULL, ' +
      'expires TEXT NOT NULL, ccv TEXT NOT NULL)',
  );
  const [known] = await db.run('SELECT id FROM customers LIMIT 1');
  // Not again: who deleted one of them does not want it back.
  if (known !== undefined) return;
  for (const [index, { id, first, last, username, password }] of FIRST_CUSTOMERS.entries()) {
    const suffix = id.slice(-2);
    await db.run(`${INSERT_ADDRESS} ON CONFLICT (id) DO NOTHING`, [
      `5f1e000000000000000001${suffix}`,
      id,
      ...addressValues(FIRST_ADDRESSES[index] ?? {}),
    ]);
    await db.run(`${INSERT_CARD} ON CONFLICT (id) DO NOTHING`, [
      `5f1e000000000000000002${suffix}`,
      id,
      ...cardValues(FIRST_CARDS[index] ?? {}),
    ]);
    await db.run(`${INSERT_CUSTOMER} ON CONFLICT (id) DO NOTHING`, [
      id,
      username,
      first,
      last,
      `${username}@example.com`,
      await hashPassword(password),
    ]);
  }
}

const INSERT_CUSTOMER =
  'INSERT INTO customers (id, username, first_name, last_name, email, password) VALUES ($1, $2, $3, $4, $5, $6)';
const INSERT_ADDRESS =
  'INSERT INTO addresses (id, customer_id, number, street, city, postcode, country) VALUES ($1, $2, $3, $4, $5, $6, $7)';
const INSERT_CARD = 'INSERT INTO cards (id, customer_id, long_num, expires, ccv) VALUES ($1, $2, $3, $4, $5)';

const addressValues = (body: Body): string[] =>
  ['number', 'street', 'city', 'postcode', 'country'].map((name) => text(body[name]));
const cardValues = (body: Body): string[] => ['longNum', 'expires', 'ccv'].map((name) => text(body[name]));

export class Users {
  readonly database = new Database('user-db', 27017, prepare);
  /** The host that links name. */
  readonly #linkHost: string;

  constructor(linkHost: string) {
    this.#linkHost = linkHost;
  }

  /** As the original has it: a name that nobody has is an error, a wrong password a refusal. */
  async login(username: string, password: string): Promise<Entity> {
    const [row] = await this.database.query(`SELECT ${COLUMNS.customer}, password FROM customers WHERE username = $1`, [
      username,
    ]);
    if (row === undefined) throw new RequestError(500, 'not found');
    if (!(await isPassword(password, String(row['password'])))) throw new RequestError(401, 'Unauthorized');
    return this.#entity('customer', row);
  }

  /** Its id. A username that is taken is refused. */
  async register(body: Body): Promise<string> {
    const username = text(body['username']);
    const password = text(body['password']);
    if (username === '' || password === '') throw new RequestError(500, 'username and password are needed');
    const [taken] = await this.database.query('SELECT id FROM customers WHERE username = $1', [username]);
    if (taken !== undefined) throw new RequestError(500, `there is a customer ${username} already`);
    const id = newId();
    await this.database.run(INSERT_CUSTOMER, [
      id,
      username,
      text(body['firstName']),
      text(body['lastName']),
      text(body['email']),
      await hashPassword(password),
    ]);
    return id;
  }

  async addAddress(body: Body): Promise<string> {
    const id = newId();
    await this.database.run(INSERT_ADDRESS, [id, text(body['userID']), ...addressValues(body)]);
    return id;
  }

  async addCard(body: Body): Promise<string> {
    const id = newId();
    await this.database.run(INSERT_CARD, [id, text(body['userID']), ...cardValues(body)]);
    return id;
  }

  async all(kind: EntityKind): Promise<Entity[]> {
    const rows = await this.database.query(`SELECT ${COLUMNS[kind]} FROM ${PLURALS[kind]} ORDER BY id`);
    return rows.map((row) => this.#entity(kind, row));
  }

  async one(kind: EntityKind, id: string): Promise<Entity> {
    const [row] = await this.database.query(`SELECT ${COLUMNS[kind]} FROM ${PLURALS[kind]} WHERE id = $1`, [id]);
    if (row === undefined) throw new RequestError(500, 'not found');
    return this.#entity(kind, row);
  }

  /** The newest first: an order takes the first, which is then the one that was added last. */
  async of(customer: string, kind: 'address' | 'card'): Promise<Entity[]> {
    const rows = await this.database.query(
      `SELECT ${COLUMNS[kind]} FROM ${PLURALS[kind]} WHERE customer_id = $1 ORDER BY id DESC`,
      [customer],
    );
    return rows.map((row) => this.#entity(kind, row));
  }

  async remove(kind: EntityKind, id: string): Promise<void> {
    if (kind === 'customer') {
      await this.database.query('DELETE FROM addresses WHERE customer_id = $1', [id]);
      await this.database.query('DELETE FROM cards WHERE customer_id = $1', [id]);
    }
    await this.database.query(`DELETE FROM ${PLURALS[kind]} WHERE id = $1`, [id]);
  }

  #entity(kind: EntityKind, row: Row): Entity {
    const id = String(row['id']);
    const self = { href: `http://${this.#linkHost}/${PLURALS[kind]}/${id}` };
    const at = (name: string) => String(row[name] ?? '');
    switch (kind) {
      case 'customer':
        return {
          firstName: at('first_name'),
          lastName: at('last_name'),
          username: at('username'),
          id,
          _links: {
            addresses: { href: `${self.href}/addresses` },
            cards: { href: `${self.href}/cards` },
            customer: self,
            self,
          },
        };
      case 'address':
        return {
          street: at('street'),
          number: at('number'),
          country: at('country'),
          city: at('city'),
          postcode: at('postcode'),
          id,
          _links: { address: self, self },
        };
      case 'card':
        return {
          longNum: at('long_num'),
          expires: at('expires'),
          ccv: at('ccv'),
          id,
          _links: { card: self, self },
        };
    }
  }
}

// The customer API. Version 2.0 tells each customer's loyalty level too.
import { randomUUID } from 'node:crypto';
import { serveApi } from './shared/api.ts';
import { Database } from './shared/database.ts';
import { EMAIL, readFields } from './shared/fields.ts';
import { HttpError } from './shared/http-body.ts';
import { Log } from './shared/log.ts';
import { OUTBOX_TABLE, Outbox } from './shared/outbox.ts';

const VERSION = process.env['API_VERSION'] ?? '1.0';

const RULES = {
  customerId: { label: 'customer id', optional: true, maxLength: 100 },
  name: { label: 'name' },
  address: { label: 'address' },
  postalCode: { label: 'postal code', maxLength: 20 },
  city: { label: 'city' },
  telephoneNumber: { label: 'telephone number', maxLength: 40 },
  emailAddress: { label: 'e-mail address', ...EMAIL },
} as const;

interface CustomerRow {
  customer_id: string;
  name: string;
  address: string;
  postal_code: string;
  city: string;
  telephone_number: string;
  email_address: string;
}

type Customer = Record<keyof typeof RULES, string>;

const COLUMNS = 'customer_id, name, address, postal_code, city, telephone_number, email_address';

/** 3 gold, 2 silver, 1 bronze: who lives near a garage of ours comes more often. */
function loyaltyLevel(city: string): number {
  switch (city.toLowerCase()) {
    case 'amsterdam':
      return 3;
    case 'den haag':
      return 2;
    default:
      return 1;
  }
}

function customerOf(row: CustomerRow): Customer {
  return {
    customerId: row.customer_id,
    name: row.name,
    address: row.address,
    postalCode: row.postal_code,
    city: row.city,
    telephoneNumber: row.telephone_number,
    emailAddress: row.email_address,
  };
}

const shown = (customer: Customer) =>
  VERSION === '2.0' ? { ...customer, loyaltyLevel: loyaltyLevel(customer.city) } : customer;

const log = new Log('CustomerManagementAPI');
const database = await Database.open(
  'CustomerManagement',
  [
    `CREATE TABLE IF NOT EXISTS customer (
      customer_id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, postal_code TEXT NOT NULL,
      city TEXT NOT NULL, telephone_number TEXT NOT NULL, email_address TEXT NOT NULL)`,
    OUTBOX_TABLE,
  ],
  log,
);
const outbox = new Outbox(database, log);
outbox.publish();

async function find(customerId: string): Promise<Customer | undefined> {
  const [row] = await database.query<CustomerRow>(`SELECT ${COLUMNS} FROM customer WHERE customer_id = $1`, [
    customerId,
  ]);
  return row && customerOf(row);
}

/** False when there is a customer of that id. */
async function insert(customer: Customer): Promise<boolean> {
  return database.transaction(async (queries) => {
    const { customerId, name, address, postalCode, city, telephoneNumber, emailAddress } = customer;
    const inserted = await queries.query(
      `INSERT INTO customer (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (customer_id) DO NOTHING RETURNING customer_id`,
      [customerId, name, address, postalCode, city, telephoneNumber, emailAddress],
    );
    if (inserted.length === 0) return false;
    await outbox.write(queries, 'CustomerRegistered', customer);
    return true;
  });
}

serveApi({
  title: 'CustomerManagement API',
  version: VERSION,
  standardPort: 5100,
  log,
  isHealthy: () => database.isReachable(),
  routes: [
    {
      method: 'GET',
      path: '/api/customers',
      summary: 'All customers.',
      async handle() {
        const rows = await database.query<CustomerRow>(`SELECT ${COLUMNS} FROM customer ORDER BY name, customer_id`);
        return { status: 200, body: rows.map((row) => shown(customerOf(row))) };
      },
    },
    {
      method: 'GET',
      path: '/api/customers/{customerId}',
      summary: 'One customer, or 404.',
      async handle(request) {
        const customer = await find(request.parameter('customerId'));
        return customer === undefined ? { status: 404 } : { status: 200, body: shown(customer) };
      },
    },
    {
      method: 'POST',
      path: '/api/customers',
      summary: 'Registers a customer: 201, 400 when a field is not valid, 409 when the id is taken.',
      async handle(request) {
        const fields = readFields(RULES, await request.json());
        const customer = { ...fields, customerId: fields.customerId || randomUUID() };
        if (await insert(customer)) {
          log.information('Registered customer {CustomerId}', { CustomerId: customer.customerId });
          outbox.publish();
        } else {
          // The same again is a caller that did not get the first answer.
          const stored = await find(customer.customerId);
          if (JSON.stringify(stored) !== JSON.stringify(customer)) {
            throw new HttpError(409, { errorMessage: `There is another customer ${customer.customerId}.` });
          }
        }
        const location = `/api/customers/${encodeURIComponent(customer.customerId)}`;
        return { status: 201, body: shown(customer), location };
      },
    },
  ],
});

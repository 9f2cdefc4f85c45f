// The carts: one for each customer, or each visitor who has not said who they are.
import { Database, newId, type Row } from './web/database.ts';
import { servicePort } from './web/environment.ts';
import { json, RequestError, type ShopReply, serveShop, text } from './web/service.ts';
import { springError, springHealth, springMissing } from './web/spring-dialect.ts';

interface Item {
  readonly id: string;
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

const database = new Database('carts-db', 27017, async (db) => {
  await db.run('CREATE TABLE IF NOT EXISTS cart (customer_id TEXT PRIMARY KEY, id TEXT NOT NULL)');
  await db.run(
    'CREATE TABLE IF NOT EXISTS item (customer_id TEXT NOT NULL, item_id TEXT NOT NULL, id TEXT NOT NULL, ' +
      'quantity INTEGER NOT NULL, unit_price DOUBLE PRECISION NOT NULL, PRIMARY KEY (customer_id, item_id))',
  );
});

const ITEM_COLUMNS = 'id, item_id, quantity, unit_price';

function itemOf(row: Row): Item {
  return {
    id: String(row['id']),
    itemId: String(row['item_id']),
    quantity: Number(row['quantity']),
    unitPrice: Number(row['unit_price']),
  };
}

async function items(customer: string): Promise<Item[]> {
  const rows = await database.query(`SELECT ${ITEM_COLUMNS} FROM item WHERE customer_id = $1 ORDER BY id`, [customer]);
  return rows.map(itemOf);
}

/** The cart, made empty when it was not there. */
async function cart(customer: string): Promise<ShopReply> {
  await database.query('INSERT INTO cart (customer_id, id) VALUES ($1, $2) ON CONFLICT (customer_id) DO NOTHING', [
    customer,
    newId(),
  ]);
  const [row] = await database.query('SELECT id FROM cart WHERE customer_id = $1', [customer]);
  return json(200, { id: row?.['id'], customerId: customer, items: await items(customer) });
}

async function remove(customer: string): Promise<ShopReply> {
  await database.query('DELETE FROM item WHERE customer_id = $1', [customer]);
  await database.query('DELETE FROM cart WHERE customer_id = $1', [customer]);
  return { status: 202 };
}

interface NewItem {
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

function newItem(body: Readonly<Record<string, unknown>>): NewItem {
  const itemId = text(body['itemId']);
  const quantity = body['quantity'] ?? 1;
  const unitPrice = body['unitPrice'] ?? 0;
  if (itemId === '') throw new RequestError(400, 'itemId is missing');
  if (!Number.isInteger(quantity) || Math.abs(Number(quantity)) > 1_000_000) {
    throw new RequestError(400, 'quantity is not a whole number');
  }
  if (typeof unitPrice !== 'number') throw new RequestError(400, 'unitPrice is not a number');
  return { itemId, quantity: Number(quantity), unitPrice };
}

/** One more of it when it is in the cart already: that is decided in the database, so that no click is lost. */
async function add(customer: string, item: NewItem, onConflict: 'one more' | 'as many more'): Promise<Item> {
  const more = onConflict === 'one more' ? '1' : 'excluded.quantity';
  const [row] = await database.run(
    'INSERT INTO item (customer_id, item_id, id, quantity, unit_price) VALUES ($1, $2, $3, $4, $5) ' +
      `ON CONFLICT (customer_id, item_id) DO UPDATE SET quantity = item.quantity + ${more} RETURNING ${ITEM_COLUMNS}`,
    [customer, item.itemId, newId(), item.quantity, item.unitPrice],
  );
  return itemOf(row ?? {});
}

async function merge(customer: string, session: string | null): Promise<ShopReply> {
  if (session === null) throw new RequestError(400, "Required String parameter 'sessionId' is not present");
  if (session !== customer) {
    for (const item of await items(session)) await add(customer, item, 'as many more');
    await remove(session);
  }
  return { status: 202 };
}

async function update(customer: string, item: NewItem): Promise<ShopReply> {
  await database.query('UPDATE item SET quantity = $1 WHERE customer_id = $2 AND item_id = $3', [
    item.quantity,
    customer,
    item.itemId,
  ]);
  return { status: 202 };
}

async function itemIn(customer: string, itemId: string): Promise<ShopReply> {
  const found = (await items(customer)).find((item) => item.itemId === itemId);
  if (found === undefined) throw new RequestError(404, `no item ${itemId} in this cart`);
  return json(200, found);
}

async function removeItem(customer: string, itemId: string): Promise<ShopReply> {
  await database.query('DELETE FROM item WHERE customer_id = $1 AND item_id = $2', [customer, itemId]);
  return { status: 202 };
}

const CART = '/carts/:customer';

serveShop({
  name: 'carts',
  port: servicePort(),
  failed: springError,
  missing: springMissing,
  started: (port) => console.log(`Started carts on port ${port}`),
  routes: [
    { method: 'GET', path: CART, handle: ({ params }) => cart(params['customer'] ?? '') },
    { method: 'DELETE', path: CART, handle: ({ params }) => remove(params['customer'] ?? '') },
    {
      method: 'GET',
      path: `${CART}/merge`,
      handle: ({ params, query }) => merge(params['customer'] ?? '', query.get('sessionId')),
    },
    {
      method: 'GET',
      path: `${CART}/items`,
      handle: async ({ params }) => json(200, await items(params['customer'] ?? '')),
    },
    {
      method: 'POST',
      path: `${CART}/items`,
      handle: async (request) =>
        json(201, await add(request.params['customer'] ?? '', newItem(await request.json()), 'one more')),
    },
    {
      method: 'PATCH',
      path: `${CART}/items`,
      handle: async (request) => update(request.params['customer'] ?? '', newItem(await request.json())),
    },
    {
      method: 'GET',
      path: `${CART}/items/:item`,
      handle: ({ params }) => itemIn(params['customer'] ?? '', params['item'] ?? ''),
    },
    {
      method: 'DELETE',
      path: `${CART}/items/:item`,
      handle: ({ params }) => removeItem(params['customer'] ?? '', params['item'] ?? ''),
    },
    {
      method: 'GET',
      path: '/health',
      handle: async () =>
        springHealth([
          ['carts', true],
          ['carts-db', await database.isHealthy()],
        ]),
    },
  ],
});

// The orders: placed with the help of five other services, and kept.
import { tracingHeaders } from '@varka/demo-kit/tracing-headers.ts';
import { Database, newId, type Row } from '../web/database.ts';
import { servicePort } from '../web/environment.ts';
import { json, RequestError, type ShopReply, type ShopRequest, serveShop } from '../web/service.ts';
import { springDate, springError, springHealth, springMissing } from '../web/spring-dialect.ts';
import { placeOrder } from './place-order.ts';

const database = new Database('orders-db', 27017, async (db) => {
  await db.run(
    'CREATE TABLE IF NOT EXISTS customer_order (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, date TEXT NOT NULL, content TEXT NOT NULL)',
  );
});

const DEFAULT_PAGE_SIZE = 20;
const MAX_PAGE_SIZE = 1000;

async function place(request: ShopRequest): Promise<ShopReply> {
  const placed = await placeOrder(await request.json(), tracingHeaders(request.headers));
  const date = springDate(new Date());
  const order = { id: newId(), ...placed, date };
  await database.run('INSERT INTO customer_order (id, customer_id, date, content) VALUES ($1, $2, $3, $4)', [
    order.id,
    order.customerId,
    date,
    JSON.stringify(order),
  ]);
  console.log(`order ${order.id} of customer ${order.customerId}: ${order.total}`);
  return json(201, order);
}

function resource(row: Row, host: string): Record<string, unknown> {
  const self = { href: `http://${host}/orders/${String(row['id'])}` };
  return { ...(JSON.parse(String(row['content'])) as object), _links: { self, customerOrder: self } };
}

const hostOf = ({ headers }: ShopRequest): string => headers.host ?? 'orders';
const hal = (value: unknown): ShopReply => json(200, value, { 'content-type': 'application/hal+json;charset=UTF-8' });

async function page(request: ShopRequest): Promise<ShopReply> {
  const whole = (name: string, fallback: number, max: number) => {
    const value = request.query.get(name) ?? '';
    return /^\d{1,9}$/.test(value) ? Math.min(Number(value), max) : fallback;
  };
  const size = Math.max(1, whole('size', DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE));
  const number = whole('page', 0, Number.MAX_SAFE_INTEGER);
  const [counted] = await database.query('SELECT COUNT(*) AS total FROM customer_order');
  const rows = await database.query('SELECT id, content FROM customer_order ORDER BY id LIMIT $1 OFFSET $2', [
    size,
    number * size,
  ]);
  const totalElements = Number(counted?.['total'] ?? 0);
  return hal({
    _embedded: { customerOrders: rows.map((row) => resource(row, hostOf(request))) },
    _links: { self: { href: `http://${hostOf(request)}/orders` } },
    page: { size, totalElements, totalPages: Math.ceil(totalElements / size), number },
  });
}

async function search(request: ShopRequest): Promise<ShopReply> {
  const order = (request.query.get('sort') ?? '').startsWith('date') ? 'date, id' : 'id';
  const rows = await database.query(`SELECT id, content FROM customer_order WHERE customer_id = $1 ORDER BY ${order}`, [
    request.query.get('custId') ?? '',
  ]);
  return hal({
    _embedded: { customerOrders: rows.map((row) => resource(row, hostOf(request))) },
    _links: { self: { href: `http://${hostOf(request)}${request.url}` } },
  });
}

async function one(request: ShopRequest): Promise<ShopReply> {
  const [row] = await database.query('SELECT id, content FROM customer_order WHERE id = $1', [request.params['id']]);
  if (row === undefined) throw new RequestError(404, `no order ${request.params['id']}`);
  return hal(resource(row, hostOf(request)));
}

serveShop({
  name: 'orders',
  port: servicePort(),
  failed: springError,
  missing: springMissing,
  started: (port) => console.log(`Started orders on port ${port}`),
  routes: [
    { method: 'POST', path: '/orders', handle: place },
    { method: 'GET', path: '/orders', handle: page },
    { method: 'GET', path: '/orders/search/customerId', handle: search },
    { method: 'GET', path: '/orders/:id', handle: one },
    {
      method: 'GET',
      path: '/health',
      handle: async () =>
        springHealth([
          ['orders', true],
          ['orders-db', await database.isHealthy()],
        ]),
    },
  ],
});

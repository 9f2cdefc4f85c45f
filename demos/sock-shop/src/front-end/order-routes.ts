// What the pages ask about orders.
import { serviceUrl } from '../web/environment.ts';
import type { Handler, Route, ShopReply, ShopRequest } from '../web/service.ts';
import { itemsUrl } from './cart-routes.ts';
import { ask, embedded, link, parsed, passThrough } from './upstream.ts';
import type { Visit } from './visit.ts';

type Visits = (handle: (request: ShopRequest, visit: Visit) => ShopReply | Promise<ShopReply>) => Handler;

const ORDERS = `${serviceUrl('orders')}/orders`;

async function list(customerId: string): Promise<ShopReply> {
  const reply = await ask(`${ORDERS}/search/customerId?sort=date&custId=${encodeURIComponent(customerId)}`);
  const orders = reply.status === 404 ? [] : embedded(parsed(reply), 'customerOrders');
  // 201 and not 200: so it is in the original.
  return { status: 201, body: JSON.stringify(orders) };
}

async function place(customerId: string): Promise<ShopReply> {
  const customer = parsed(await ask(`${serviceUrl('user')}/customers/${encodeURIComponent(customerId)}`));
  const first = async (list: 'addresses' | 'cards', name: string) => {
    const href = link(customer, list);
    if (href === null) throw new Error(`customer ${customerId} has no link to ${list}`);
    return link(embedded(parsed(await ask(href)), name)[0], 'self');
  };
  const [address, card] = await Promise.all([first('addresses', 'address'), first('cards', 'card')]);
  const order = { customer: link(customer, 'customer'), address, card, items: itemsUrl(customerId) };
  console.log(`Posting Order: ${JSON.stringify(order)}`);
  const { status, bytes } = await ask(ORDERS, 'POST', order);
  return { status, body: bytes };
}

export function orderRoutes(visits: Visits): Route[] {
  return [
    { method: 'GET', path: '/orders', handle: visits((_, visit) => list(visit.customerId)) },
    { method: 'GET', path: '/orders/*', handle: visits(({ url }) => passThrough(`${serviceUrl('orders')}${url}`)) },
    { method: 'POST', path: '/orders', handle: visits((_, visit) => place(visit.customerId)) },
  ];
}

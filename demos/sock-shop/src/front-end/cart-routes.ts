// What the pages ask about the cart.
import { serviceUrl } from '../web/environment.ts';
import { type Handler, type Route, type ShopReply, type ShopRequest, text } from '../web/service.ts';
import { ask, parsed } from './upstream.ts';
import type { Visit } from './visit.ts';

type Visits = (handle: (request: ShopRequest, visit: Visit) => ShopReply | Promise<ShopReply>) => Handler;

const CARTS = `${serviceUrl('carts')}/carts`;
const cartOf = (owner: string): string => `${CARTS}/${encodeURIComponent(owner)}`;

async function itemFromCatalogue(id: string): Promise<{ itemId: string; unitPrice: unknown }> {
  const sock = parsed(await ask(`${serviceUrl('catalogue')}/catalogue/${encodeURIComponent(id)}`));
  return { itemId: text(sock['id']), unitPrice: sock['price'] };
}

async function change(method: 'POST' | 'PATCH', owner: string, item: unknown, expected: number): Promise<ShopReply> {
  const { status } = await ask(`${cartOf(owner)}/items`, method, item);
  if (status !== expected) throw new Error(`Unable to add to cart. Status code: ${status}`);
  return { status };
}

export function cartRoutes(visits: Visits): Route[] {
  return [
    {
      method: 'GET',
      path: '/cart',
      handle: visits(async (_, visit) => {
        const { status, bytes } = await ask(`${cartOf(visit.cartOwner)}/items`);
        return { status, body: bytes };
      }),
    },
    {
      method: 'DELETE',
      path: '/cart',
      handle: visits(async (_, visit) => ({ status: (await ask(cartOf(visit.cartOwner), 'DELETE')).status })),
    },
    {
      method: 'DELETE',
      path: '/cart/:id',
      handle: visits(async ({ params }, visit) => {
        const item = `${cartOf(visit.cartOwner)}/items/${encodeURIComponent(params['id'] ?? '')}`;
        return { status: (await ask(item, 'DELETE')).status };
      }),
    },
    {
      method: 'POST',
      path: '/cart',
      handle: visits(async (request, visit) => {
        const id = text((await request.json())['id']);
        if (id === '') throw new Error('Must pass id of item to add');
        return change('POST', visit.cartOwner, await itemFromCatalogue(id), 201);
      }),
    },
    {
      method: 'POST',
      path: '/cart/update',
      handle: visits(async (request, visit) => {
        const body = await request.json();
        const id = text(body['id']);
        if (id === '') throw new Error('Must pass id of item to update');
        const quantity = Number.parseInt(text(body['quantity']), 10);
        if (Number.isNaN(quantity)) throw new Error('Must pass quantity to update');
        return change('PATCH', visit.cartOwner, { ...(await itemFromCatalogue(id)), quantity }, 202);
      }),
    },
  ];
}

/** What was put into the cart before saying who one is goes along. */
export async function mergeCarts(customerId: string, sessionId: string): Promise<void> {
  await ask(`${cartOf(customerId)}/merge?sessionId=${encodeURIComponent(sessionId)}`);
}

/** Where the orders service finds the items. */
export function itemsUrl(customerId: string): string {
  return `${cartOf(customerId)}/items`;
}

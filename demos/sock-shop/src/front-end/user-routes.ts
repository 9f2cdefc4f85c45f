// What the pages ask about the customer: logging in, registering, addresses and cards.
import { send } from '@varka/demo-kit/call.ts';
import { serviceUrl } from '../web/environment.ts';
import { type Handler, type Route, type ShopReply, type ShopRequest, text } from '../web/service.ts';
import { mergeCarts } from './cart-routes.ts';
import { ask, embedded, parsed, passBody } from './upstream.ts';
import { type Visit, withCookie } from './visit.ts';

type Visits = (handle: (request: ShopRequest, visit: Visit) => ShopReply | Promise<ShopReply>) => Handler;

const USER = serviceUrl('user');
const LOGGED_IN_SECONDS = 3600;

const customerUrl = (id: string): string => `${USER}/customers/${encodeURIComponent(id)}`;
const html = { 'content-type': 'text/html; charset=utf-8' };

/** The visitor is `customerId` from now on: their session says so, and a cookie that the pages can see. */
async function welcome(visit: Visit, customerId: string, reply: ShopReply): Promise<ShopReply> {
  visit.logIn(customerId);
  await mergeCarts(customerId, visit.sessionId);
  const expires = new Date(Date.now() + LOGGED_IN_SECONDS * 1000).toUTCString();
  return withCookie(
    reply,
    `logged_in=${visit.sessionId}; Max-Age=${LOGGED_IN_SECONDS}; Path=/; Expires=${expires}; SameSite=Lax`,
  );
}

/** 401 for whatever reason the user service has. */
async function login({ headers }: ShopRequest, visit: Visit): Promise<ShopReply> {
  const { authorization } = headers;
  const reply = await send(`${USER}/login`, { headers: authorization === undefined ? {} : { authorization } });
  const customer = reply.status === 200 ? parsed(reply)['user'] : undefined;
  const id = text((customer as Readonly<Record<string, unknown>> | undefined)?.['id']);
  if (id === '') {
    console.log(`Error with log in: the user service answered ${reply.status}`);
    return { status: 401 };
  }
  return welcome(visit, id, { status: 200, headers: html, body: 'Cookie is set' });
}

async function register(request: ShopRequest, visit: Visit): Promise<ShopReply> {
  const reply = await ask(`${USER}/register`, 'POST', await request.json());
  const id = reply.status === 200 ? text(parsed(reply)['id']) : '';
  if (id === '') {
    console.log(`Error with registration: the user service answered ${reply.status}`);
    return { status: 500 };
  }
  return welcome(visit, id, {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ id }),
  });
}

/** The customer's first card or address as the pages show it; `{"status_code":500}` when there is none. */
async function firstOf(
  visit: Visit,
  list: 'cards' | 'addresses',
  name: string,
  show: (entity: Readonly<Record<string, unknown>>) => unknown,
): Promise<ShopReply> {
  const [first] = embedded(parsed(await ask(`${customerUrl(visit.cartOwner)}/${list}`)), name);
  return { status: 200, body: JSON.stringify(first === undefined ? { status_code: 500 } : show(first)) };
}

function entityRoutes(visits: Visits, name: 'customers' | 'addresses' | 'cards'): Route[] {
  const url = `${USER}/${name}`;
  const one = (id = '') => `${url}/${encodeURIComponent(id)}`;
  return [
    { method: 'GET', path: `/${name}`, handle: visits(() => passBody(url)) },
    {
      method: 'GET',
      path: `/${name}/:id`,
      // Whichever customer is asked for, the one who asks is shown.
      handle: visits(({ params }, visit) =>
        passBody(name === 'customers' ? customerUrl(visit.customerId) : one(params['id'])),
      ),
    },
    {
      method: 'POST',
      path: `/${name}`,
      handle: visits(async (request, visit) => {
        const body = await request.json();
        return passBody(url, 'POST', name === 'customers' ? body : { ...body, userID: visit.cartOwner });
      }),
    },
    { method: 'DELETE', path: `/${name}/:id`, handle: visits(({ params }) => passBody(one(params['id']), 'DELETE')) },
  ];
}

export function userRoutes(visits: Visits): Route[] {
  return [
    { method: 'GET', path: '/login', handle: visits(login) },
    { method: 'POST', path: '/register', handle: visits(register) },
    {
      method: 'GET',
      path: '/card',
      handle: visits((_, visit) =>
        firstOf(visit, 'cards', 'card', (card) => ({ number: text(card['longNum']).slice(-4) })),
      ),
    },
    {
      method: 'GET',
      path: '/address',
      handle: visits((_, visit) => firstOf(visit, 'addresses', 'address', (address) => address)),
    },
    ...entityRoutes(visits, 'customers'),
    ...entityRoutes(visits, 'addresses'),
    ...entityRoutes(visits, 'cards'),
  ];
}

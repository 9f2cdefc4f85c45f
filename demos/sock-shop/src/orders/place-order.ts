// What placing an order takes: four things fetched, a payment, a shipment.
import { CallError, type CallReply, send } from '@varka/demo-kit/call.ts';
import { serviceUrl } from '../web/environment.ts';
import { RequestError, text } from '../web/service.ts';

type Json = Readonly<Record<string, unknown>>;
/** B3 headers, sent along with every call. */
type Tracing = Record<string, string | string[]>;

export interface Order {
  readonly customerId: string;
  readonly customer: Json;
  readonly address: Json;
  readonly card: Json;
  readonly items: readonly Json[];
  readonly shipment: Json;
  readonly total: number;
}

const TIMEOUT_MS = 5_000;
const SHIPPING_PRICE = 4.99;

/** `order` names customer, address, card and items by URL. Answers 406 when something is missing or not paid for. */
export async function placeOrder(order: Json, tracing: Tracing): Promise<Order> {
  const urls = ['customer', 'address', 'card', 'items'].map((name) => text(order[name]));
  if (!urls.every(isHttpUrl)) {
    throw new RequestError(406, 'Invalid order request. Order requires customer, address, card and items.');
  }
  const fetchUrl = async (url = ''): Promise<unknown> =>
    parse(await within(send(url, { headers: tracing, timeoutMs: TIMEOUT_MS })));
  const [customer, address, card, items] = await Promise.all(urls.map(fetchUrl));
  if (!isObject(customer) || !isObject(address) || !isObject(card) || !Array.isArray(items)) {
    throw new RequestError(500, 'Unable to create order due to unspecified IO error.');
  }
  const contents = items.filter(isObject);
  const total = totalOf(contents);
  const payment = await post(
    `${serviceUrl('payment')}/paymentAuth`,
    { address, card, customer, amount: total },
    tracing,
  );
  if (payment['authorised'] !== true) throw new RequestError(406, text(payment['message']) || 'Payment declined');
  const customerId = /[\w-]+$/.exec(selfLink(customer) || text(order['customer']))?.[0] ?? '';
  const shipment = await post(`${serviceUrl('shipping')}/shipping`, { name: customerId }, tracing);
  return {
    customerId,
    customer: withoutLinks(customer),
    address: withoutLinks(address),
    card: withoutLinks(card),
    items: contents,
    shipment,
    total,
  };
}

/** In cents, so that sums of prices stay what they look like. */
export function totalOf(items: readonly Json[]): number {
  const prices = items.map((item) => Number(item['quantity'] ?? 0) * Number(item['unitPrice'] ?? 0));
  return Math.round((prices.reduce((sum, price) => sum + price, 0) + SHIPPING_PRICE) * 100) / 100;
}

async function post(url: string, body: Json, tracing: Tracing): Promise<Json> {
  const headers = { ...tracing, 'content-type': 'application/json' };
  const reply = await within(send(url, { method: 'POST', headers, body: JSON.stringify(body), timeoutMs: TIMEOUT_MS }));
  const value = parse(reply);
  if (!isObject(value)) throw new RequestError(500, 'Unable to create order due to unspecified IO error.');
  return value;
}

async function within(call: Promise<CallReply>): Promise<CallReply> {
  try {
    const reply = await call;
    if (reply.status < 400) return reply;
    throw new RequestError(
      500,
      `Unable to create order due to unspecified IO error: ${reply.status} ${reply.statusText}`,
    );
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    throw new RequestError(
      500,
      error.code === 'TIMEOUT'
        ? 'Unable to create order due to timeout from one of the services.'
        : `Unable to create order due to unspecified IO error: ${error.message}`,
    );
  }
}

function parse({ body }: CallReply): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RequestError(500, 'Unable to create order due to unspecified IO error.');
  }
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function selfLink(entity: Json): string {
  const links = entity['_links'];
  const self = isObject(links) ? links['self'] : undefined;
  return isObject(self) ? text(self['href']) : '';
}

function withoutLinks({ _links: _, ...entity }: Json): Json {
  return entity;
}

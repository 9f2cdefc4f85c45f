// What the sock shop does for its customers and callers, wherever it runs: the one suite for its programs alone and in
// a mesh.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Target } from '@varka/demo-kit/test/target.ts';
import { ask, Shopper } from './shopper.ts';

export interface ShopTarget extends Target {
  /** All that a program has printed. */
  log(program: string): Promise<string>;
}

interface Sock {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly imageUrl: readonly string[];
  readonly price: number;
  readonly count: number;
  readonly tag: readonly string[];
}

interface Item {
  readonly id: string;
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

interface Order {
  readonly id: string;
  readonly customerId: string;
  readonly items: readonly Item[];
  readonly shipment: { readonly id: string; readonly name: string };
  readonly address: Readonly<Record<string, string>>;
  readonly card: Readonly<Record<string, string>>;
  readonly date: string;
  readonly total: number;
}

interface GoError {
  readonly error: string;
  readonly status_code: number;
  readonly status_text: string;
}

const TAGS = ['brown', 'geek', 'formal', 'blue', 'skin', 'red', 'action', 'sport', 'black', 'magic', 'green'];
const PATIENCE_MS = 20_000;

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await setTimeout(50);
  }
}

/** Registers the tests. Each customer and each cart is new, so that they may run on a shop that was used before. */
export function behavesAsSockShop(target: () => ShopTarget): void {
  const get = (service: string, path: string) => ask(target(), service, path);
  const send = (service: string, method: string, path: string, body: unknown) =>
    ask(target(), service, path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const socks = async (query = ''): Promise<Sock[]> => (await get('catalogue', `/catalogue${query}`)).json<Sock[]>();
  const sockOf = async (name: string): Promise<Sock> => {
    const found = (await socks()).find((sock) => sock.name === name);
    assert.ok(found, name);
    return found;
  };
  const register = async (): Promise<{ shopper: Shopper; id: string; username: string }> => {
    const shopper = new Shopper(target());
    const username = `u-${randomUUID().slice(0, 13)}`;
    const account = { username, password: 'pässword', email: 'u@example.com', firstName: 'Úna', lastName: '<b>' };
    const answer = await shopper.ask('POST', '/register', account);
    assert.equal(answer.status, 200, answer.text);
    return { shopper, id: answer.json<{ id: string }>().id, username };
  };

  describe('the catalogue', () => {
    test('has nine socks, each with two pictures', async () => {
      const all = await socks();
      assert.equal(all.length, 9);
      for (const sock of all) {
        assert.deepEqual(Object.keys(sock), ['id', 'name', 'description', 'imageUrl', 'price', 'count', 'tag']);
        assert.equal(sock.imageUrl.length, 2);
        for (const url of sock.imageUrl) {
          const image = await get('front-end', url);
          assert.equal(image.headers.get('content-type'), 'image/svg+xml');
          assert.match(image.text, /^<svg [\s\S]*<\/svg>\n$/);
        }
        for (const tag of sock.tag) assert.ok(TAGS.includes(tag), tag);
      }
      assert.deepEqual([...new Set(all.flatMap(({ tag }) => tag))].sort(), [...TAGS].sort());
    });

    test('gives pages, by size and number', async () => {
      const all = (await socks()).map(({ id }) => id);
      const page = async (query: string) => (await socks(query)).map(({ id }) => id);
      assert.deepEqual(await page('?page=1&size=4'), all.slice(0, 4));
      assert.deepEqual(await page('?page=3&size=4'), all.slice(8));
      assert.deepEqual(await page('?page=4&size=4'), []);
      for (const query of ['?size=0', '?page=0', '?page=-1', '?size=many'])
        assert.deepEqual(await page(query), [], query);
    });

    test('sorts, and by id when it does not know the order', async () => {
      const ids = (await socks()).map(({ id }) => id);
      assert.deepEqual(ids, [...ids].sort());
      assert.deepEqual(
        (await socks('?sort=constructor')).map(({ id }) => id),
        ids,
      );
      const prices = (await socks('?sort=PRICE')).map(({ price }) => price);
      assert.deepEqual(
        prices,
        [...prices].sort((a, b) => a - b),
      );
    });

    test('selects by tags: one of them is enough', async () => {
      const both = await socks('?tags=red,green');
      assert.ok(both.length > 0 && both.length < 9);
      for (const { tag } of both) assert.ok(tag.includes('red') || tag.includes('green'));
      assert.deepEqual(await socks("?tags=none,'"), []);
      assert.deepEqual((await get('catalogue', '/catalogue/size?tags=red,green')).json(), {
        size: both.length,
        err: null,
      });
      assert.deepEqual((await get('catalogue', '/catalogue/size')).json(), { size: 9, err: null });
      assert.deepEqual((await get('catalogue', '/tags')).json(), { tags: TAGS, err: null });
    });

    test('knows one sock, and says when it does not', async () => {
      const [first] = await socks();
      assert.deepEqual((await get('catalogue', `/catalogue/${first?.id}`)).json(), first);
      const missing = await get('catalogue', '/catalogue/no-such-sock');
      assert.equal(missing.status, 404);
      assert.deepEqual(missing.json<GoError>(), { error: 'not found', status_code: 404, status_text: 'Not Found' });
      const nowhere = await get('catalogue', '/nowhere');
      assert.deepEqual([nowhere.status, nowhere.text], [404, '404 page not found\n']);
    });
  });

  describe('the front end', () => {
    test('serves its pages, and the same page not twice', async () => {
      for (const page of [
        '/',
        '/index.html',
        '/category.html',
        '/detail.html?id=x',
        '/basket.html',
        '/customer-orders.html',
      ]) {
        const { status, headers, text } = await get('front-end', page);
        assert.equal(status, 200, page);
        assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
        assert.match(text, /^<!doctype html>\n<html lang="en" data-buttons="blue">/);
        assert.deepEqual(headers.getSetCookie(), [], 'a page makes no session');
        const etag = headers.get('etag') ?? '';
        const again = await ask(target(), 'front-end', page, { headers: { 'if-none-match': etag } });
        assert.equal(again.status, 304);
      }
    });

    test('answers 200 with the body of what it asked, whatever the status', async () => {
      const { status, text, headers } = await get('front-end', '/catalogue/no-such-sock');
      assert.equal(status, 200);
      assert.equal(JSON.parse(text).status_code, 404);
      assert.equal(headers.get('content-type'), null);
      assert.deepEqual((await get('front-end', '/catalogue?size=3')).json(), await socks('?size=3'));
      assert.equal((await get('front-end', '/tags')).text, (await get('catalogue', '/tags')).text);
    });

    test('passes pictures on as they are', async () => {
      assert.equal((await get('front-end', '/catalogue/images/none.svg')).status, 404);
    });

    test('redirects a trailing slash, and never to another host', async () => {
      const slash = await get('front-end', '/catalogue/');
      assert.equal(slash.status, 301);
      assert.match(slash.headers.get('location') ?? '', /(^|\/proxy)\/catalogue$/);
    });

    test('says what it cannot get', async () => {
      const { status, text } = await get('front-end', '/no/such/page');
      assert.equal(status, 404);
      assert.match(text, /Cannot GET \/no\/such\/page/);
    });

    test('gives a new visitor a session cookie, and a known one none', async () => {
      const shopper = new Shopper(target());
      const first = await shopper.get('/cart');
      assert.match(first.headers.get('set-cookie') ?? '', /^md\.sid=s%3A[\w-]{32}\.[^;]+; Path=\/; HttpOnly/);
      assert.deepEqual((await shopper.get('/cart')).headers.getSetCookie(), []);
      const forged = await ask(target(), 'front-end', '/cart', {
        headers: { cookie: `md.sid=s%3A${'a'.repeat(32)}.forged` },
      });
      assert.equal(forged.headers.getSetCookie().length, 1, 'a forged cookie counts as none');
    });

    test('logs each request of its API in colour, and no page', async () => {
      const mark = randomUUID();
      await get('front-end', `/catalogue/${mark}`);
      await get('front-end', `/category.html?${mark}`);
      const log = await eventually('the line is there', async () => {
        const text = await target().log('front-end');
        return text.includes(mark) ? text : undefined;
      });
      const lines = log.split('\n').filter((line) => line.includes(mark));
      assert.equal(lines.length, 1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
      assert.match(lines[0] ?? '', /\x1b\[0mGET \/catalogue\/[\w-]+ \x1b\[32m200\x1b\[0m \d+\.\d{3} ms - 66\x1b\[0m/);
    });
  });

  describe('the cart', () => {
    test('starts empty, grows, changes and shrinks', async () => {
      const shopper = new Shopper(target());
      const sock = await sockOf('Ladybird');
      assert.deepEqual((await shopper.get('/cart')).json(), []);
      const added = await shopper.ask('POST', '/cart', { id: sock.id });
      assert.deepEqual([added.status, added.text], [201, '']);
      await shopper.ask('POST', '/cart', { id: sock.id });
      const [item] = (await shopper.get('/cart')).json<Item[]>();
      assert.deepEqual({ ...item, id: '' }, { id: '', itemId: sock.id, quantity: 2, unitPrice: sock.price });
      assert.equal((await shopper.ask('POST', '/cart/update', { id: sock.id, quantity: '7' })).status, 202);
      assert.equal((await shopper.get('/cart')).json<Item[]>()[0]?.quantity, 7);
      assert.equal((await shopper.ask('DELETE', `/cart/${sock.id}`)).status, 202);
      assert.deepEqual((await shopper.get('/cart')).json(), []);
      await shopper.ask('POST', '/cart', { id: sock.id });
      assert.equal((await shopper.ask('DELETE', '/cart')).status, 202);
      assert.deepEqual((await shopper.get('/cart')).json(), []);
    });

    test('loses no click of many at once', async () => {
      const shopper = new Shopper(target());
      await shopper.get('/cart');
      const { id } = await sockOf('Sprint');
      const answers = await Promise.all(Array.from({ length: 8 }, () => shopper.ask('POST', '/cart', { id })));
      assert.deepEqual(
        answers.map(({ status }) => status),
        Array(8).fill(201),
      );
      assert.deepEqual(
        (await shopper.get('/cart')).json<Item[]>().map(({ quantity }) => quantity),
        [8],
      );
    });

    test('refuses what is incomplete, in JSON', async () => {
      const shopper = new Shopper(target());
      for (const [path, body, message] of [
        ['/cart', {}, 'Must pass id of item to add'],
        ['/cart/update', {}, 'Must pass id of item to update'],
        ['/cart/update', { id: 'x' }, 'Must pass quantity to update'],
        ['/cart', { id: 'no-such-sock' }, 'Unable to add to cart. Status code: 400'],
      ] as const) {
        const { status, text } = await shopper.ask('POST', path, body);
        assert.deepEqual([status, JSON.parse(text)], [500, { message, error: {} }]);
      }
      const broken = await ask(target(), 'front-end', '/cart', { method: 'POST', body: '{"id":' });
      assert.equal(broken.status, 400);
    });

    test('has an API of its own', async () => {
      const customer = randomUUID();
      const { id, items } = (await get('carts', `/carts/${customer}`)).json<{ id: string; items: Item[] }>();
      assert.match(id, /^[0-9a-f]{24}$/);
      assert.deepEqual(items, []);
      const created = await send('carts', 'POST', `/carts/${customer}/items`, { itemId: 'a', unitPrice: 7.99 });
      assert.equal(created.status, 201);
      assert.deepEqual((await get('carts', `/carts/${customer}/items/a`)).json(), created.json());
      const changed = await send('carts', 'PATCH', `/carts/${customer}/items`, {
        itemId: 'a',
        quantity: 3,
        unitPrice: 7.99,
      });
      assert.equal(changed.status, 202);
      const other = randomUUID();
      await send('carts', 'POST', `/carts/${other}/items`, { itemId: 'a', unitPrice: 7.99 });
      await send('carts', 'POST', `/carts/${other}/items`, { itemId: 'b', unitPrice: 1 });
      assert.equal((await get('carts', `/carts/${customer}/merge?sessionId=${other}`)).status, 202);
      const merged = (await get('carts', `/carts/${customer}/items`)).json<Item[]>();
      assert.deepEqual(
        merged.map(({ itemId, quantity }) => `${itemId} ${quantity}`),
        ['a 4', 'b 1'],
      );
      assert.deepEqual((await get('carts', `/carts/${other}/items`)).json(), []);
      assert.equal((await get('carts', `/carts/${customer}/items/none`)).status, 404);
    });
  });

  describe('customers', () => {
    test('log in with name and password, and bring their cart along', async () => {
      const { username, id } = await register();
      const sock = await sockOf('Terminal');
      const shopper = new Shopper(target());
      await shopper.ask('POST', '/cart', { id: sock.id });
      const answer = await shopper.login(username, 'pässword');
      assert.deepEqual([answer.status, answer.text], [200, 'Cookie is set']);
      assert.match(answer.headers.getSetCookie().join('\n'), /^logged_in=[\w-]{32}; Max-Age=3600; Path=\//m);
      assert.deepEqual(
        (await shopper.get('/cart')).json<Item[]>().map(({ itemId }) => itemId),
        [sock.id],
      );
      assert.deepEqual(
        (await get('carts', `/carts/${id}/items`)).json<Item[]>().map(({ itemId }) => itemId),
        [sock.id],
      );
      const me = (await shopper.get('/customers/whoever')).json<Record<string, unknown>>();
      assert.deepEqual([me['id'], me['firstName'], me['lastName']], [id, 'Úna', '<b>']);
      shopper.forget('logged_in');
      assert.deepEqual((await shopper.get('/cart')).json(), [], 'without the cookie it is the session again');
    });

    test('are refused otherwise', async () => {
      const shopper = new Shopper(target());
      assert.equal((await shopper.login('user', 'wrong')).status, 401);
      assert.equal((await shopper.login('nobody', 'password')).status, 401);
      assert.equal((await shopper.get('/login')).status, 401);
      assert.equal(shopper.cookies.has('logged_in'), false);
      const { username } = await register();
      const taken = await shopper.ask('POST', '/register', {
        username,
        password: 'x',
        email: '',
        firstName: '',
        lastName: '',
      });
      assert.equal(taken.status, 500);
    });

    test('are known from the beginning: three of them', async () => {
      for (const [username, password] of [
        ['Eve_Berger', 'eve'],
        ['user', 'password'],
        ['user1', 'password'],
      ] as const) {
        const shopper = new Shopper(target());
        assert.equal((await shopper.login(username, password)).status, 200, username);
        assert.equal((await shopper.get('/customers/me')).json<{ username: string }>().username, username);
      }
    });

    test('have addresses and cards, with links', async () => {
      const { shopper, id } = await register();
      assert.deepEqual((await shopper.get('/card')).json(), { status_code: 500 });
      assert.deepEqual((await shopper.get('/address')).json(), { status_code: 500 });
      const address = { number: '3', street: 'Kärntner Straße', city: 'Wien', postcode: '1010', country: 'Austria' };
      const added = await shopper.ask('POST', '/addresses', address);
      assert.equal(added.status, 200);
      const addressId = added.json<{ id: string }>().id;
      await shopper.ask('POST', '/cards', { longNum: '4111111111111111', expires: '08/29', ccv: '958' });
      assert.deepEqual((await shopper.get('/card')).json(), { number: '1111' });
      const shown = (await shopper.get('/address')).json<Record<string, unknown>>();
      assert.deepEqual({ ...shown, _links: undefined }, { ...address, id: addressId, _links: undefined });
      const listed = (await get('user', `/customers/${id}/addresses`)).json<{
        _embedded: { address: { _links: { self: { href: string } } }[] };
      }>();
      assert.match(
        listed._embedded.address[0]?._links.self.href ?? '',
        new RegExp(`^http://[^/]+/addresses/${addressId}$`),
      );
      assert.deepEqual((await shopper.ask('DELETE', `/addresses/${addressId}`)).json(), { status: true });
      assert.deepEqual((await shopper.get('/address')).json(), { status_code: 500 });
    });

    test('are told apart from errors by the user service', async () => {
      const unknown = await get('user', '/customers/nobody');
      assert.equal(unknown.status, 500);
      assert.deepEqual(unknown.json<GoError>(), {
        error: 'not found',
        status_code: 500,
        status_text: 'Internal Server Error',
      });
      const refused = await get('user', '/login');
      assert.deepEqual([refused.status, refused.json<GoError>().error], [401, 'Unauthorized']);
      const customers = (await get('user', '/customers')).json<{ _embedded: { customer: { username: string }[] } }>();
      assert.ok(customers._embedded.customer.some(({ username }) => username === 'Eve_Berger'));
    });
  });

  describe('orders', () => {
    const ready = async (): Promise<{ shopper: Shopper; id: string }> => {
      const { shopper, id } = await register();
      await shopper.ask('POST', '/addresses', { number: '1', street: 'S', city: 'C', postcode: 'P', country: 'L' });
      await shopper.ask('POST', '/cards', { longNum: '5555555555554444', expires: '04/30', ccv: '280' });
      return { shopper, id };
    };

    test('cost what is in the cart and 4.99, are kept, and are shipped', async () => {
      const { shopper, id } = await ready();
      const [stripes, stars] = [await sockOf('Harbour Stripe'), await sockOf('Midnight Magic')];
      for (const sock of [stripes, stripes, stars]) await shopper.ask('POST', '/cart', { id: sock.id });
      assert.deepEqual((await shopper.get('/orders')).json(), []);
      const placed = await shopper.ask('POST', '/orders');
      assert.equal(placed.status, 201, placed.text);
      const order = placed.json<Order>();
      assert.equal(order.customerId, id);
      assert.equal(order.total, Math.round((2 * stripes.price + stars.price + 4.99) * 100) / 100);
      assert.deepEqual(
        order.items.map(({ itemId, quantity }) => [itemId, quantity]),
        [
          [stripes.id, 2],
          [stars.id, 1],
        ],
      );
      assert.equal(order.card['longNum'], '5555555555554444');
      assert.equal(order.address['street'], 'S');
      assert.equal(order.shipment.name, id);
      assert.match(order.date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);

      const list = await shopper.get('/orders');
      assert.equal(list.status, 201);
      assert.deepEqual(
        list.json<Order[]>().map((each) => each.id),
        [order.id],
      );
      assert.equal((await shopper.get(`/orders/${order.id}`)).json<Order>().total, order.total);
      const found = (await get('orders', `/orders/search/customerId?sort=date&custId=${id}`)).json<{
        _embedded: { customerOrders: Order[] };
      }>();
      assert.deepEqual(
        found._embedded.customerOrders.map((each) => each.id),
        [order.id],
      );
      await eventually('queue-master has heard of it', async () =>
        (await target().log('queue-master')).includes(`Received shipment task: ${id}`) ? true : undefined,
      );
    });

    test('above 100 are declined by the bank', async () => {
      const { shopper } = await ready();
      await shopper.ask('POST', '/cart', { id: (await sockOf('Golden Fleece')).id });
      const declined = await shopper.ask('POST', '/orders');
      assert.equal(declined.status, 406);
      const { status, error, message, path } = declined.json<Record<string, unknown>>();
      assert.deepEqual(
        { status, error, message, path },
        { status: 406, error: 'Not Acceptable', message: 'Payment declined: amount exceeds 100.00', path: '/orders' },
      );
      assert.deepEqual((await shopper.get('/orders')).json(), []);
    });

    test('need an address and a card', async () => {
      const { shopper } = await register();
      assert.equal((await shopper.ask('POST', '/orders')).status, 406);
    });

    test('need someone who is logged in', async () => {
      const shopper = new Shopper(target());
      for (const method of ['GET', 'POST']) {
        const { status, text } = await shopper.ask(method, '/orders');
        assert.deepEqual([status, JSON.parse(text)], [500, { message: 'User not logged in.', error: {} }]);
      }
    });

    test('are pages in HAL for those who ask the service itself', async () => {
      const { _embedded, page } = (await get('orders', '/orders?size=1&page=0')).json<{
        _embedded: { customerOrders: Order[] };
        page: Record<string, number>;
      }>();
      assert.equal(_embedded.customerOrders.length, 1);
      assert.deepEqual([page['size'], page['number'], page['totalPages']], [1, 0, page['totalElements']]);
      assert.equal((await get('orders', '/orders/none')).status, 404);
      const bad = await send('orders', 'POST', '/orders', { customer: 'file:///etc/passwd' });
      assert.equal(bad.status, 406);
    });
  });

  describe('payment, shipping and queue-master', () => {
    test('payment draws the line at 100', async () => {
      const pay = async (amount: unknown) => send('payment', 'POST', '/paymentAuth', { amount });
      assert.deepEqual((await pay(100)).json(), { authorised: true, message: 'Payment authorised' });
      const declined = await pay(100.01);
      assert.equal(declined.status, 200);
      assert.deepEqual(declined.json(), { authorised: false, message: 'Payment declined: amount exceeds 100.00' });
      for (const amount of [0, -1, 'ten', undefined]) {
        const invalid = await pay(amount);
        assert.equal(invalid.status, 500);
        assert.equal(invalid.json<GoError>().error, 'Invalid payment amount');
      }
    });

    test('shipping takes a shipment as it is, and queues it', async () => {
      const name = `ship-${randomUUID()}`;
      const shipped = await send('shipping', 'POST', '/shipping', { id: 'i', name });
      assert.deepEqual([shipped.status, shipped.json()], [201, { id: 'i', name }]);
      assert.equal((await get('shipping', '/shipping')).text, 'GET ALL Shipping Resource.');
      assert.equal((await get('shipping', '/shipping/7')).text, 'GET Shipping Resource with id: 7');
      await eventually('queue-master has heard of it', async () =>
        (await target().log('queue-master')).includes(`Received shipment task: ${name}`) ? true : undefined,
      );
    });
  });

  describe('every service', () => {
    for (const [service, ...dependencies] of [
      ['catalogue', 'catalogue-db'],
      ['carts', 'carts-db'],
      ['orders', 'orders-db'],
      ['user', 'user-db'],
      ['payment'],
      ['shipping', 'shipping-rabbitmq'],
      ['queue-master', 'queue-master-rabbitmq'],
    ] as const) {
      test(`${service} tells its health, and that of what it needs`, async () => {
        const { status, text } = await get(service, '/health');
        assert.equal(status, 200);
        const { health } = JSON.parse(text) as { health: { service: string; status: string }[] };
        assert.deepEqual(
          health.map((each) => [each.service, each.status]),
          [service, ...dependencies].map((name) => [name, 'OK']),
        );
      });
    }

    test('counts its requests for Prometheus', async () => {
      await get('catalogue', '/tags');
      for (const [service, path] of [
        ['front-end', '/metrics'],
        ['catalogue', '/metrics'],
        ['queue-master', '/prometheus'],
      ] as const) {
        const { headers, text } = await get(service, path);
        assert.match(headers.get('content-type') ?? '', /^text\/plain/);
        assert.match(text, /^# TYPE request_duration_seconds histogram$/m);
      }
      assert.match(
        (await get('catalogue', '/metrics')).text,
        /^request_duration_seconds_count\{service="catalogue",method="get",route="\/tags",status_code="200"\} [1-9]/m,
      );
    });
  });
}

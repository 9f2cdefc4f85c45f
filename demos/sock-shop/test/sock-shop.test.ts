// The sock shop without a mesh: what it does, and what it does when a part of it is away.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Shop, startShop } from './alone.ts';
import { behavesAsSockShop } from './behaviour.ts';
import { ask, Shopper } from './shopper.ts';

const PATIENCE_MS = 20_000;

async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await setTimeout(50);
  }
}

describe('the sock shop, alone', () => {
  let shop: Shop;
  before(async () => {
    shop = await startShop();
    // The programs take connections before they have found each other.
    for (const service of ['catalogue', 'carts', 'orders', 'user', 'shipping', 'queue-master']) {
      await eventually(
        `${service} is healthy`,
        async () => !(await ask(shop, service, '/health')).text.includes('err'),
      );
    }
    await eventually('sessions are kept', async () => (await new Shopper(shop).get('/cart')).status === 200);
  });
  after(() => shop.dispose());

  behavesAsSockShop(() => shop);

  describe('version 2', () => {
    test('has red buttons, and knows the sessions of version 1', async () => {
      const page = await ask(shop, 'front-end-v2', '/');
      assert.match(page.text, /data-buttons="red"/);
      const shopper = new Shopper(shop);
      await shopper.login('user', 'password');
      const cookie = [...shopper.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const me = await ask(shop, 'front-end-v2', '/customers/me', { headers: { cookie } });
      assert.equal(me.json<{ username: string }>().username, 'user');
    });
  });

  describe('a request that is meant to harm', () => {
    const raw = (path: string): Promise<{ status: number; location: string | undefined }> =>
      new Promise((resolve, reject) => {
        const call = request({ port: shop.ports['front-end'], host: '127.0.0.1', path }, (reply) => {
          reply.resume();
          resolve({ status: reply.statusCode ?? 0, location: reply.headers.location });
        });
        call.on('error', reject);
        call.end();
      });

    test('is not redirected to another host', async () => {
      assert.deepEqual(await raw('//example.com/'), { status: 301, location: '/example.com' });
    });

    test('gets no file from outside', async () => {
      for (const path of [
        '/../main.ts',
        '/js/../../main.ts',
        '/%2e%2e/main.ts',
        '/catalogue/images/..%2f..%2fsocks.ts',
      ])
        assert.equal((await raw(path)).status, 404, path);
    });

    test('may not send more than 100 kB', async () => {
      const body = JSON.stringify({ id: 'x'.repeat(200_000) });
      assert.equal((await ask(shop, 'front-end', '/cart', { method: 'POST', body })).status, 413);
    });
  });

  // These take parts of the shop away, and are the last for it.
  describe('when something is away', () => {
    test('the catalogue says that its database is, and finds it again', async () => {
      await shop.stop('catalogue-db');
      const broken = await ask(shop, 'catalogue', '/catalogue');
      assert.equal(broken.status, 500);
      assert.deepEqual(broken.json(), {
        error: 'database connection error',
        status_code: 500,
        status_text: 'Internal Server Error',
      });
      const health = await ask(shop, 'catalogue', '/health');
      assert.equal(health.status, 200);
      assert.match(health.text, /"service":"catalogue-db","status":"err"/);
      assert.equal((await ask(shop, 'front-end', '/catalogue')).status, 200, 'the front end looks at the body alone');
      await shop.start('catalogue-db');
      await eventually('the socks are back', async () => (await ask(shop, 'catalogue', '/catalogue')).status === 200);
      assert.equal(
        (await ask(shop, 'catalogue', '/catalogue')).json<unknown[]>().length,
        9,
        'its rows were lost and made anew',
      );
    });

    test('an order is taken while the broker is', async () => {
      await shop.stop('rabbitmq');
      await eventually('shipping knows', async () =>
        (await ask(shop, 'shipping', '/health')).text.includes('"shipping-rabbitmq","status":"err"'),
      );
      const shipped = await ask(shop, 'shipping', '/shipping', { method: 'POST', body: '{"name":"x"}' });
      assert.equal(shipped.status, 201);
      await shop.start('rabbitmq');
      const name = `late-${randomUUID()}`;
      await eventually('shipments arrive again', async () => {
        await ask(shop, 'shipping', '/shipping', { method: 'POST', body: JSON.stringify({ name }) });
        return (await shop.log('queue-master')).includes(name);
      });
    });

    test('socks are shown while sessions are, and nobody is told to be logged in', async () => {
      await shop.stop('session-db');
      assert.equal((await ask(shop, 'front-end', '/tags')).status, 200);
      const cart = await new Shopper(shop).get('/cart');
      assert.deepEqual(cart.headers.getSetCookie(), []);
      const login = await new Shopper(shop).login('user', 'password');
      assert.equal(login.status, 500);
      assert.deepEqual(login.headers.getSetCookie(), []);
      await shop.start('session-db');
      await eventually(
        'logging in works',
        async () => (await new Shopper(shop).login('user', 'password')).status === 200,
      );
    });

    test('a service that does not answer is an error in JSON', async () => {
      await shop.stop('catalogue');
      const { status, text } = await ask(shop, 'front-end', '/catalogue');
      assert.equal(status, 500);
      const { message, error } = JSON.parse(text) as { message: string; error: { code: string } };
      assert.match(message, /ECONNREFUSED/);
      assert.deepEqual(error, { code: 'ECONNREFUSED' });
      await shop.start('catalogue');
    });
  });
});

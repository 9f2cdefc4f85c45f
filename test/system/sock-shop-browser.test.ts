// The sock shop's pages in a real browser, on a phone and on a wide screen: socks ordered from end to end.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type Shop, startShop } from '../../demos/sock-shop/test/alone.ts';
import { findChromium, launch, PHONE, WIDE } from './support/browser.ts';
import { eventually } from './support/eventually.ts';
import { must, skipUnless } from './support/peers.ts';

const chromiumPeer = findChromium();
const PATIENCE_MS = 30_000;
/** Where to leave pictures of the pages for people to look at; nowhere when unset. */
const PICTURES = process.env['VARKA_PICTURES'];

describe("the sock shop's pages", { skip: skipUnless(chromiumPeer) }, () => {
  let shop: Shop;
  let browser: Browser;
  before(async () => {
    shop = await startShop();
    browser = await launch(must(chromiumPeer));
    await eventually('the shop is open', PATIENCE_MS, async () => {
      const replies = await Promise.all(['/cart', '/catalogue'].map((path) => shop.fetch('front-end', path)));
      const [cart = '', catalogue = ''] = await Promise.all(replies.map((reply) => reply.text()));
      return cart === '[]\n' && catalogue.startsWith('[{') ? true : undefined;
    });
  });
  after(async () => {
    await browser?.close();
    await shop?.dispose();
  });

  interface Visit {
    readonly page: Page;
    readonly problems: string[];
    goto(path: string): Promise<void>;
    picture(name: string): Promise<void>;
    close(): Promise<void>;
  }

  async function visit(
    size: { width: number; height: number },
    program: 'front-end' | 'front-end-v2' = 'front-end',
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<Visit> {
    const baseURL = `http://127.0.0.1:${shop.ports[program]}`;
    const context = await browser.newContext({ baseURL, viewport: size, colorScheme });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('requestfailed', (request) => {
      // A page that is left gives up what it was still loading.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') problems.push(`${request.url()} failed`);
    });
    return {
      page,
      problems,
      async goto(path) {
        await page.goto(path);
        await page.waitForLoadState('networkidle');
      },
      async picture(name) {
        if (PICTURES === undefined) return;
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `sock-shop-${name}.png`) });
      },
      close: () => context.close(),
    };
  }

  /** How far what is on the page sticks out of the window, in CSS pixels. */
  const overflow = (page: Page): Promise<number> =>
    page.evaluate('document.documentElement.scrollWidth - window.innerWidth') as Promise<number>;

  for (const [name, size] of [
    ['a wide screen', WIDE],
    ['a phone', PHONE],
  ] as const) {
    test(`on ${name}, someone new finds socks, registers, and orders them`, async () => {
      const { page, problems, goto, picture, close } = await visit(size);
      const where = size === WIDE ? 'wide' : 'phone';
      await goto('/');
      await page.getByRole('heading', { name: 'On the shelf' }).waitFor();
      assert.equal(await page.locator('#socks article').count(), 9);
      const loaded = '[...document.querySelectorAll("#socks img")].filter((image) => image.naturalWidth > 0).length';
      await eventually('nine pictures', PATIENCE_MS, async () => {
        await page.mouse.wheel(0, 400); // they are loaded as they come into sight
        return (await page.evaluate(loaded)) === 9 ? true : undefined;
      });
      await page.evaluate('window.scrollTo(0, 0)');
      await picture(`home-${where}`);

      await page.locator('#tags').getByRole('link', { name: 'green', exact: true }).click();
      await page.getByText('Showing 2 of 2').waitFor();
      assert.equal(await page.locator('#tags').getByRole('checkbox', { name: 'green' }).isChecked(), true);
      await page.locator('#tags').getByText('red', { exact: true }).click();
      await page.getByText('Showing 4 of 4').waitFor();
      await picture(`category-${where}`);

      await page.getByRole('link', { name: 'Fern Walk' }).click();
      await page.getByRole('heading', { level: 1, name: 'Fern Walk' }).waitFor();
      await page.getByRole('button', { name: 'Fern Walk, from close by' }).click();
      await page.getByRole('button', { name: 'Add to basket' }).click();
      await page.getByText('Fern Walk is in your basket').waitFor();
      await page.locator('#basket-count', { hasText: '1' }).waitFor();
      await picture(`detail-${where}`);

      await page.getByRole('link', { name: 'See the basket' }).click();
      await page.getByRole('button', { name: 'One more of Fern Walk' }).click();
      await page.getByText('€40.99').waitFor();

      await page.getByRole('button', { name: 'Log in to order' }).click();
      await page.getByRole('button', { name: 'Make an account' }).click();
      const register = page.getByRole('dialog', { name: 'Make an account' });
      await register.getByLabel('First name').fill('Zoë');
      await register.getByLabel('Last name').fill('Weaver');
      await register.getByLabel('Username').fill(`zoe-${where}`);
      await register.getByLabel('E-mail').fill('zoe@example.com');
      await register.getByLabel('Password').fill('wool & needles');
      await register.getByRole('button', { name: 'Register' }).click();
      await page.getByText('No address yet.').waitFor();

      await page.getByRole('button', { name: 'Place order' }).click();
      const address = page.getByRole('dialog', { name: 'Where to?' });
      await address.getByLabel('Number').fill('5');
      await address.getByLabel('Street').fill('Needle Street');
      await address.getByLabel('Postcode').fill('LE1');
      await address.getByLabel('City').fill('Leicester');
      await address.getByLabel('Country').fill('United Kingdom');
      await address.getByRole('button', { name: 'Save address' }).click();
      await page.getByText('5 Needle Street, LE1 Leicester, United Kingdom').waitFor();

      await page.getByRole('button', { name: 'Place order' }).click();
      const card = page.getByRole('dialog', { name: 'Which card?' });
      await card.getByLabel('Card number').fill('4111 1111 1111 1234');
      await card.getByLabel('Expires').fill('08/29');
      await card.getByLabel('CCV').fill('123');
      await card.getByRole('button', { name: 'Save card' }).click();
      await page.getByText('Card ending in 1234').waitFor();
      await picture(`basket-${where}`);

      await page.getByRole('button', { name: 'Place order' }).click();
      await page.waitForURL('**/customer-orders.html');
      await page.getByText('2 × Fern Walk').waitFor();
      await page.getByText('€40.99').waitFor();
      await page.getByText('to 5 Needle Street, Leicester').waitFor();
      assert.equal(await page.locator('#basket-count').isHidden(), true, 'the basket is empty again');
      await picture(`orders-${where}`);
      assert.deepEqual(problems, []);

      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      await close();
    });
  }

  test('a basket above 100 is declined in words', async () => {
    const { page, goto, close } = await visit(WIDE);
    await goto('/');
    await page.getByRole('button', { name: 'Add Golden Fleece to the basket' }).click();
    await page.locator('#basket-count', { hasText: '1' }).waitFor();
    await page.getByRole('button', { name: 'Log in' }).click();
    const login = page.getByRole('dialog', { name: 'Welcome back' });
    await login.getByLabel('Username').fill('user1');
    await login.getByLabel('Password').fill('wrong');
    await login.getByRole('button', { name: 'Log in' }).click();
    await login.getByText('That name and password do not belong together.').waitFor();
    await login.getByLabel('Password').fill('password');
    const reloaded = page.waitForEvent('load');
    await login.getByRole('button', { name: 'Log in' }).click();
    await reloaded;
    await page.getByText('Hello, User1').waitFor();
    await goto('/basket.html');
    await page.getByRole('button', { name: 'Place order' }).click();
    await page.getByText('Payment declined: amount exceeds 100.00').waitFor();
    await close();
  });

  test('nothing sticks out, at any width, in the light and in the dark', async () => {
    for (const width of [320, 390, 768, 1280, 1920]) {
      const { page, goto, close } = await visit({ width, height: 900 }, 'front-end', width > 700 ? 'light' : 'dark');
      for (const path of ['/', '/category.html', '/basket.html', '/customer-orders.html']) {
        await goto(path);
        assert.equal(await overflow(page), 0, `${path} at ${width}`);
      }
      await close();
    }
  });

  test('version 2 is told by the colour of its buttons', async () => {
    const colours: string[] = [];
    for (const program of ['front-end', 'front-end-v2'] as const) {
      const { page, goto, picture, close } = await visit(WIDE, program);
      await goto('/');
      const colour = 'getComputedStyle(document.querySelector(".hero .primary")).backgroundColor';
      colours.push((await page.evaluate(colour)) as string);
      await picture(program);
      await close();
    }
    assert.deepEqual(colours, ['rgb(73, 147, 228)', 'rgb(211, 49, 43)']);
  });

  test('the shop can be used by keyboard alone', async () => {
    const { page, goto, close } = await visit(WIDE);
    await goto('/');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the socks');
    await page.keyboard.press('Enter');
    const add = page.getByRole('button', { name: 'Add Sprint to the basket' });
    await add.focus();
    await page.keyboard.press('Enter');
    await page.getByText('Sprint is in your basket').waitFor();
    await close();
  });
});

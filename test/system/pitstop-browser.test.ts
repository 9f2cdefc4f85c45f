// Pitstop's pages in a real browser: a customer, a vehicle and a job, added by clicking and typing, on a phone and on a
// wide screen. With SCREENSHOTS=DIRECTORY it leaves pictures of the pages there.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type Pitstop, startPitstop } from '../../demos/pitstop/test/alone.ts';
import { findChromium, launch, PHONE, WIDE } from './support/browser.ts';
import { must, skipUnless } from './support/peers.ts';

const chromiumPeer = findChromium();
const screenshots = process.env['SCREENSHOTS'];

describe('Pitstop in a browser', { skip: skipUnless(chromiumPeer) }, () => {
  let pitstop: Pitstop;
  let browser: Browser;
  before(async () => {
    [pitstop, browser] = await Promise.all([startPitstop(), launch(must(chromiumPeer))]);
    await pitstop.useCustomerApi('2.0');
  });
  after(async () => {
    await browser.close();
    await pitstop.dispose();
  });

  for (const [screen, viewport, colorScheme, customer] of [
    ['phone', PHONE, 'dark', { name: 'Jan Jansen', city: 'Den Haag', medal: 'Silver' }],
    ['wide', WIDE, 'light', { name: 'Ilse de Vries', city: 'Amsterdam', medal: 'Gold' }],
  ] as const) {
    test(`on a ${screen} screen: a customer, a vehicle and a job`, async () => {
      const context = await browser.newContext({
        viewport,
        colorScheme,
        baseURL: `http://127.0.0.1:${pitstop.ports.webapp}`,
      });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      page.on('pageerror', (error) => problems.push(error.message));

      await page.goto('/');
      await look(page, `${screen}-home`);
      await page.getByRole('navigation').getByRole('link', { name: 'Customers' }).click();
      await page.getByRole('link', { name: 'Register customer' }).click();
      await page.getByLabel('Name', { exact: true }).fill(customer.name);
      await page.getByLabel('E-mail address').fill('nobody');
      await page.getByRole('button', { name: 'Register' }).click();
      assert.match(await page.getByRole('alert').innerText(), /correct what is marked/);
      assert.match(await descriptionOf(page, 'E-mail address'), /must look like name@example\.com/);
      assert.match(await descriptionOf(page, 'City'), /The city is required/);
      assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), customer.name);
      await look(page, `${screen}-invalid`);
      for (const [label, value] of [
        ['Address', 'Prinsengracht 263'],
        ['Postal code', '1016 GV'],
        ['City', customer.city],
        ['Telephone number', '020-5567105'],
        ['E-mail address', 'somebody@example.com'],
      ] as const)
        await page.getByLabel(label, { exact: true }).fill(value);
      await page.getByRole('button', { name: 'Register' }).click();
      await page.getByRole('link', { name: customer.name }).click();
      const medal = page.getByRole('img', { name: customer.medal });
      await medal.waitFor();
      assert.ok(await medal.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth > 0));
      await look(page, `${screen}-customer`);

      const plate = screen === 'phone' ? '12-AB-34' : 'XY-98-Z';
      await page.getByRole('link', { name: 'Vehicles' }).click();
      await page.getByRole('link', { name: 'Register vehicle' }).click();
      await page.getByLabel('License number').fill(plate.toLowerCase());
      await page.getByLabel('Brand').fill('Volvo');
      await page.getByLabel('Type').fill(screen === 'phone' ? 'V70' : 'Amazon');
      await page.getByLabel('Owner').selectOption({ label: `${customer.name}, ${customer.city}` });
      await page.getByRole('button', { name: 'Register' }).click();
      await page.getByRole('link', { name: plate }).click();
      await page.getByRole('link', { name: customer.name }).waitFor();

      await page.getByRole('link', { name: 'Workshop' }).click();
      for (const [start, end, work] of [
        ['09:00', '10:30', 'Oil and filters'],
        ['13:00', '16:00', 'New brakes, front and rear'],
      ] as const) {
        await page.getByRole('link', { name: 'Plan maintenance job' }).click();
        await choosable(page, plate);
        await page.getByLabel('Vehicle').selectOption(plate);
        await page.getByLabel('Start time').fill(start);
        await page.getByLabel('End time').fill(end);
        await page.getByLabel('What is to be done').fill(work);
        await page.getByRole('button', { name: 'Plan', exact: true }).click();
        await page.getByText(work).first().waitFor();
      }
      const time = page.getByRole('row', { name: plate }).filter({ hasText: 'Oil' }).getByRole('link');
      await time.click();
      await page.getByRole('link', { name: 'Finish job' }).click();
      await page.getByLabel('Notes').fill('All well');
      await page.getByRole('button', { name: 'Finish' }).click();
      await page.getByText('Completed').waitFor();
      await page.getByRole('link', { name: 'All of this day' }).click();
      await page.getByText('Planned', { exact: true }).first().waitFor();
      await look(page, `${screen}-workshop`);
      await page.goto('/VehicleManagement');
      await look(page, `${screen}-vehicles`);
      assert.deepEqual(problems, []);
      await context.close();
    });
  }

  test('the viewers show mails and log events', async () => {
    await pitstop.shortenDays();
    const page = await browser.newPage({ viewport: WIDE, colorScheme: 'light' });
    await page.goto(`http://127.0.0.1:${pitstop.ports['mailserver-web']}/`);
    for (let tries = 0; tries < 100 && !(await page.getByText('Pitstop invoice').first().isVisible()); tries++) {
      await page.waitForTimeout(200);
      await page.reload();
    }
    await page.getByText('Pitstop invoice').first().click();
    await page.frameLocator('iframe').getByText('Total').waitFor();
    await look(page, 'mail');
    await page.goto(`http://127.0.0.1:${pitstop.ports.logserver}/`);
    await page.getByLabel('Text').fill('Registered');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.getByText('Registered vehicle XY-98-Z').waitFor();
    await look(page, 'log');
  });
});

/** No page may be wider than the screen. */
async function look(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  assert.equal(overflow, 0, `${name} is wider than the screen`);
  if (screenshots === undefined) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

/** What a screen reader says beside a field's label. */
async function descriptionOf(page: Page, label: string): Promise<string> {
  const ids = (await page.getByLabel(label, { exact: true }).getAttribute('aria-describedby')) ?? '';
  const texts = ids.split(' ').map((id) => page.locator(`#${id}`).innerText());
  return (await Promise.all(texts)).join(' ');
}

/** The workshop learns of a vehicle by an event, a moment after it was registered. */
async function choosable(page: Page, plate: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await page.locator(`option[value="${plate}"]`).count()) > 0) return;
    await page.waitForTimeout(100);
    await page.reload();
  }
  throw new Error(`the workshop does not know ${plate}`);
}

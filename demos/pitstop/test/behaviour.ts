// What Pitstop does for its users, wherever it runs: the one suite for its programs alone and in a mesh.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Target } from '@varka/demo-kit/test/target.ts';

export interface PitstopTarget extends Target {
  /** Takes a program's only instance away; resolves when it is gone. */
  stop(program: string): Promise<void>;
  /** Brings it back; resolves when it answers. */
  start(program: string): Promise<void>;
  /** Puts that version of the customer API in the place of the one that runs. */
  useCustomerApi(version: '1.0' | '2.0'): Promise<void>;
  /** Makes days pass every second from now on. */
  shortenDays(): Promise<void>;
  /** All that a program has printed. */
  log(program: string): Promise<string>;
}

const PATIENCE_MS = 30_000;

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await setTimeout(50);
  }
}

const two = (number: number) => String(number).padStart(2, '0');
const dayOf = (time: Date) => `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
/** A day far off, another one in each run: the data outlive the tests. */
const someDay = () => dayOf(new Date(Date.now() + Math.floor(Math.random() * 40_000 + 400) * 86_400_000));
/** Three groups of letters and digits. */
function someLicenseNumber(): string {
  const number = Math.floor(Math.random() * 1_000_000);
  return `${two(Math.floor(number / 10_000))}-${two(Math.floor(number / 100) % 100)}-${
    randomUUID()
      .replace(/[^a-f]/g, '')
      .slice(0, 3)
      .toUpperCase() || 'X'
  }`;
}

/** Registers the tests, which tell one story in their order. */
export function behavesAsPitstop(target: () => PitstopTarget): void {
  const mark = randomUUID().slice(0, 8);
  const customer = {
    customerId: `customer-${mark}`,
    name: `Ilse <${mark}> de Vries`,
    address: 'Prinsengracht 263',
    postalCode: '1016 GV',
    city: 'Amsterdam',
    telephoneNumber: '020-5567105',
    emailAddress: `ilse.${mark}@example.com`,
  };
  const escapedName = customer.name.replace('<', '&lt;').replace('>', '&gt;');
  const vehicle = { licenseNumber: someLicenseNumber(), brand: 'Volvo', type: 'V70', ownerId: customer.customerId };
  const date = someDay();
  let jobPath = '';

  const ask = (service: string, path: string, init?: RequestInit) => target().fetch(service, path, init);
  const getJson = async (service: string, path: string): Promise<unknown> => {
    const response = await ask(service, path);
    assert.equal(response.status, 200, `${service} ${path}`);
    return response.json();
  };
  const sendJson = async (service: string, method: string, path: string, body: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const response = await ask(service, path, { method, headers, body: JSON.stringify(body) });
    const answer = await response.text();
    return { status: response.status, location: response.headers.get('location'), answer };
  };
  const page = async (path: string): Promise<string> => {
    const response = await ask('webapp', path);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    return response.text();
  };
  const sendForm = async (path: string, fields: Record<string, string>) => {
    const response = await ask('webapp', path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
    return { status: response.status, location: response.headers.get('location'), text: await response.text() };
  };
  const job = (startTime: string, endTime: string, more: Record<string, unknown> = {}) => ({
    jobId: randomUUID(),
    startTime: `${date}T${startTime}:00`,
    endTime: `${date}T${endTime}:00`,
    customerInfo: { id: customer.customerId, name: customer.name, telephoneNumber: customer.telephoneNumber },
    vehicleInfo: { licenseNumber: vehicle.licenseNumber, brand: vehicle.brand, type: vehicle.type },
    description: 'New brakes',
    ...more,
  });
  const plan = (body: { jobId: string }) =>
    sendJson('workshopmanagementapi', 'POST', `/api/workshopplanning/${date}/jobs`, body);

  test('every service says it is well, and the home page leads to the modules', async () => {
    for (const service of ['webapp', 'customermanagementapi', 'vehiclemanagementapi', 'workshopmanagementapi']) {
      const response = await ask(service, '/hc');
      assert.deepEqual([response.status, await response.text()], [200, 'Healthy'], service);
    }
    const home = await page('/');
    for (const name of ['Customer', 'Vehicle', 'Workshop']) assert.ok(home.includes(`href="/${name}Management"`), name);
    assert.match(await page('/Home/About'), /About/);
    assert.equal((await ask('webapp', '/NoSuchPage')).status, 404);
  });

  test('a customer is registered, listed, and found', async () => {
    await target().useCustomerApi('1.0');
    const registered = await sendJson('customermanagementapi', 'POST', '/api/customers', customer);
    assert.equal(registered.status, 201, registered.answer);
    // A proxy on the way may have put its own path in front.
    assert.ok(registered.location?.endsWith(`/api/customers/${customer.customerId}`), registered.location ?? 'none');
    assert.deepEqual(await getJson('customermanagementapi', `/api/customers/${customer.customerId}`), customer);
    const all = (await getJson('customermanagementapi', '/api/customers')) as { customerId: string }[];
    assert.equal(all.filter(({ customerId }) => customerId === customer.customerId).length, 1);
    assert.equal((await ask('customermanagementapi', '/api/customers/nobody')).status, 404);

    assert.ok((await page('/CustomerManagement')).includes(escapedName), 'the list has the customer, escaped');
    const details = await page(`/CustomerManagement/Details/${customer.customerId}`);
    assert.ok(details.includes(customer.emailAddress));
    assert.ok(!details.includes('LoyaltyLevel'), 'version 1.0 knows no loyalty');
    assert.equal((await ask('webapp', '/CustomerManagement/Details/nobody')).status, 404);
  });

  test('the same customer again is no second one, another one of that id is refused', async () => {
    assert.equal((await sendJson('customermanagementapi', 'POST', '/api/customers', customer)).status, 201);
    const other = { ...customer, name: 'Somebody Else' };
    assert.equal((await sendJson('customermanagementapi', 'POST', '/api/customers', other)).status, 409);
    const all = (await getJson('customermanagementapi', '/api/customers')) as { customerId: string }[];
    assert.equal(all.filter(({ customerId }) => customerId === customer.customerId).length, 1);
  });

  test('what is not valid is refused with 400 and says why', async () => {
    for (const [service, path, body, says] of [
      ['customermanagementapi', '/api/customers', { ...customer, name: ' ' }, /name is required/],
      ['customermanagementapi', '/api/customers', { ...customer, emailAddress: 'ilse' }, /e-mail address must/],
      ['customermanagementapi', '/api/customers', { ...customer, city: 7 }, /city must be a text/],
      ['customermanagementapi', '/api/customers', [], /JSON object/],
      ['vehiclemanagementapi', '/api/vehicles', { ...vehicle, licenseNumber: 'AB12CD' }, /license number must/],
      ['vehiclemanagementapi', '/api/vehicles', { ...vehicle, licenseNumber: '1234-AB-1' }, /license number must/],
      ['vehiclemanagementapi', '/api/vehicles', { ...vehicle, ownerId: undefined }, /owner is required/],
    ] as const) {
      const { status, answer } = await sendJson(service, 'POST', path, body);
      assert.equal(status, 400, answer);
      assert.match(answer, says);
    }
    const headers = { 'content-type': 'application/json' };
    const broken = await ask('vehiclemanagementapi', '/api/vehicles', { method: 'POST', headers, body: '{"brand":' });
    assert.equal(broken.status, 400);
    assert.match(await broken.text(), /no JSON/);
    const huge = await ask('vehiclemanagementapi', '/api/vehicles', {
      method: 'POST',
      headers,
      body: 'x'.repeat(100_000),
    });
    assert.equal(huge.status, 413);
  });

  test('a vehicle is registered in the web app, which says what is wrong with a form', async () => {
    assert.ok((await page('/VehicleManagement/New')).includes(escapedName), 'its owner can be chosen');
    const wrong = await sendForm('/VehicleManagement/Register', { ...vehicle, licenseNumber: 'nonsense', brand: '' });
    assert.equal(wrong.status, 200);
    assert.match(wrong.text, /The license number must be three groups/);
    assert.match(wrong.text, /The brand is required/);
    assert.match(wrong.text, /value="V70"/, 'what was typed is still there');

    const right = await sendForm('/VehicleManagement/Register', vehicle);
    assert.deepEqual([right.status, right.location], [303, '/VehicleManagement']);
    assert.ok((await page('/VehicleManagement')).includes(vehicle.licenseNumber));
    assert.deepEqual(await getJson('vehiclemanagementapi', `/api/vehicles/${vehicle.licenseNumber}`), vehicle);
    const details = await page(`/VehicleManagement/Details?licenseNumber=${vehicle.licenseNumber}`);
    assert.ok(details.includes(escapedName), 'its owner by name');
    assert.equal((await ask('vehiclemanagementapi', '/api/vehicles/ZZ-ZZ-0')).status, 404);
  });

  test('the workshop learns of both by events', async () => {
    for (const path of [`vehicles/${vehicle.licenseNumber}`, `customers/${customer.customerId}`]) {
      const known = await eventually(path, async () => {
        const response = await ask('workshopmanagementapi', `/api/refdata/${path}`);
        const body = await response.text();
        return response.status === 200 ? (JSON.parse(body) as unknown) : undefined;
      });
      const { customerId, name, telephoneNumber } = customer;
      assert.deepEqual(known, path.startsWith('v') ? vehicle : { customerId, name, telephoneNumber });
    }
  });

  test('a job is planned in the web app, shown on its day, and found', async () => {
    assert.equal((await ask('workshopmanagementapi', `/api/workshopplanning/${date}`)).status, 404);
    assert.match(await page(`/WorkshopManagement?planningDate=${date}`), /Nothing is planned/);
    const form = {
      planningDate: date,
      licenseNumber: vehicle.licenseNumber,
      startTime: '09:00',
      endTime: '',
      description: 'Oil & filter',
    };
    assert.match((await sendForm('/WorkshopManagement/RegisterMaintenanceJob', form)).text, /The end time is required/);
    const planned = await sendForm('/WorkshopManagement/RegisterMaintenanceJob', { ...form, endTime: '10:30' });
    assert.deepEqual([planned.status, planned.location], [303, `/WorkshopManagement?planningDate=${date}`]);

    const planning = (await getJson('workshopmanagementapi', `/api/workshopplanning/${date}`)) as {
      date: string;
      jobs: { id: string; status: string; startTime: string; description: string }[];
    };
    assert.equal(planning.date, date);
    const [found] = planning.jobs;
    assert.equal(planning.jobs.length, 1);
    assert.deepEqual(
      [found?.status, found?.startTime, found?.description],
      ['Planned', `${date}T09:00:00`, 'Oil & filter'],
    );
    jobPath = `/api/workshopplanning/${date}/jobs/${found?.id}`;
    assert.deepEqual(await getJson('workshopmanagementapi', jobPath), found);
    assert.equal((await ask('workshopmanagementapi', `/api/workshopplanning/${date}/jobs/none`)).status, 404);
    assert.match(await page(`/WorkshopManagement?planningDate=${date}`), /Oil &amp; filter/);
    assert.match(await page(`/WorkshopManagement/Details?planningDate=${date}&jobId=${found?.id}`), /09:00–10:30/);
  });

  test('the rules of the workshop are kept, with 409', async () => {
    const other = (number: number) => ({ vehicleInfo: { licenseNumber: `A-${number}-B`, brand: 'Saab', type: '900' } });
    const refused = async (body: ReturnType<typeof job>, says: RegExp) => {
      const { status, answer } = await plan(body);
      assert.equal(status, 409, answer);
      assert.match((JSON.parse(answer) as { errorMessage: string }).errorMessage, says);
    };
    await refused(job('10:00', '11:00'), /one maintenance job at a time/);
    await refused(job('16:00', '15:00', other(1)), /end after it starts/);
    await refused({ ...job('16:00', '17:00', other(1)), endTime: `${someDay()}T17:00:00` }, /on the planned day/);
    // One work station is taken from 9:00 to 10:30; two more jobs fit beside, and one of them twice.
    const first = job('09:00', '09:30', other(2));
    const created = await plan(first);
    assert.equal(created.status, 201);
    assert.ok(created.location?.endsWith(`/api/workshopplanning/${date}/jobs/${first.jobId}`));
    assert.equal((await plan(first)).status, 201, 'the same again changes nothing');
    assert.equal((await plan(job('09:00', '12:00', other(3)))).status, 201);
    await refused(job('08:00', '09:15', other(4)), /At most 3/);
    assert.equal((await plan(job('09:30', '10:00', other(5)))).status, 201, 'a station is free again');
    assert.equal((await plan(job('10:30', '11:00'))).status, 201, 'the vehicle is free again');
    const { status, answer } = await plan(job('9 o’clock', '10:00', other(6)));
    assert.deepEqual([status, /start time must look like/.test(answer)], [400, true]);
    const { text } = await sendForm('/WorkshopManagement/RegisterMaintenanceJob', {
      planningDate: date,
      licenseNumber: vehicle.licenseNumber,
      startTime: '10:00',
      endTime: '11:00',
      description: 'Again',
    });
    assert.match(text, /role="alert">Only one maintenance job at a time/);
  });

  test('a job is finished, once', async () => {
    const times = { actualStartTime: `${date}T09:05:00`, actualEndTime: `${date}T11:05:00`, notes: 'Filter was old' };
    const finish = (body: unknown) => sendJson('workshopmanagementapi', 'PUT', `${jobPath}/finish`, body);
    assert.equal((await finish({ ...times, actualEndTime: 'late' })).status, 400);
    const jobId = jobPath.split('/').at(-1) ?? '';
    const query = `planningDate=${date}&jobId=${jobId}`;
    assert.match(await page(`/WorkshopManagement/Finish?${query}`), /Actual start time/);
    const finished = await sendForm(`/WorkshopManagement/FinishMaintenanceJob?${query}`, {
      actualStartTime: '09:05',
      actualEndTime: '11:05',
      notes: times.notes,
    });
    assert.deepEqual([finished.status, finished.location], [303, `/WorkshopManagement/Details?${query}`]);
    const found = (await getJson('workshopmanagementapi', jobPath)) as Record<string, unknown>;
    assert.equal(found['status'], 'Completed');
    for (const [name, value] of Object.entries(times)) assert.equal(found[name], value, name);
    assert.equal((await finish(times)).status, 200, 'the same again changes nothing');
    assert.equal((await finish({ ...times, actualEndTime: `${date}T12:00:00` })).status, 409);
    assert.equal((await sendJson('workshopmanagementapi', 'PUT', `${jobPath}x/finish`, times)).status, 404);
  });

  test('when a day has passed, the invoice and the reminder are in the mailbox', async () => {
    const now = dayOf(new Date());
    const due = { ...job('00:00', '00:00'), startTime: `${now}T00:00:00`, endTime: `${now}T00:01:00` };
    // Another vehicle in each run: midnight's minute of today is one for every run of the tests.
    due.vehicleInfo = { ...due.vehicleInfo, licenseNumber: someLicenseNumber() };
    due.description = `Tyres ${mark}`;
    const planned = await sendJson('workshopmanagementapi', 'POST', `/api/workshopplanning/${now}/jobs`, due);
    assert.equal(planned.status, 201, planned.answer);
    await target().shortenDays();
    const mail = async (of: (mail: { to: { address: string }[]; html: string }) => boolean) =>
      (
        (await getJson('mailserver', '/email')) as {
          id: string;
          to: { address: string }[];
          html: string;
          subject: string;
        }[]
      ).find(of);
    const invoice = await eventually('the invoice', () =>
      mail(({ html }) => html.includes(escapedName) && html.includes('Invoice')),
    );
    assert.equal(invoice.to[0]?.address, 'invoices@prestoprint.nl');
    assert.match(invoice.html, /Oil &amp; filter/);
    assert.match(invoice.html, /€ 37\.00/, 'two hours at 18.50');
    const reminder = await eventually('the reminder', () => mail(({ to }) => to[0]?.address === customer.emailAddress));
    assert.ok(reminder.html.includes(`Tyres ${mark}`));
    assert.match(await (await ask('mailserver', '/')).text(), /Pitstop invoice/);
    assert.match(await (await ask('mailserver', `/email/${invoice.id}/html`)).text(), /€ 37\.00/);
  });

  test('the audit log has every event, and the log server what the programs say', async () => {
    for (const type of [
      'CustomerRegistered',
      'VehicleRegistered',
      'MaintenanceJobPlanned',
      'MaintenanceJobFinished',
      'DayHasPassed',
    ]) {
      await eventually(type, async () =>
        (await target().log('auditlogservice')).includes(`Wrote ${type} `) ? true : undefined,
      );
    }
    const events = await eventually('the customer in the log', async () => {
      const found = (await getJson('logserver', `/api/events?filter=${customer.customerId}`)) as {
        message: string;
        level: string;
      }[];
      return found.length > 0 ? found : undefined;
    });
    assert.ok(events.some(({ message }) => message === `Registered customer ${customer.customerId}`));
    const listed = await (await ask('logserver', `/?filter=${customer.customerId}`)).text();
    assert.ok(listed.includes(`Registered customer ${customer.customerId}`));
    assert.match(await (await ask('logserver', '/?filter=nothing-says-this')).text(), /No event fits/);
  });

  test('a module whose API is down is offline, with status 200, until it is back', async () => {
    await target().stop('vehiclemanagementapi');
    const offline = await page('/VehicleManagement');
    assert.match(offline, /<h1>Offline<\/h1>/);
    assert.match(offline, /the vehicle management module is offline at the moment\. Please try again soon\./);
    assert.match(await page('/CustomerManagement'), /<h1>Customers<\/h1>/, 'the others are not');
    assert.match(await target().log('webapp'), /The vehicle management module failed, attempt 6 of 6/);
    await target().start('vehiclemanagementapi');
    assert.ok((await page('/VehicleManagement')).includes(vehicle.licenseNumber), 'and nothing is lost');
  });

  test('what is stored outlives the database server', async () => {
    await target().stop('sqlserver');
    assert.match(await page('/CustomerManagement'), /the customer management module is offline/);
    await target().start('sqlserver');
    await eventually('the customer', async () =>
      (await page('/CustomerManagement')).includes(escapedName) ? true : undefined,
    );
  });

  test('what happens while the broker is away is told when it is back', async () => {
    const late = { ...customer, customerId: `late-${mark}`, name: 'Late' };
    await target().stop('rabbitmq');
    assert.equal((await sendJson('customermanagementapi', 'POST', '/api/customers', late)).status, 201);
    await target().start('rabbitmq');
    await eventually('the late customer', async () => {
      const response = await ask('workshopmanagementapi', `/api/refdata/customers/${late.customerId}`);
      await response.text();
      return response.status === 200 ? true : undefined;
    });
  });

  test('version 2.0 of the customer API brings the medals', async () => {
    await target().useCustomerApi('2.0');
    for (const [city, level, alt] of [
      ['Amsterdam', 3, 'Gold'],
      ['Den Haag', 2, 'Silver'],
      ['Utrecht', 1, 'Bronze'],
    ] as const) {
      const one = { ...customer, customerId: `${mark}-${level}`, city };
      const { status, answer } = await sendJson('customermanagementapi', 'POST', '/api/customers', one);
      assert.equal(status, 201);
      assert.deepEqual(JSON.parse(answer), { ...one, loyaltyLevel: level });
      const details = await page(`/CustomerManagement/Details/${one.customerId}`);
      assert.match(details, new RegExp(`LoyaltyLevel</dt><dd><img [^>]*src="/images/${level}.png" alt="${alt}"`));
      const image = await ask('webapp', `/images/${level}.png`);
      assert.equal(image.headers.get('content-type'), 'image/png');
      const bytes = Buffer.from(await image.arrayBuffer());
      assert.equal(bytes.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
    }
    assert.equal((await ask('webapp', '/images/4.png')).status, 404);
  });
}

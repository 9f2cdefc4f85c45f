// When a day has passed, sends the invoices for the jobs that were finished, by mail, to those who print and post them.
import { randomUUID } from 'node:crypto';
import { today } from './shared/clock.ts';
import { Database } from './shared/database.ts';
import { consume, type PitstopEvent } from './shared/events.ts';
import { html } from './shared/html.ts';
import { Log } from './shared/log.ts';
import { sendMail } from './shared/mail.ts';
import { endOnSignals } from './shared/worker.ts';

const HOURLY_RATE_EUR = 18.5;
const PRINTER = 'invoices@prestoprint.nl';

interface BillableRow {
  job_id: string;
  license_number: string;
  description: string;
  start_time: string;
  end_time: string;
  customer_id: string;
  name: string;
  address: string;
  postal_code: string;
  city: string;
}

const log = new Log('InvoiceService');
endOnSignals();
const database = await Database.open(
  'Invoicing',
  [
    `CREATE TABLE IF NOT EXISTS customer (
      customer_id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, postal_code TEXT NOT NULL,
      city TEXT NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS maintenance_job (
      job_id TEXT PRIMARY KEY, license_number TEXT NOT NULL, customer_id TEXT NOT NULL, description TEXT NOT NULL,
      start_time TEXT, end_time TEXT, invoice_id TEXT)`,
  ],
  log,
);

/** In cents, so that sums are exact. */
function amountOf({ start_time, end_time }: BillableRow): number {
  const hours = (Date.parse(`${end_time}Z`) - Date.parse(`${start_time}Z`)) / 3_600_000;
  return Math.round(hours * HOURLY_RATE_EUR * 100);
}

const inEuros = (cents: number) => `€ ${(cents / 100).toFixed(2)}`;

async function sendInvoices(): Promise<void> {
  const billable = await database.query<BillableRow>(
    `SELECT job_id, license_number, description, start_time, end_time, maintenance_job.customer_id AS customer_id,
       name, address, postal_code, city
     FROM maintenance_job INNER JOIN customer ON customer.customer_id = maintenance_job.customer_id
     WHERE end_time IS NOT NULL AND invoice_id IS NULL ORDER BY end_time`,
  );
  for (const [customerId, jobs] of Map.groupBy(billable, ({ customer_id }) => customer_id)) {
    const invoiceId = `${today()}-${randomUUID().slice(0, 8)}`;
    await sendInvoice(invoiceId, jobs);
    for (const { job_id } of jobs) {
      await database.query('UPDATE maintenance_job SET invoice_id = $2 WHERE job_id = $1', [job_id, invoiceId]);
    }
    log.information('Sent invoice {InvoiceId} for customer {CustomerId}', {
      InvoiceId: invoiceId,
      CustomerId: customerId,
    });
  }
}

async function sendInvoice(invoiceId: string, jobs: readonly BillableRow[]): Promise<void> {
  const [customer] = jobs;
  if (customer === undefined) return;
  const lines = jobs.map(
    (
      job,
    ) => html`<tr><td>${job.description}</td><td>${job.license_number}</td><td>${job.start_time.slice(11, 16)}–${job.end_time.slice(11, 16)}</td>
      <td align="right">${inEuros(amountOf(job))}</td></tr>`,
  );
  const total = jobs.reduce((sum, job) => sum + amountOf(job), 0);
  await sendMail({
    from: 'invoicing@pitstop.nl',
    to: PRINTER,
    subject: `Pitstop invoice ${invoiceId}`,
    html: html`<h1>Invoice ${invoiceId}</h1>
      <p>${customer.name}<br>${customer.address}<br>${customer.postal_code} ${customer.city}</p>
      <table cellpadding="6"><tr><th align="left">Work</th><th align="left">Vehicle</th><th align="left">Time</th><th align="right">Amount</th></tr>
      ${lines}<tr><td colspan="3"><b>Total</b></td><td align="right"><b>${inEuros(total)}</b></td></tr></table>
      <p>At ${inEuros(HOURLY_RATE_EUR * 100)} an hour. Please pay within 30 days.</p>`.text,
  });
}

async function handle(event: PitstopEvent): Promise<void> {
  switch (event.messageType) {
    case 'CustomerRegistered':
      await database.query(
        `INSERT INTO customer (customer_id, name, address, postal_code, city) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (customer_id) DO NOTHING`,
        [event.customerId, event.name, event.address, event.postalCode, event.city],
      );
      break;
    case 'MaintenanceJobPlanned':
      await database.query(
        `INSERT INTO maintenance_job (job_id, license_number, customer_id, description) VALUES ($1, $2, $3, $4)
         ON CONFLICT (job_id) DO NOTHING`,
        [event.jobId, event.vehicleInfo.licenseNumber, event.customerInfo.id, event.description],
      );
      break;
    case 'MaintenanceJobFinished':
      await database.query('UPDATE maintenance_job SET start_time = $2, end_time = $3 WHERE job_id = $1', [
        event.jobId,
        event.startTime,
        event.endTime,
      ]);
      break;
    case 'DayHasPassed':
      await sendInvoices();
      break;
    case 'VehicleRegistered':
    case 'WorkshopPlanningCreated':
      break;
  }
}

await consume('Invoicing', log, handle);

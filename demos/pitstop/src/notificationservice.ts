// Reminds customers, by mail, of the jobs of the day that begins.
import { today } from './shared/clock.ts';
import { Database } from './shared/database.ts';
import { consume, type PitstopEvent } from './shared/events.ts';
import { html } from './shared/html.ts';
import { Log } from './shared/log.ts';
import { sendMail } from './shared/mail.ts';
import { endOnSignals } from './shared/worker.ts';

interface DueRow {
  job_id: string;
  start_time: string;
  license_number: string;
  description: string;
  name: string;
  email_address: string;
}

const log = new Log('NotificationService');
endOnSignals();
const database = await Database.open(
  'Notification',
  [
    'CREATE TABLE IF NOT EXISTS customer (customer_id TEXT PRIMARY KEY, name TEXT NOT NULL, email_address TEXT NOT NULL)',
    `CREATE TABLE IF NOT EXISTS maintenance_job (
      job_id TEXT PRIMARY KEY, start_time TEXT NOT NULL, customer_id TEXT NOT NULL, license_number TEXT NOT NULL,
      description TEXT NOT NULL, notified_at TEXT)`,
  ],
  log,
);

async function notifyCustomers(): Promise<void> {
  const due = await database.query<DueRow>(
    `SELECT job_id, start_time, license_number, description, name, email_address
     FROM maintenance_job INNER JOIN customer ON customer.customer_id = maintenance_job.customer_id
     WHERE notified_at IS NULL AND start_time LIKE $1 ORDER BY start_time`,
    [`${today()}%`],
  );
  for (const [address, jobs] of Map.groupBy(due, ({ email_address }) => email_address)) {
    const items = jobs.map(
      (job) => html`<li>${job.start_time.slice(11, 16)}, vehicle ${job.license_number}: ${job.description}</li>`,
    );
    await sendMail({
      from: 'noreply@pitstop.nl',
      to: address,
      subject: 'Your appointment at Pitstop today',
      html: html`<p>Dear ${jobs[0]?.name},</p><p>We expect you today for:</p><ul>${items}</ul>
        <p>Please have your car at the garage 10 minutes before. See you then!</p><p>The Pitstop team</p>`.text,
    });
    for (const { job_id } of jobs) {
      await database.query('UPDATE maintenance_job SET notified_at = $2 WHERE job_id = $1', [
        job_id,
        new Date().toISOString(),
      ]);
    }
    log.information('Sent a notification to {Address} for {Count} job(s)', { Address: address, Count: jobs.length });
  }
}

async function handle(event: PitstopEvent): Promise<void> {
  switch (event.messageType) {
    case 'CustomerRegistered':
      await database.query(
        `INSERT INTO customer (customer_id, name, email_address) VALUES ($1, $2, $3)
         ON CONFLICT (customer_id) DO NOTHING`,
        [event.customerId, event.name, event.emailAddress],
      );
      break;
    case 'MaintenanceJobPlanned':
      await database.query(
        `INSERT INTO maintenance_job (job_id, start_time, customer_id, license_number, description)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (job_id) DO NOTHING`,
        [event.jobId, event.startTime, event.customerInfo.id, event.vehicleInfo.licenseNumber, event.description],
      );
      break;
    case 'MaintenanceJobFinished':
      // Of a job that is done nobody needs to be reminded.
      await database.query('DELETE FROM maintenance_job WHERE job_id = $1', [event.jobId]);
      break;
    case 'DayHasPassed':
      await notifyCustomers();
      break;
    case 'VehicleRegistered':
    case 'WorkshopPlanningCreated':
      break;
  }
}

await consume('Notifications', log, handle);

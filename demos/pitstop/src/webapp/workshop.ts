// The pages of the workshop module.
import { createHash } from 'node:crypto';
import { today } from '../shared/clock.ts';
import { isDate, problemsOf } from '../shared/fields.ts';
import { type Html, html } from '../shared/html.ts';
import { type ActionResult, notFound, type WebModule } from './actions.ts';
import { type Job, type NewJob, workshop } from './clients.ts';
import { dayChart } from './day-chart.ts';
import { EMPTY_FORM, type Field, type FormState, formOf } from './form.ts';
import { details, emptyState, heading, layout } from './layout.ts';

const TIME = { pattern: /^([01]\d|2[0-3]):[0-5]\d$/, hint: 'must look like 09:30' };
const JOB_RULES = {
  planningDate: { label: 'date', pattern: /^\d{4}-\d{2}-\d{2}$/, hint: 'must look like 2026-03-01' },
  licenseNumber: { label: 'vehicle' },
  startTime: { label: 'start time', ...TIME },
  endTime: { label: 'end time', ...TIME },
  description: { label: 'description', maxLength: 1_000 },
} as const;
const FINISH_RULES = {
  actualStartTime: { label: 'actual start time', ...TIME },
  actualEndTime: { label: 'actual end time', ...TIME },
  notes: { label: 'notes', optional: true, maxLength: 1_000 },
} as const;

function daysLater(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

function inWords(date: string): string {
  const options = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' } as const;
  return new Date(`${date}T00:00:00Z`).toLocaleDateString('en-GB', options);
}

const dayPage = (date: string) => `/WorkshopManagement?planningDate=${date}`;
const pageOf = (action: string, date: string, jobId: string) =>
  `/WorkshopManagement/${action}?planningDate=${date}&jobId=${encodeURIComponent(jobId)}`;
const clock = (time: string | null) => time?.slice(11, 16) ?? '';
const vehicleOf = ({ vehicle }: Job) =>
  html`<span class="plate">${vehicle.licenseNumber}</span> ${vehicle.brand} ${vehicle.type}`;
const badge = ({ status }: Job) => html`<span class="badge ${status.toLowerCase()}">${status}</span>`;

function planningPage(date: string, jobs: readonly Job[]): Html {
  const newJob = `/WorkshopManagement/New?planningDate=${date}`;
  const rows = jobs.map(
    (
      job,
    ) => html`<tr><th scope="row"><a href="${pageOf('Details', date, job.id)}">${clock(job.startTime)}–${clock(job.endTime)}</a></th>
      <td data-label="Vehicle"><span>${vehicleOf(job)}</span></td>
      <td data-label="Customer">${job.customer.name}</td><td data-label="Work">${job.description}</td><td data-label="Status">${badge(job)}</td></tr>`,
  );
  const table = html`<div class="card"><table><thead><tr><th scope="col">Time</th><th scope="col">Vehicle</th><th scope="col">Customer</th>
    <th scope="col">Work</th><th scope="col">Status</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return layout('Workshop planning', 'workshop', [
    heading('Workshop planning', inWords(date), [newJob, 'Plan maintenance job']),
    html`<form class="days" method="get" action="/WorkshopManagement">
      <a class="button quiet" href="${dayPage(daysLater(date, -1))}" aria-label="Previous day">‹</a>
      <label><span class="hidden">Day</span><input type="date" name="planningDate" value="${date}"></label>
      <button class="button quiet" type="submit">Show</button>
      <a class="button quiet" href="${dayPage(daysLater(date, 1))}" aria-label="Next day">›</a>
      ${date === today() ? '' : html`<a href="/WorkshopManagement">Today</a>`}</form>`,
    dayChart(jobs, (job) => pageOf('Details', date, job.id)),
    jobs.length === 0 ? emptyState('Nothing is planned for this day.', newJob, 'Plan a maintenance job') : table,
  ]);
}

function jobPage(date: string, job: Job): Html {
  const finished = job.status === 'Completed';
  return layout('Maintenance job', 'workshop', [
    heading(job.description, inWords(date), finished ? undefined : [pageOf('Finish', date, job.id), 'Finish job']),
    details([
      ['Status', badge(job)],
      ['Planned', `${clock(job.startTime)}–${clock(job.endTime)}`],
      ['Vehicle', vehicleOf(job)],
      ['Customer', `${job.customer.name}, ${job.customer.telephoneNumber}`],
      ...(finished ? [['Done', `${clock(job.actualStartTime)}–${clock(job.actualEndTime)}`] as const] : []),
      ...(job.notes ? [['Notes', job.notes] as const] : []),
    ]),
    html`<p><a href="${dayPage(date)}">All of this day</a></p>`,
  ]);
}

async function newPage(date: string, state: FormState): Promise<Html> {
  const known = (await workshop.vehicles()).map(
    ({ licenseNumber, brand, type }) => [licenseNumber, `${licenseNumber} · ${brand} ${type}`] as const,
  );
  const fields: readonly Field[] = [
    { name: 'planningDate', label: 'Date', type: 'date' },
    { name: 'licenseNumber', label: 'Vehicle', choices: known },
    { name: 'startTime', label: 'Start time', type: 'time' },
    { name: 'endTime', label: 'End time', type: 'time' },
    { name: 'description', label: 'What is to be done', lines: 3 },
  ];
  return layout('Plan maintenance job', 'workshop', [
    heading('Plan maintenance job', 'There are three work stations, and each car is in one place at a time.'),
    known.length === 0
      ? emptyState('The workshop knows of no vehicle yet.', '/VehicleManagement/New', 'Register a vehicle')
      : formOf('/WorkshopManagement/RegisterMaintenanceJob', 'Plan', dayPage(date), fields, state),
  ]);
}

function finishPage(date: string, job: Job, state: FormState): Html {
  const fields: readonly Field[] = [
    { name: 'actualStartTime', label: 'Actual start time', type: 'time' },
    { name: 'actualEndTime', label: 'Actual end time', type: 'time' },
    { name: 'notes', label: 'Notes', lines: 3, optional: true },
  ];
  const action = pageOf('FinishMaintenanceJob', date, job.id);
  return layout('Finish maintenance job', 'workshop', [
    heading('Finish maintenance job', `${job.description} · ${job.vehicle.licenseNumber}`),
    formOf(action, 'Finish', pageOf('Details', date, job.id), fields, state),
  ]);
}

/** The same form sent again, by a retry or a second click, is the same job. */
function jobIdOf(form: Readonly<Record<string, string>>): string {
  const keys = ['planningDate', 'licenseNumber', 'startTime', 'endTime', 'description'] as const;
  return createHash('sha256')
    .update(JSON.stringify(keys.map((key) => form[key])))
    .digest('hex')
    .slice(0, 32);
}

async function register(form: Readonly<Record<string, string>>): Promise<ActionResult> {
  const { planningDate = '', licenseNumber = '', startTime = '', endTime = '', description = '' } = form;
  const date = isDate(planningDate) ? planningDate : today();
  const again = async (errors: FormState['errors'], problem?: string) => ({
    page: await newPage(date, { values: form, errors, problem }),
  });
  const errors: Record<string, string> = problemsOf(JOB_RULES, form);
  if (errors['planningDate'] === undefined && !isDate(planningDate)) errors['planningDate'] = 'There is no such date.';
  if (Object.keys(errors).length > 0) return again(errors);
  const vehicle = await workshop.vehicle(licenseNumber);
  if (vehicle === undefined) return again({ licenseNumber: 'The workshop does not know this vehicle.' });
  const owner = await workshop.customer(vehicle.ownerId);
  if (owner === undefined) return again({ licenseNumber: "The workshop does not know this vehicle's owner yet." });
  const job: NewJob = {
    jobId: jobIdOf(form),
    startTime: `${date}T${startTime}:00`,
    endTime: `${date}T${endTime}:00`,
    customerInfo: { id: owner.customerId, name: owner.name, telephoneNumber: owner.telephoneNumber },
    vehicleInfo: { licenseNumber, brand: vehicle.brand, type: vehicle.type },
    description,
  };
  const refusal = await workshop.plan(date, job);
  return refusal === undefined ? { redirect: dayPage(date) } : again(refusal.errors ?? {}, refusal.errorMessage);
}

async function finish(date: string, job: Job, form: Readonly<Record<string, string>>): Promise<ActionResult> {
  const errors = problemsOf(FINISH_RULES, form);
  if (Object.keys(errors).length > 0) return { page: finishPage(date, job, { values: form, errors }) };
  const { actualStartTime = '', actualEndTime = '', notes = '' } = form;
  const refusal = await workshop.finish(date, job.id, {
    actualStartTime: `${date}T${actualStartTime}:00`,
    actualEndTime: `${date}T${actualEndTime}:00`,
    notes,
  });
  if (refusal === undefined) return { redirect: pageOf('Details', date, job.id) };
  const state = { values: form, errors: refusal.errors ?? {}, problem: refusal.errorMessage };
  return { page: finishPage(date, job, state) };
}

const dateOf = (text: string): string => (isDate(text) ? text : today());
const noSuchJob = () => notFound('There is no such maintenance job.', 'workshop');

export const workshopModule: WebModule = {
  module: 'workshop',
  name: 'workshop management',
  actions: {
    'GET index': async (request) => {
      const date = dateOf(request.query('planningDate'));
      return { page: planningPage(date, await workshop.jobs(date)) };
    },
    'GET details': async (request) => {
      const date = dateOf(request.query('planningDate'));
      const job = await workshop.job(date, request.query('jobId'));
      return job === undefined ? noSuchJob() : { page: jobPage(date, job) };
    },
    'GET new': async (request) => {
      const date = dateOf(request.query('planningDate'));
      return {
        page: await newPage(date, {
          ...EMPTY_FORM,
          values: { planningDate: date, startTime: '09:00', endTime: '10:00' },
        }),
      };
    },
    'GET finish': async (request) => {
      const date = dateOf(request.query('planningDate'));
      const job = await workshop.job(date, request.query('jobId'));
      if (job === undefined) return noSuchJob();
      const values = { actualStartTime: clock(job.startTime), actualEndTime: clock(job.endTime) };
      return { page: finishPage(date, job, { ...EMPTY_FORM, values }) };
    },
    'POST registermaintenancejob': ({ form }) => register(form),
    'POST finishmaintenancejob': async (request) => {
      const date = dateOf(request.query('planningDate'));
      const job = await workshop.job(date, request.query('jobId'));
      return job === undefined ? noSuchJob() : finish(date, job, request.form);
    },
  },
};

// The workshop API: the planning of a day, its jobs, and what is known of customers and vehicles for planning them.
import { type ApiReply, type ApiRequest, serveApi } from './shared/api.ts';
import type { EventFields } from './shared/events.ts';
import { invalid, isDate, LICENSE_NUMBER, objectOf, readFields } from './shared/fields.ts';
import { HttpError } from './shared/http-body.ts';
import { Log } from './shared/log.ts';
import { EventStore } from './workshop/event-store.ts';
import { type Decision, finishJob, planJob } from './workshop/planning.ts';
import { ReadModel } from './workshop/read-model.ts';

const PLANNING = '/api/workshopplanning/{date}';

const TIME = {
  pattern: /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/,
  hint: 'must look like 2026-03-01T09:00:00',
};
const JOB_RULES = {
  jobId: { label: 'job id', maxLength: 100 },
  startTime: { label: 'start time', ...TIME },
  endTime: { label: 'end time', ...TIME },
  description: { label: 'description', maxLength: 1_000 },
} as const;
const CUSTOMER_RULES = {
  id: { label: 'customer id', maxLength: 100 },
  name: { label: "customer's name" },
  telephoneNumber: { label: "customer's telephone number", optional: true, maxLength: 40 },
} as const;
const VEHICLE_RULES = {
  licenseNumber: { label: 'license number', ...LICENSE_NUMBER },
  brand: { label: 'brand' },
  type: { label: 'type' },
} as const;
const FINISH_RULES = {
  actualStartTime: { label: 'actual start time', ...TIME },
  actualEndTime: { label: 'actual end time', ...TIME },
  notes: { label: 'notes', optional: true, maxLength: 1_000 },
} as const;

const log = new Log('WorkshopManagementAPI');
const [eventStore, readModel] = await Promise.all([EventStore.open(log), ReadModel.open(log)]);

function dateOf(request: ApiRequest): string {
  // Clients may send a whole timestamp for the day.
  const date = request.parameter('date').slice(0, 10);
  if (!isDate(date)) throw invalid({ date: 'The date must look like 2026-03-01.' });
  return date;
}

/** Workshop times are local: whatever the zone a client appends, the clock on the wall is meant. */
const wallTime = (text: string) => `${text.slice(0, 10)}T${text.slice(11, 19).padEnd(8, ':00')}`;

function readJob(posted: unknown): EventFields['MaintenanceJobPlanned'] {
  const body = objectOf(posted);
  const { jobId, startTime, endTime, description } = readFields(JOB_RULES, body);
  return {
    jobId,
    startTime: wallTime(startTime),
    endTime: wallTime(endTime),
    customerInfo: readFields(CUSTOMER_RULES, body['customerInfo']),
    vehicleInfo: readFields(VEHICLE_RULES, body['vehicleInfo']),
    description,
  };
}

function replyTo(decision: Decision, success: () => ApiReply): ApiReply {
  switch (decision.kind) {
    case 'event':
    case 'done':
      return success();
    case 'unknown':
      return { status: 404 };
    case 'violation':
      throw new HttpError(409, { errorMessage: decision.message });
  }
}

const found = (body: unknown): ApiReply => (body === undefined ? { status: 404 } : { status: 200, body });

serveApi({
  title: 'WorkshopManagement API',
  version: '1.0',
  standardPort: 5200,
  log,
  isHealthy: async () => (await eventStore.isReachable()) && (await readModel.isReachable()),
  routes: [
    {
      method: 'GET',
      path: PLANNING,
      summary: 'The planning of a day, or 404 when nothing was ever planned for it.',
      handle: async (request) => found(await eventStore.planning(dateOf(request))),
    },
    {
      method: 'GET',
      path: `${PLANNING}/jobs/{jobId}`,
      summary: 'One maintenance job, or 404.',
      async handle(request) {
        const planning = await eventStore.planning(dateOf(request));
        return found(planning?.jobs.find(({ id }) => id === request.parameter('jobId')));
      },
    },
    {
      method: 'POST',
      path: `${PLANNING}/jobs`,
      summary:
        'Plans a maintenance job: 201, 400 when a field is not valid, 409 when a rule of the workshop forbids it.',
      async handle(request) {
        const date = dateOf(request);
        const job = readJob(await request.json());
        const decision = await eventStore.change(date, (planning) => planJob(planning, job));
        return replyTo(decision, () => {
          log.information('Planned job {JobId} on {Date}', { JobId: job.jobId, Date: date });
          const location = `/api/workshopplanning/${date}/jobs/${encodeURIComponent(job.jobId)}`;
          return { status: 201, body: job, location };
        });
      },
    },
    {
      method: 'PUT',
      path: `${PLANNING}/jobs/{jobId}/finish`,
      summary: 'Finishes a maintenance job: 200, 404 when there is none, 409 when a rule forbids it.',
      async handle(request) {
        const date = dateOf(request);
        const jobId = request.parameter('jobId');
        const fields = readFields(FINISH_RULES, await request.json());
        const finish = {
          jobId,
          startTime: wallTime(fields.actualStartTime),
          endTime: wallTime(fields.actualEndTime),
          notes: fields.notes,
        };
        const decision = await eventStore.change(date, (planning) => finishJob(planning, finish));
        return replyTo(decision, () => {
          log.information('Finished job {JobId} on {Date}', { JobId: jobId, Date: date });
          return { status: 200 };
        });
      },
    },
    {
      method: 'GET',
      path: '/api/refdata/customers',
      summary: 'The customers the workshop knows.',
      handle: async () => ({ status: 200, body: await readModel.customers() }),
    },
    {
      method: 'GET',
      path: '/api/refdata/customers/{customerId}',
      summary: 'One of them, or 404.',
      handle: async (request) => found(await readModel.customer(request.parameter('customerId'))),
    },
    {
      method: 'GET',
      path: '/api/refdata/vehicles',
      summary: 'The vehicles the workshop knows.',
      handle: async () => ({ status: 200, body: await readModel.vehicles() }),
    },
    {
      method: 'GET',
      path: '/api/refdata/vehicles/{licenseNumber}',
      summary: 'One of them, or 404.',
      handle: async (request) => found(await readModel.vehicle(request.parameter('licenseNumber'))),
    },
  ],
});

// The planning of one day in the workshop: pure functions from events to what is planned, and from commands to events.
import type { EventFields } from '../shared/events.ts';

export const WORK_STATIONS = 3;

export interface Job {
  readonly id: string;
  /** Local times without zone: 2026-03-01T09:00:00. */
  readonly startTime: string;
  readonly endTime: string;
  readonly vehicle: { readonly licenseNumber: string; readonly brand: string; readonly type: string };
  readonly customer: { readonly customerId: string; readonly name: string; readonly telephoneNumber: string };
  readonly description: string;
  readonly actualStartTime: string | null;
  readonly actualEndTime: string | null;
  readonly notes: string | null;
  readonly status: 'Planned' | 'Completed';
}

export interface Planning {
  readonly date: string;
  readonly jobs: readonly Job[];
}

export type PlanningEvent = {
  [T in 'WorkshopPlanningCreated' | 'MaintenanceJobPlanned' | 'MaintenanceJobFinished']: {
    readonly type: T;
    readonly fields: EventFields[T];
  };
}['WorkshopPlanningCreated' | 'MaintenanceJobPlanned' | 'MaintenanceJobFinished'];

export type Decision =
  | { readonly kind: 'event'; readonly event: PlanningEvent }
  /** It has happened already; the caller did not get the first answer. */
  | { readonly kind: 'done' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'violation'; readonly message: string };

export function apply(planning: Planning, { type, fields }: PlanningEvent): Planning {
  switch (type) {
    case 'WorkshopPlanningCreated':
      return { date: fields.date, jobs: [] };
    case 'MaintenanceJobPlanned':
      return { ...planning, jobs: [...planning.jobs, jobOf(fields)].sort(byStart) };
    case 'MaintenanceJobFinished':
      return { ...planning, jobs: planning.jobs.map((job) => (job.id === fields.jobId ? finished(job, fields) : job)) };
  }
}

function jobOf(fields: EventFields['MaintenanceJobPlanned']): Job {
  const { jobId, startTime, endTime, customerInfo, vehicleInfo, description } = fields;
  const customer = {
    customerId: customerInfo.id,
    name: customerInfo.name,
    telephoneNumber: customerInfo.telephoneNumber,
  };
  return {
    id: jobId,
    startTime,
    endTime,
    vehicle: vehicleInfo,
    customer,
    description,
    actualStartTime: null,
    actualEndTime: null,
    notes: null,
    status: 'Planned',
  };
}

const byStart = (a: Job, b: Job) => (a.startTime < b.startTime ? -1 : a.startTime > b.startTime ? 1 : 0);

function finished(job: Job, { startTime, endTime, notes }: EventFields['MaintenanceJobFinished']): Job {
  return { ...job, actualStartTime: startTime, actualEndTime: endTime, notes, status: 'Completed' };
}

export function planJob(planning: Planning, job: EventFields['MaintenanceJobPlanned']): Decision {
  const { startTime, endTime, vehicleInfo } = job;
  const known = planning.jobs.find(({ id }) => id === job.jobId);
  if (known !== undefined) {
    const same = known.startTime === startTime && known.vehicle.licenseNumber === vehicleInfo.licenseNumber;
    return same ? { kind: 'done' } : violation(`There is another maintenance job ${job.jobId} on this day.`);
  }
  if (dayOf(startTime) !== planning.date || dayOf(endTime) !== planning.date || endTime <= startTime) {
    return violation('A maintenance job must start and end on the planned day, and end after it starts.');
  }
  const overlapping = planning.jobs.filter((other) => other.startTime < endTime && startTime < other.endTime);
  if (overlapping.some(({ vehicle }) => vehicle.licenseNumber === vehicleInfo.licenseNumber)) {
    return violation('Only one maintenance job at a time can be done on a vehicle.');
  }
  if (mostAtOnce(overlapping, startTime) >= WORK_STATIONS) {
    return violation(`At most ${WORK_STATIONS} maintenance jobs can be done at the same time.`);
  }
  return { kind: 'event', event: { type: 'MaintenanceJobPlanned', fields: job } };
}

export function finishJob(planning: Planning, finish: EventFields['MaintenanceJobFinished']): Decision {
  const job = planning.jobs.find(({ id }) => id === finish.jobId);
  if (job === undefined) return { kind: 'unknown' };
  if (finish.endTime <= finish.startTime) return violation('A maintenance job must end after it starts.');
  if (job.status === 'Completed') {
    const same = job.actualStartTime === finish.startTime && job.actualEndTime === finish.endTime;
    return same ? { kind: 'done' } : violation('The maintenance job is finished already.');
  }
  return { kind: 'event', event: { type: 'MaintenanceJobFinished', fields: finish } };
}

const violation = (message: string): Decision => ({ kind: 'violation', message });

const dayOf = (time: string) => time.slice(0, 10);

/** The number is largest when one of the jobs begins, or at the beginning of the time looked at. */
function mostAtOnce(jobs: readonly Job[], from: string): number {
  const moments = [from, ...jobs.map(({ startTime }) => startTime).filter((start) => start > from)];
  return Math.max(...moments.map((at) => jobs.filter((job) => job.startTime <= at && at < job.endTime).length));
}

// A day in the workshop as bars on the work stations, from morning to evening.
import { type Html, html } from '../shared/html.ts';
import type { Job } from './clients.ts';

const OPENS = 8 * 60;
const CLOSES = 18 * 60;
const STATIONS = 3;

const minutesOf = (time: string) => Number(time.slice(11, 13)) * 60 + Number(time.slice(14, 16));

/** Each job on the first station that is free when it starts; `jobs` in the order of their starts. */
export function stationsOf(jobs: readonly Job[]): Job[][] {
  const stations: Job[][] = Array.from({ length: STATIONS }, () => []);
  for (const job of jobs) {
    const free = stations.find((station) => (station.at(-1)?.endTime ?? '') <= job.startTime);
    (free ?? (stations[0] as Job[])).push(job);
  }
  return stations;
}

/** The hours shown widen to hold every job. `linkTo` gives a job's page. */
export function dayChart(jobs: readonly Job[], linkTo: (job: Job) => string): Html {
  const from = Math.floor(Math.min(OPENS, ...jobs.map((job) => minutesOf(job.startTime))) / 60) * 60;
  const to = Math.ceil(Math.max(CLOSES, ...jobs.map((job) => minutesOf(job.endTime))) / 60) * 60;
  const share = (minutes: number) => `${(((minutes - from) / (to - from)) * 100).toFixed(2)}%`;
  const width = (job: Job) => share(from + minutesOf(job.endTime) - minutesOf(job.startTime));
  const hours = [];
  for (let hour = from / 60; hour < to / 60; hour += 2) {
    hours.push(html`<span style="left:${share(hour * 60)}">${String(hour).padStart(2, '0')}:00</span>`);
  }
  const lanes = stationsOf(jobs).map(
    (station, index) =>
      html`<li><span class="station" aria-hidden="true">${index + 1}</span><div class="lane">${station.map(
        (
          job,
        ) => html`<a class="bar ${job.status.toLowerCase()}" href="${linkTo(job)}" style="left:${share(minutesOf(job.startTime))};width:${width(job)}"
        title="${job.startTime.slice(11, 16)}–${job.endTime.slice(11, 16)} ${job.description}">${job.vehicle.licenseNumber}</a>`,
      )}</div></li>`,
  );
  return html`<section class="card chart" aria-label="The work stations"><div class="hours" aria-hidden="true">${hours}</div><ol>${lanes}</ol></section>`;
}

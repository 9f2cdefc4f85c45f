// The pages that need no API: home and about.
import { type Html, html } from '../shared/html.ts';
import { icon, layout } from './layout.ts';

const CARDS = [
  ['customers', '/CustomerManagement', 'Customers', 'Who they are, where they live, how to reach them.'],
  ['vehicles', '/VehicleManagement', 'Vehicles', 'What they drive, and who drives what.'],
  [
    'workshop',
    '/WorkshopManagement',
    'Workshop',
    "Today's jobs on three work stations, and those of the days to come.",
  ],
] as const;

export function homePage(): Html {
  const cards = CARDS.map(
    ([module, href, title, text]) =>
      html`<li><a class="card tile" href="${href}">${icon(module)}<strong>${title}</strong><span class="muted">${text}</span></a></li>`,
  );
  return layout('Garage management', 'home', [
    html`<section class="hero"><h1>In, fixed, and out again.</h1>
      <p>Pitstop keeps a garage's customers, their vehicles and the work on them in one place.</p></section>`,
    html`<ul class="tiles">${cards}</ul>`,
  ]);
}

export function aboutPage(): Html {
  return layout(
    'About',
    undefined,
    html`<div class="card notice"><h1>About Pitstop</h1>
      <p>A garage-management application in small services: this web application, three APIs with a database each, and workers
      that are told by events what happens. It is made to be run in a service mesh.</p></div>`,
  );
}

// The frame of every page: head, navigation, foot.
import { type Content, type Html, html } from '../shared/html.ts';

export type Module = 'home' | 'customers' | 'vehicles' | 'workshop';

/** Drawn on a grid of 24, with the stroke in the text's colour. */
const ICONS: Readonly<Record<Module, Html>> = {
  home: html`<path d="M3 11.5 12 4l9 7.5M5.5 10v10h13V10M10 20v-6h4v6"/>`,
  customers: html`<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.5-4 3-6 6.500-6s6 2 6.500 6M15.500 5a3.500 3.500 0 0 1 0 6.500M17.500 14.500c2.300.700 3.700 2.500 4 5.500"/>`,
  vehicles: html`<path d="M3 16v-4l2.500-1L8 6.500h7l3.500 4.500 2.500 1v4h-2M9 16h6M3 16h2M5.500 11h13M12 6.500V11"/><circle cx="7" cy="16.500" r="2"/><circle cx="17" cy="16.500" r="2"/>`,
  workshop: html`<path d="M14.500 6.500a4 4 0 0 1 5-1.500l-2.500 2.500 .500 2 2 .500L22 7.500a4 4 0 0 1-5.500 5L8 21a2 2 0 0 1-3-3l8.500-8.500a4 4 0 0 1 1-3Z"/>`,
};

const MODULES = [
  ['home', '/', 'Home'],
  ['customers', '/CustomerManagement', 'Customers'],
  ['vehicles', '/VehicleManagement', 'Vehicles'],
  ['workshop', '/WorkshopManagement', 'Workshop'],
] as const;

export function icon(module: Module): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${ICONS[module]}</svg>`;
}

export function layout(title: string, active: Module | undefined, content: Content): Html {
  const links = MODULES.map(
    ([module, href, text]) =>
      html`<a href="${href}"${module === active ? html` aria-current="page"` : ''}>${icon(module)}<span>${text}</span></a>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Pitstop</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/css/site.css">
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header class="top"><div class="bar">
<a class="brand" href="/"><img src="/favicon.svg" alt="" width="32" height="32"><span>Pitstop</span></a>
<nav aria-label="Main">${links}</nav>
</div></header>
<main id="content">
${content}
</main>
<footer><p>Pitstop garage management · <a href="/Home/About">About</a></p></footer>
</body>
</html>
`;
}

/** A page's heading, with its main action beside it. */
export function heading(title: string, lead: string, action?: readonly [href: string, text: string]): Html {
  return html`<div class="heading"><div><h1>${title}</h1><p class="muted">${lead}</p></div>
  ${action === undefined ? '' : html`<a class="button" href="${action[0]}">${action[1]}</a>`}</div>`;
}

export function emptyState(text: string, href: string, action: string): Html {
  return html`<div class="card empty"><p>${text}</p><a class="button" href="${href}">${action}</a></div>`;
}

/** Label and value pairs. */
export function details(rows: readonly (readonly [string, Content])[]): Html {
  return html`<dl class="card details">${rows.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}

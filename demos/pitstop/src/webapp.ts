// The web application: server-rendered pages over the three APIs.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { readBody } from './shared/http-body.ts';
import { Log } from './shared/log.ts';
import { file, page, redirect, text, type WebReply, webServer } from './shared/web.ts';
import { type ActionRequest, type ActionResult, notFound, resiliently, type WebModule } from './webapp/actions.ts';
import { customerModule } from './webapp/customers.ts';
import { aboutPage, homePage } from './webapp/home.ts';
import { medal } from './webapp/medal.ts';
import { vehicleModule } from './webapp/vehicles.ts';
import { workshopModule } from './webapp/workshop.ts';

const MAX_FORM_BYTES = 32 * 1024;

const MODULES: Readonly<Record<string, WebModule>> = {
  customermanagement: customerModule,
  vehiclemanagement: vehicleModule,
  workshopmanagement: workshopModule,
};

const asset = (name: string, type: string) => file(type, readFileSync(new URL(`./webapp/${name}`, import.meta.url)));
const FILES: Readonly<Record<string, () => WebReply>> = {
  '/css/site.css': () => asset('site.css', 'text/css; charset=utf-8'),
  '/favicon.svg': () => asset('favicon.svg', 'image/svg+xml'),
  '/images/1.png': () => file('image/png', medal(1)),
  '/images/2.png': () => file('image/png', medal(2)),
  '/images/3.png': () => file('image/png', medal(3)),
};
/** Made when first asked for. */
const filesMade = new Map<string, WebReply>();

function fileAt(path: string): WebReply | undefined {
  const made = filesMade.get(path) ?? (Object.hasOwn(FILES, path) ? FILES[path]?.() : undefined);
  if (made !== undefined) filesMade.set(path, made);
  return made;
}

const log = new Log('WebApp');

/** Paths are `/Module/Action/id`, in any case. */
async function resultOf(message: IncomingMessage, url: URL): Promise<ActionResult> {
  const [moduleName = '', actionName = 'index', id = ''] = url.pathname
    .split('/')
    .slice(1)
    .filter((part) => part !== '');
  const method = message.method === 'HEAD' ? 'GET' : message.method;
  const name = `${method} ${actionName.toLowerCase()}`;
  if (name === 'GET index' && ['', 'home'].includes(moduleName.toLowerCase())) return { page: homePage() };
  if (name === 'GET about' && moduleName.toLowerCase() === 'home') return { page: aboutPage() };
  const web = MODULES[moduleName.toLowerCase()];
  const action = web?.actions[name];
  if (web === undefined || action === undefined) return notFound('There is no page at this address.');
  const form = method === 'POST' ? await readForm(message) : {};
  const request: ActionRequest = {
    query: (parameter) =>
      parameter === 'id' && id !== '' ? decodeURIComponent(id) : (url.searchParams.get(parameter) ?? ''),
    form,
  };
  return resiliently(web, action, request, log);
}

async function readForm(message: IncomingMessage): Promise<Record<string, string>> {
  const form = new URLSearchParams(await readBody(message, MAX_FORM_BYTES));
  return Object.fromEntries([...form].map(([name, value]) => [name, value.trim()]));
}

async function handle(message: IncomingMessage, url: URL): Promise<WebReply> {
  if (url.pathname === '/hc') return text(200, 'Healthy');
  const made = fileAt(url.pathname);
  if (made !== undefined) return made;
  const result = await resultOf(message, url);
  return 'redirect' in result ? redirect(result.redirect) : page(result.page, result.status);
}

const server = webServer(handle, (error, { method = '', url = '' }) =>
  log.error('{Method} {Path} failed', error, { Method: method, Path: url }),
);
listen(server, portFromEnvironment(7005), (port) =>
  log.information('Now listening on: http://0.0.0.0:{Port}', { Port: port }),
);

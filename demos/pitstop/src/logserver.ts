// A log server: takes events as Serilog's Seq sink sends them, and lists and filters them on a page.
import type { IncomingMessage } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { type Html, html } from './shared/html.ts';
import { HttpError, readBody } from './shared/http-body.ts';
import { json, page, text, type WebReply, webServer } from './shared/web.ts';
import { frame, STYLE_PATH, viewerStyle } from './viewers/frame.ts';
import { type LogEvent, type LogFilter, LogStore, parseEvents } from './viewers/log-store.ts';

const MAX_BATCH_BYTES = 10 * 1024 * 1024;
const SHOWN = 200;
const MAX_COUNT = 1_000;

const store = new LogStore();
const style = viewerStyle();

function filterOf(query: URLSearchParams): LogFilter {
  const count = Number(query.get('count') ?? SHOWN);
  return {
    text: query.get('filter') ?? '',
    level: query.get('level') ?? '',
    count: Number.isInteger(count) && count > 0 ? Math.min(count, MAX_COUNT) : SHOWN,
  };
}

function listPage(filter: LogFilter): Html {
  const levels = ['', 'Information', 'Warning', 'Error'].map(
    (level) =>
      html`<option value="${level}"${level === filter.level ? html` selected` : ''}>${level === '' ? 'Any level' : level}</option>`,
  );
  const items = store.find(filter).map(
    ({ time, level, message, exception, properties }) => html`<li><time>${time.slice(11, 23)}</time>
      <span class="level ${level}">${level}</span> ${message} <span class="muted">${String(properties['Application'] ?? '')}</span>
      ${exception === undefined ? '' : html`<details><summary>Exception</summary><pre>${exception}</pre></details>`}</li>`,
  );
  return frame('Logs', [
    html`<form method="get" action="/" role="search"><input type="search" name="filter" value="${filter.text}" placeholder="Text in the message or a property" aria-label="Text">
      <select name="level" aria-label="Level">${levels}</select><button type="submit">Filter</button></form>`,
    items.length === 0 ? html`<p class="muted">No event fits.</p>` : html`<ul>${items}</ul>`,
  ]);
}

async function ingest(message: IncomingMessage, url: URL): Promise<void> {
  const type = message.headers['content-type'] ?? '';
  const clef = url.pathname === '/ingest/clef' || url.searchParams.has('clef') || type.includes('serilog.clef');
  let events: LogEvent[];
  try {
    events = parseEvents(await readBody(message, MAX_BATCH_BYTES), clef);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpError(400, { Error: error.message });
    throw error;
  }
  store.add(events);
}

async function handle(message: IncomingMessage, url: URL): Promise<WebReply> {
  if (message.method === 'POST' && ['/api/events/raw', '/ingest/clef'].includes(url.pathname)) {
    await ingest(message, url);
    return json(201, { MinimumLevelAccepted: null });
  }
  if (message.method !== 'GET' && message.method !== 'HEAD') return text(405, 'Method Not Allowed\n');
  switch (url.pathname) {
    case '/':
      return page(listPage(filterOf(url.searchParams)));
    case '/api/events':
      return json(200, store.find(filterOf(url.searchParams)));
    case '/health':
      return json(200, { status: 'The log server is up.' });
    case STYLE_PATH:
      return style;
    default:
      return text(404, 'Not Found\n');
  }
}

const server = webServer(handle, (error, { method, url }) => console.error(`${method} ${url} failed:`, error));
listen(server, portFromEnvironment(80), (port) => console.log(`Web page and ingestion on http://0.0.0.0:${port}`));

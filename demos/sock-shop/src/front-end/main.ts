// The front end: the shop's pages, and the API that they call, which asks the services behind.
import { CallError } from '@varka/demo-kit/call.ts';
import { portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { serviceUrl } from '../web/environment.ts';
import { json, RequestError, type ShopReply, type ShopRequest, serveShop } from '../web/service.ts';
import { cartRoutes } from './cart-routes.ts';
import { orderRoutes } from './order-routes.ts';
import { requestLine } from './request-log.ts';
import { LocalSessions, type SessionStore } from './sessions.ts';
import { StaticFiles } from './static-files.ts';
import { passBody, passThrough } from './upstream.ts';
import { userRoutes } from './user-routes.ts';
import { visits } from './visit.ts';

const STANDARD_PORT = 8079;

/** Any value of SESSION_REDIS means Redis, "false" too: as the original reads it. */
async function sessionStore(): Promise<SessionStore> {
  if (!process.env['SESSION_REDIS']) {
    console.log('Using local session manager');
    return new LocalSessions();
  }
  console.log('Using the redis based session manager');
  return (await import('./redis-sessions.ts')).redisSessions();
}

/** Blue is version 1, red version 2. */
const buttons = process.env['BUTTONS'] === 'red' ? 'red' : 'blue';
const files = new StaticFiles(buttons);

function failed(error: unknown): ShopReply {
  const status = error instanceof RequestError ? error.status : 500;
  const message = error instanceof Error ? error.message : String(error);
  return json(status, { message, error: error instanceof CallError ? { code: error.code } : {} });
}

function missing({ method, path }: ShopRequest): ShopReply {
  const shown = path.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  const body = `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot ${method} ${shown}</pre>\n</body>\n</html>\n`;
  return { status: 404, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

/** To the same place without the slash. Never to another host: `//name/` is a path here and an address in a browser. */
function withoutSlash({ url }: ShopRequest): ShopReply {
  const location = url.slice(0, -1).replace(/^\/\/+/, '/');
  return {
    status: 301,
    headers: { location, 'content-type': 'text/plain; charset=utf-8' },
    body: `Moved Permanently. Redirecting to ${location}`,
  };
}

async function around(request: ShopRequest, next: () => Promise<ShopReply>): Promise<ShopReply> {
  if (request.url.length > 1 && request.url.endsWith('/')) return withoutSlash(request);
  const file = files.reply(request);
  // Files are not logged: the original serves them before it comes to its log.
  if (file !== undefined) return file;
  const begin = performance.now();
  const reply = await next();
  const bytes = Buffer.byteLength(reply.body ?? '');
  console.log(requestLine(request.method, request.url, reply.status, performance.now() - begin, bytes));
  return reply;
}

const withVisit = visits(await sessionStore(), failed);
const catalogue = serviceUrl('catalogue');

serveShop({
  name: 'front-end',
  port: portFromEnvironment(STANDARD_PORT),
  failed,
  missing,
  around,
  started: (port) => console.log(`App now running in production mode on port ${port}`),
  routes: [
    { method: 'GET', path: '/catalogue/images/*', handle: withVisit(({ url }) => passThrough(`${catalogue}${url}`)) },
    { method: 'GET', path: '/catalogue', handle: withVisit(({ url }) => passBody(`${catalogue}${url}`)) },
    { method: 'GET', path: '/catalogue/*', handle: withVisit(({ url }) => passBody(`${catalogue}${url}`)) },
    { method: 'GET', path: '/tags', handle: withVisit(() => passBody(`${catalogue}/tags`)) },
    ...cartRoutes(withVisit),
    ...orderRoutes(withVisit),
    ...userRoutes(withVisit),
  ],
});

// The admin endpoint: what this proxy is doing, and a few orders to it, by Envoy's paths. For people and scrapers, so
// node:http serves it; only what a page needs is loaded, when it is first asked for.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { formatEndpoint, type SocketEndpoint } from '../runtime/addresses.ts';
import type { ProxyInstance } from '../runtime/proxy-instance.ts';
import { type AdminActions, findPage, PAGES, type Reply } from './pages.ts';

// An import of node:http would evaluate all it exports, the WebSocket and fetch machinery among it: 15 ms of each start.
const { createServer } = process.getBuiltinModule('node:http');

export class AdminServer {
  readonly #server: Server;
  readonly endpoint: SocketEndpoint;

  private constructor(server: Server, endpoint: SocketEndpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** Rejects with a sentence when the address can't be bound. */
  static async open(wanted: SocketEndpoint, proxy: ProxyInstance, actions: AdminActions): Promise<AdminServer> {
    const server = createServer((request, response) => void answer(request, response, proxy, actions));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host: wanted.address, port: wanted.port }, resolve);
    try {
      await promise;
    } catch (error) {
      const at = formatEndpoint(wanted.address, wanted.port);
      throw new Error(`admin: cannot bind '${at}': ${(error as Error).message}`);
    }
    server.off('error', reject);
    server.on('error', (error) => proxy.logger.log('warning', 'admin', `accept failed: ${error.message}`));
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : wanted.port;
    return new AdminServer(server, { address: wanted.address, port });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  proxy: ProxyInstance,
  actions: AdminActions,
): Promise<void> {
  // Bodies mean nothing here; unread they would hold up the connection.
  request.resume();
  const reply = await replyTo(request, proxy, actions);
  response.writeHead(reply.status, {
    'content-length': Buffer.byteLength(reply.body),
    'content-type': reply.type ?? 'text/plain; charset=UTF-8',
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

async function replyTo(request: IncomingMessage, proxy: ProxyInstance, actions: AdminActions): Promise<Reply> {
  const url = URL.parse(request.url ?? '/', 'http://admin');
  if (url === null) return { status: 400, body: 'the path cannot be parsed\n' };
  const page = findPage(url.pathname);
  if (page === undefined) return { status: 404, body: `invalid path. admin commands are:\n${listPages()}` };
  if (page.mutates && request.method !== 'POST')
    return { status: 405, body: `Method ${request.method} not allowed, POST required.` };
  try {
    return await page.answer({ proxy, query: url.searchParams, actions });
  } catch (error) {
    proxy.logger.log('error', 'admin', `${url.pathname}: ${(error as Error).stack ?? String(error)}`);
    return { status: 500, body: `${(error as Error).message}\n` };
  }
}

function listPages(): string {
  return PAGES.map(({ path, mutates, help }) => `  ${path}${mutates ? ' (POST)' : ''}: ${help}\n`).join('');
}

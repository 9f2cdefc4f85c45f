// What every service of the shop is made of: routes, a body that is read with a limit, errors in the service's own
// dialect, and the count of requests that `/metrics` shows.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '@varka/demo-kit/serve.ts';
import { RequestMetrics } from './request-metrics.ts';

export interface ShopRequest {
  readonly method: string;
  /** As it was sent: path and query. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** What the route's `:name` parts stand for, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** The body as JSON. Throws a RequestError when it is none. */
  json(): Promise<Readonly<Record<string, unknown>>>;
}

export interface ShopReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

export type Handler = (request: ShopRequest) => ShopReply | Promise<ShopReply>;

export interface Route {
  /** Several with spaces between; GET answers HEAD too. */
  readonly method: string;
  /** `/cart/:id`; a last part `*` stands for any rest. */
  readonly path: string;
  readonly handle: Handler;
}

/** A request that can't be carried out, for a reason its sender should hear. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Service {
  readonly name: string;
  readonly port: number;
  readonly routes: readonly Route[];
  /** Where Prometheus asks; `/metrics` when left out. */
  readonly metricsPath?: string;
  /** How the service words an error. */
  failed(error: unknown, request: ShopRequest): ShopReply;
  /** How it words that there is no such route. */
  missing(request: ShopRequest): ShopReply;
  started(port: number): void;
  /** Runs around every request that is not for metrics. */
  readonly around?: (request: ShopRequest, next: () => Promise<ShopReply>) => Promise<ShopReply>;
}

const MAX_BODY_BYTES = 100 * 1024;

export function json(status: number, value: unknown, headers: Record<string, string> = {}): ShopReply {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: stringify(value) };
}

const stringify = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** Serves until SIGTERM. */
export function serveShop(service: Service): void {
  const metrics = new RequestMetrics(service.name);
  const match = matcher(service.routes);
  const server = createServer((message, response) => {
    const { path, query } = partsOf(message.url ?? '/');
    if (path === (service.metricsPath ?? '/metrics')) {
      message.resume();
      write(response, message, { status: 200, headers: { 'content-type': 'text/plain' }, body: metrics.text() });
      return;
    }
    const method = message.method ?? 'GET';
    const found = match(method, path);
    const request: ShopRequest = {
      method,
      url: message.url ?? '/',
      path,
      query,
      params: found?.params ?? {},
      headers: message.headers,
      json: () => readJson(message),
    };
    const begin = performance.now();
    const handle = async (): Promise<ShopReply> => {
      try {
        return found === undefined ? service.missing(request) : await found.route.handle(request);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        return service.failed(error, request);
      }
    };
    (service.around === undefined ? handle() : service.around(request, handle))
      .catch((error: unknown) => service.failed(error, request))
      .then((reply) => {
        message.resume();
        write(response, message, reply);
        metrics.observe(method, found?.route.path ?? 'other', reply.status, (performance.now() - begin) / 1000);
      });
  });
  listen(server, service.port, service.started);
}

function write(
  response: ServerResponse,
  message: IncomingMessage,
  { status, headers = {}, body = '' }: ShopReply,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const hasBody = status !== 204 && status !== 304;
  response.writeHead(status, { ...headers, ...(hasBody ? { 'content-length': bytes.length } : {}) });
  response.end(hasBody && message.method !== 'HEAD' ? bytes : undefined);
}

/** The path and query of a request line's target; a target that is no path counts as `/`. */
function partsOf(url: string): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  return {
    path: path.startsWith('/') ? path : '/',
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
  };
}

type Match = { readonly route: Route; readonly params: Record<string, string> };

/** The first route in order that fits. */
function matcher(routes: readonly Route[]): (method: string, path: string) => Match | undefined {
  const rows = routes.map((route) => ({
    route,
    methods: new Set(route.method.split(' ').flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]))),
    parts: route.path.split('/'),
  }));
  return (method, path) => {
    const parts = path.split('/');
    for (const row of rows) {
      const params = row.methods.has(method) ? paramsOf(row.parts, parts) : undefined;
      if (params !== undefined) return { route: row.route, params };
    }
    return undefined;
  };
}

function paramsOf(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    if (part === '*') return params;
    const actual = parts[index];
    if (actual === undefined) return undefined;
    if (part.startsWith(':')) {
      const value = decoded(actual);
      if (value === undefined || value === '') return undefined;
      params[part.slice(1)] = value;
    } else if (part !== actual) return undefined;
  }
  return parts.length === pattern.length ? params : undefined;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

async function readJson(message: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const body = await readBody(message);
  try {
    const value: unknown = JSON.parse(body === '' ? '{}' : body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new RequestError(400, 'the body is not a JSON object');
}

/** What is too large is read to its end all the same, and dropped: the connection then serves the next request. */
function readBody(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else chunks.length = 0;
    });
    message.on('end', () => {
      if (size <= MAX_BODY_BYTES) resolve(Buffer.concat(chunks).toString('utf8'));
      else reject(new RequestError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`));
    });
    message.on('error', reject);
  });
}

/** A field of a JSON body as text; numbers count, anything else is as if it were not there. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

// A JSON API over HTTP: routes by method and path, problems as JSON, /hc, and /swagger from the same table of routes.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { HttpError, readBody } from './http-body.ts';
import type { Log } from './log.ts';

const MAX_BODY_BYTES = 64 * 1024;

export interface ApiRequest {
  /** The value of a `{parameter}` of the route's path. */
  parameter(name: string): string;
  /** The parsed body; throws an HttpError 400 when it is no JSON. */
  json(): Promise<unknown>;
}

export interface ApiReply {
  readonly status: number;
  /** Sent as JSON; nothing is sent when left out. */
  readonly body?: unknown;
  readonly location?: string;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Like `/api/customers/{id}`. */
  readonly path: string;
  readonly summary: string;
  handle(request: ApiRequest): Promise<ApiReply>;
}

export interface Api {
  readonly title: string;
  readonly version: string;
  readonly standardPort: number;
  readonly routes: readonly Route[];
  readonly log: Log;
  /** Whether /hc says `Healthy`. */
  isHealthy(): Promise<boolean>;
}

interface CompiledRoute extends Route {
  readonly pattern: RegExp;
}

export function serveApi(api: Api): void {
  const routes = api.routes.map((route) => ({
    ...route,
    pattern: new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`, 'i'),
  }));
  const server = createServer((message, response) => {
    answer(api, routes, message)
      .catch((error: unknown) => problem(api, message, error))
      .then((reply) => write(response, reply, message.method === 'HEAD'))
      .catch((error: unknown) => response.destroy(error as Error));
  });
  listen(server, portFromEnvironment(api.standardPort), (port) =>
    api.log.information('Now listening on: http://0.0.0.0:{Port}', { Port: port }),
  );
}

async function answer(api: Api, routes: readonly CompiledRoute[], message: IncomingMessage): Promise<ApiReply> {
  const path = (message.url ?? '/').split('?', 1)[0] ?? '/';
  const method = message.method === 'HEAD' ? 'GET' : message.method;
  if (method === 'GET' && path === '/hc') {
    const healthy = await api.isHealthy();
    return { status: healthy ? 200 : 503, body: new Plain(healthy ? 'Healthy' : 'Unhealthy') };
  }
  if (method === 'GET' && path === '/swagger/v1/swagger.json') return { status: 200, body: openApi(api) };
  if (method === 'GET' && /^\/swagger(\/index\.html)?\/?$/.test(path)) {
    const lines = api.routes.map((route) => `${route.method.padEnd(5)}${route.path.padEnd(60)}${route.summary}`);
    return {
      status: 200,
      body: new Plain(`${api.title} ${api.version}\n\n${lines.join('\n')}\n\n/swagger/v1/swagger.json\n`),
    };
  }
  let allowed = '';
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match === null) continue;
    if (route.method === method) return route.handle(requestOf(message, match.groups ?? {}));
    allowed += `${allowed && ', '}${route.method}`;
  }
  message.resume();
  if (allowed === '') return { status: 404 };
  return { status: 405, body: { errorMessage: `Only ${allowed} is answered here.` } };
}

function requestOf(message: IncomingMessage, groups: Readonly<Record<string, string>>): ApiRequest {
  return {
    parameter(name) {
      try {
        return decodeURIComponent(groups[name] ?? '');
      } catch (error) {
        if (!(error instanceof URIError)) throw error;
        throw new HttpError(400, { errorMessage: 'The address has a % that begins no escape.' });
      }
    },
    async json() {
      const text = await readBody(message, MAX_BODY_BYTES);
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        throw new HttpError(400, { errorMessage: `The body is no JSON: ${error.message}` });
      }
    },
  };
}

function problem(api: Api, message: IncomingMessage, error: unknown): ApiReply {
  message.resume();
  if (error instanceof HttpError) return { status: error.status, body: error.body };
  api.log.error('{Method} {Path} failed', error, { Method: message.method ?? '', Path: message.url ?? '' });
  return { status: 500, body: { errorMessage: 'Something went wrong here; the log has the details.' } };
}

class Plain {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function write(response: ServerResponse, { status, body, location }: ApiReply, headOnly: boolean): void {
  const plain = body instanceof Plain;
  const payload = Buffer.from(plain ? body.text : body === undefined ? '' : JSON.stringify(body));
  response.writeHead(status, {
    ...(body === undefined
      ? {}
      : { 'content-type': plain ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8' }),
    ...(location === undefined ? {} : { location }),
    'content-length': payload.length,
  });
  response.end(headOnly ? undefined : payload);
}

/** As little of an OpenAPI document as tools need to list and call the routes. */
function openApi({ title, version, routes }: Api): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary } of routes) {
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    const item = { summary, parameters, responses: { default: { description: 'See the summary.' } } };
    paths[path] = { ...paths[path], [method.toLowerCase()]: item };
  }
  return { openapi: '3.0.1', info: { title, version }, paths };
}

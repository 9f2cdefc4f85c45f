// From a request's path to what answers it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError } from '../status-error.ts';
import type { Access } from './access/access.ts';
import type { User } from './access/user.ts';
import type { ServerContext } from './context.ts';
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions } from './discovery.ts';
import { type Wanted, wanted } from './media-type.ts';
import { OpenApi } from './openapi.ts';
import { OPENAPI_V2, openApiV2 } from './openapi-v2.ts';
import { parseResourcePath } from './path.ts';
import { asStatusError, sendBytes, sendFailure, sendJsonText, sendObject, sendText } from './reply.ts';
import { ResourceHandler } from './resource-handler.ts';
import { parseConnectPath } from './streams/connect-path.ts';
import { connect, connectUpgrade } from './streams/connections.ts';
import { refuseUpgrade, type Upgrade } from './streams/upgrade.ts';
import { VERSION } from './version.ts';

const HEALTH = new Set(['/healthz', '/livez', '/readyz']);

export class Router {
  readonly #context: ServerContext;
  readonly #access: Access;
  readonly #resources: ResourceHandler;
  readonly #openApi: OpenApi;

  constructor(context: ServerContext, access: Access) {
    this.#context = context;
    this.#access = access;
    this.#resources = new ResourceHandler(context, access);
    this.#openApi = new OpenApi(context.registry);
  }

  /** Answers the request, whatever happens. */
  async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const about = { method: request.method, path: request.url };
    response.on('finish', () => {
      this.#context.log.debug('request', {
        ...about,
        code: response.statusCode,
        ms: Math.round(performance.now() - started),
      });
    });
    try {
      await this.#dispatch(request, response);
    } catch (error) {
      if (response.destroyed) {
        this.#context.log.debug('a client of the API went away before its answer', { ...about, error: String(error) });
      } else sendFailure(response, error, this.#context.log, about);
    }
  }

  /** As route, for a request to leave HTTP: a failure is answered while HTTP is still spoken. */
  async upgrade(upgrade: Upgrade): Promise<void> {
    const { request, socket } = upgrade;
    const about = { method: request.method, path: request.url, upgrade: request.headers.upgrade };
    this.#context.log.debug('request', about);
    try {
      const url = urlOf(request.url ?? '/');
      this.#enter(request, url);
      const path = decoded(url.pathname, parseConnectPath);
      if (path === undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
      await connectUpgrade(this.#context, path, url, upgrade);
    } catch (error) {
      const failure = asStatusError(error);
      if (failure.reason === 'InternalError')
        this.#context.log.error('a request to the API failed', { ...about, error: String(error) });
      refuseUpgrade(socket, failure);
    }
  }

  async #dispatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request.url ?? '/');
    const path = url.pathname;
    if (HEALTH.has(path)) return sendText(response, 200, 'ok');
    if (path === '/version') return sendObject(response, 200, VERSION, { encoding: 'json' });
    const user = this.#enter(request, url);
    if (path === '/openapi/v2') return sendBytes(response, openApiV2(this.#context.registry), OPENAPI_V2);
    if (path.startsWith('/openapi/v3')) return this.#sendOpenApi(path, response);
    const connection = decoded(path, parseConnectPath);
    if (connection !== undefined) return connect(this.#context, connection, url, request, response);
    const target = this.#target(path);
    if (target !== undefined) return this.#resources.handle(target, url.searchParams, user, request, response);
    const form = wanted(request.headers.accept);
    const document = this.#discovery(path.replace(/\/$/, ''), form);
    if (document === undefined)
      throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    if (request.method !== 'GET')
      throw StatusError.methodNotAllowed(
        `the server does not allow the method ${request.method} on the requested resource`,
      );
    const isAggregated = form.as === 'APIGroupDiscoveryList' && (path === '/api' || path === '/apis');
    sendObject(response, 200, document, isAggregated ? form : { encoding: form.encoding });
  }

  #enter(request: IncomingMessage, url: URL): User {
    return decoded(url.pathname, () => this.#access.enter(request, url));
  }

  #target(path: string) {
    const parsed = decoded(path, parseResourcePath);
    if (parsed === undefined) return undefined;
    const { group, version, plural, ...where } = parsed;
    const row = this.#context.registry.find(group, version, plural);
    if (row === undefined) return undefined;
    const { namespace, name } = where;
    // Roles are asked about the path's namespace, so what is in none is never reached through one, nor the reverse.
    const isThere = row.namespaced ? namespace !== undefined || name === undefined : namespace === undefined;
    return isThere ? { row, version, ...where } : undefined;
  }

  #discovery(path: string, form: Wanted): object | undefined {
    const { registry } = this.#context;
    const segments = path.split('/').slice(1);
    if (segments[0] !== 'api' && segments[0] !== 'apis')
      return path === ''
        ? { paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v3', '/readyz', '/version'] }
        : undefined;
    const core = segments[0] === 'api';
    if (segments.length === 1) {
      if (form.as === 'APIGroupDiscoveryList') return aggregated(registry, core, form.version ?? 'v2');
      return core ? apiVersions() : apiGroupList(registry);
    }
    if (core) return segments.length === 2 ? apiResourceList(registry, '', segments[1] ?? '') : undefined;
    if (segments.length === 2) return apiGroup(registry, segments[1] ?? '');
    return segments.length === 3 ? apiResourceList(registry, segments[1] ?? '', segments[2] ?? '') : undefined;
  }

  #sendOpenApi(path: string, response: ServerResponse): void {
    if (path === '/openapi/v3' || path === '/openapi/v3/') {
      sendObject(response, 200, this.#openApi.index(), { encoding: 'json' });
      return;
    }
    const text = this.#openApi.document(path.slice('/openapi/v3/'.length));
    if (text === undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    sendJsonText(response, text);
  }
}

/** Without the slashes beyond the first: what follows two of them would be taken for a host. */
function urlOf(target: string): URL {
  const url = URL.parse(target.replace(/^\/+/, '/'), 'https://api');
  if (url === null) throw StatusError.badRequest(`the request target ${JSON.stringify(target)} is not a path`);
  return url;
}

function decoded<T>(path: string, parse: (path: string) => T): T {
  try {
    return parse(path);
  } catch (error) {
    if (error instanceof URIError) throw StatusError.badRequest(`the path ${path} is not properly percent-encoded`);
    throw error;
  }
}

// The client of a Kubernetes API over HTTPS: Varka's own server and real clusters alike.
import type { IncomingHttpHeaders } from 'node:http';
import type { KindRef } from '../kinds/kind.ts';
import { apiVersionOf, pathOf } from '../kinds/kind.ts';
import type { KubeList, KubeObject, Status, WatchEvent } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type {
  DeleteOptions,
  DiscoveredKind,
  DiscoveryClient,
  KubeClient,
  ListOptions,
  PatchOptions,
  WatchOptions,
} from './client.ts';
import type { Clock } from './clock.ts';
import { sleep, systemClock } from './clock.ts';
import { discoverKinds } from './discovery.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import type { HttpAnswer, HttpRequest } from './transport.ts';
import { Transport, TransportError } from './transport.ts';
import { decodeWatch } from './watch-decoder.ts';

export interface HttpKubeClientOptions {
  requestTimeoutMs?: number;
  maxResponseBytes?: number;
  /** One watch event; the API server refuses objects long before this. */
  maxEventBytes?: number;
  userAgent?: string;
  clock?: Clock;
}

/** How often a request that was told to come back later does so, and how long it waits at most each time. */
const MAX_RETRIES = 3;
const MAX_RETRY_AFTER_MS = 30_000;
const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const;
const NEVER = new AbortController().signal;

export class HttpKubeClient implements KubeClient, DiscoveryClient {
  readonly #transport: Transport;
  readonly #maxEventBytes: number;
  readonly #clock: Clock;

  constructor(access: ClusterAccess, options: HttpKubeClientOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#maxEventBytes = options.maxEventBytes ?? 8 * 1024 * 1024;
    this.#transport = new Transport(access, {
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      maxResponseBytes: options.maxResponseBytes ?? 64 * 1024 * 1024,
      userAgent: options.userAgent ?? 'varka',
      clock: this.#clock,
    });
  }

  get<T extends KubeObject>(kind: KindRef, name: string, namespace?: string): Promise<T> {
    return this.#json<T>({ method: 'GET', path: pathOf(kind, namespace, name) });
  }

  async list<T extends KubeObject>(kind: KindRef, options: ListOptions = {}): Promise<KubeList<T>> {
    const path = `${pathOf(kind, options.namespace)}${listQuery(options)}`;
    const list = await this.#json<KubeList<T>>({ method: 'GET', path });
    if (!Array.isArray(list.items) || typeof list.metadata !== 'object') {
      // An empty list in Go's JSON may be null.
      if (list.items !== null) throw notAnAnswer('GET', path, 200, `a ${String(list.kind)} instead of a list`);
      list.items = [];
    }
    // A list leaves the type of its items to the list itself; whoever holds an item on its own needs it there.
    const apiVersion = apiVersionOf(kind);
    for (const item of list.items) {
      item.apiVersion ??= apiVersion;
      item.kind ??= kind.kind;
    }
    return list;
  }

  create<T extends KubeObject>(kind: KindRef, object: T, subresource?: string): Promise<T> {
    const name = subresource === undefined ? undefined : nameOf(object);
    return this.#json<T>({
      method: 'POST',
      path: pathOf(kind, object.metadata?.namespace, name, subresource),
      body: JSON.stringify(subresource === undefined ? typed(kind, object) : object),
    });
  }

  update<T extends KubeObject>(kind: KindRef, object: T, subresource?: 'status' | 'finalize'): Promise<T> {
    return this.#json<T>({
      method: 'PUT',
      path: pathOf(kind, object.metadata?.namespace, nameOf(object), subresource),
      body: JSON.stringify(typed(kind, object)),
    });
  }

  patch<T extends KubeObject>(
    kind: KindRef,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const manager = options.fieldManager;
    const query = manager === undefined ? '' : `?fieldManager=${encodeURIComponent(manager)}`;
    return this.#json<T>({
      method: 'PATCH',
      path: `${pathOf(kind, namespace, name, options.subresource)}${query}`,
      headers: { 'content-type': PATCH_TYPES[options.type ?? 'merge'] },
      body: JSON.stringify(patch),
    });
  }

  async delete(kind: KindRef, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    await this.#json({
      method: 'DELETE',
      path: pathOf(kind, namespace, name),
      body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', ...options }),
    });
  }

  async *watch<T extends KubeObject>(
    kind: KindRef,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const path = `${pathOf(kind, options.namespace)}${listQuery(options, true)}`;
    // Leaving the loop early, by break or by a decoding error, must end the connection too.
    const leaving = new AbortController();
    const either = AbortSignal.any([signal, leaving.signal]);
    try {
      const response = await this.#transport.stream({ method: 'GET', path }, either);
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        const body = await this.#transport.readBody(response);
        throw failureOf('GET', path, { status, headers: response.headers, body });
      }
      yield* decodeWatch<T>(response, this.#maxEventBytes);
    } catch (error) {
      if (signal.aborted) return;
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET' && !(error instanceof TransportError)) {
        throw new TransportError('ECONNRESET', `GET ${path}: the watch was cut`, { cause: error });
      }
      throw error;
    } finally {
      leaving.abort();
    }
  }

  discover(): Promise<DiscoveredKind[]> {
    return discoverKinds((path) => this.#json({ method: 'GET', path }));
  }

  /** Ends idle connections. Watches end by their signals. */
  close(): void {
    this.#transport.close();
  }

  async #json<T>(request: HttpRequest): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      const answer = await this.#transport.exchange(request);
      const delay = retries < MAX_RETRIES ? retryDelay(answer) : undefined;
      if (delay === undefined) return parseAnswer<T>(request, answer);
      await sleep(this.#clock, delay, NEVER);
    }
  }
}

/** 429 and 503 with Retry-After say the request was not taken up (Kubernetes API priority and fairness). */
function retryDelay(answer: HttpAnswer): number | undefined {
  if (answer.status !== 429 && answer.status !== 503) return undefined;
  const seconds = Number(answer.headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined;
}

function parseAnswer<T>(request: HttpRequest, answer: HttpAnswer): T {
  if (answer.status < 200 || answer.status > 299) throw failureOf(request.method, request.path, answer);
  const parsed = parseJson(answer.body);
  if (parsed === undefined) {
    throw notAnAnswer(request.method, request.path, answer.status, describe(answer.headers, answer.body));
  }
  return parsed as T;
}

/** Whatever went wrong becomes a Status, also when a proxy on the way answered in HTML. */
function failureOf(method: string, path: string, answer: HttpAnswer): StatusError {
  const parsed = parseJson(answer.body) as Partial<Status> | undefined;
  if (parsed?.kind === 'Status' && parsed.status !== 'Success') {
    return new StatusError({ ...(parsed as Status), code: parsed.code ?? answer.status });
  }
  return notAnAnswer(method, path, answer.status, describe(answer.headers, answer.body));
}

function notAnAnswer(method: string, path: string, status: number, what: string): StatusError {
  return StatusError.of(
    status >= 400 ? status : 500,
    REASONS[status] ?? (status >= 500 ? 'InternalError' : 'Unknown'),
    `${method} ${path}: the server answered ${status} with ${what}: is it a Kubernetes API?`,
  );
}

const REASONS: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function describe(headers: IncomingHttpHeaders, body: Buffer): string {
  const text = body.toString('utf8', 0, 200).trim();
  return text === '' ? 'an empty body' : `${headers['content-type'] ?? 'no content type'}: ${JSON.stringify(text)}`;
}

function parseJson(body: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function typed<T extends KubeObject>(kind: KindRef, object: T): T {
  return { ...object, apiVersion: object.apiVersion ?? apiVersionOf(kind), kind: object.kind ?? kind.kind };
}

function nameOf(object: KubeObject): string {
  const name = object.metadata?.name;
  if (name === undefined)
    throw new TypeError(`a ${object.kind ?? 'Kubernetes object'} without metadata.name has no URL`);
  return name;
}

function listQuery(options: WatchOptions, watch = false): string {
  const query = new URLSearchParams();
  if (watch) query.set('watch', 'true');
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  if (options.limit !== undefined) query.set('limit', String(options.limit));
  if (options.continue !== undefined) query.set('continue', options.continue);
  if (options.allowWatchBookmarks === true) query.set('allowWatchBookmarks', 'true');
  if (options.timeoutSeconds !== undefined) query.set('timeoutSeconds', String(options.timeoutSeconds));
  return query.size === 0 ? '' : `?${query}`;
}

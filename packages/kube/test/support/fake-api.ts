// A small Kubernetes API over real HTTP whose failures can be scripted: what the client and the informers are tested on.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../../src/object.ts';
import { StatusError } from '../../src/status-error.ts';

interface Change {
  revision: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  collection: string;
  object: KubeObject;
}

interface OpenWatch {
  collection: string;
  namespace: string | undefined;
  response: ServerResponse;
}

type Responder = (request: IncomingMessage, response: ServerResponse) => void;

const PATH = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

export class FakeApi {
  /** Every request as `METHOD path?query`. */
  readonly requests: string[] = [];
  readonly headers: http.IncomingHttpHeaders[] = [];
  readonly bodies: string[] = [];
  readonly #server: http.Server;
  readonly #collections = new Map<string, Map<string, KubeObject>>();
  readonly #changes: Change[] = [];
  readonly #watches = new Set<OpenWatch>();
  readonly #scripted: { when: (request: IncomingMessage) => boolean; respond: Responder }[] = [];
  #revision = 100;
  #compactedTo = 0;
  #uids = 0;

  private constructor(server: http.Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FakeApi> {
    const server = http.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeApi(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get watching(): number {
    return this.#watches.size;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The next request that `when` picks is answered by `respond` instead. */
  script(when: (request: IncomingMessage) => boolean, respond: Responder): void {
    this.#scripted.push({ when, respond });
  }

  put(collection: string, object: KubeObject): KubeObject {
    const objects = this.#collection(collection);
    const key = `${object.metadata?.namespace ?? ''}/${object.metadata?.name}`;
    const existing = objects.get(key);
    this.#revision += 1;
    const stored: KubeObject = structuredClone({
      ...object,
      metadata: {
        ...object.metadata,
        uid: existing?.metadata?.uid ?? `uid-${++this.#uids}`,
        resourceVersion: String(this.#revision),
      },
    });
    objects.set(key, stored);
    this.#publish({
      revision: this.#revision,
      type: existing === undefined ? 'ADDED' : 'MODIFIED',
      collection,
      object: stored,
    });
    return stored;
  }

  remove(collection: string, namespace: string, name: string): boolean {
    const objects = this.#collection(collection);
    const existing = objects.get(`${namespace}/${name}`);
    if (existing === undefined) return false;
    objects.delete(`${namespace}/${name}`);
    this.#revision += 1;
    const object = { ...existing, metadata: { ...existing.metadata, resourceVersion: String(this.#revision) } };
    this.#publish({ revision: this.#revision, type: 'DELETED', collection, object });
    return true;
  }

  all(collection: string): KubeObject[] {
    return [...this.#collection(collection).values()];
  }

  bookmark(): void {
    for (const watch of this.#watches) {
      this.write(watch, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.#revision) } } });
    }
  }

  /** Forgets all history: a watch from before now gets 410. */
  compact(): void {
    this.#compactedTo = this.#revision;
    this.#changes.length = 0;
  }

  /** Resets the connection of every open watch. */
  cutWatches(): void {
    for (const watch of [...this.#watches]) watch.response.socket?.resetAndDestroy();
    this.#watches.clear();
  }

  endWatches(): void {
    for (const watch of [...this.#watches]) watch.response.end();
    this.#watches.clear();
  }

  /** Writes a line as it is to every open watch. */
  writeRaw(line: string): void {
    for (const watch of this.#watches) watch.response.write(line);
  }

  write(watch: OpenWatch, event: unknown): void {
    watch.response.write(`${JSON.stringify(event)}\n`);
  }

  #collection(name: string): Map<string, KubeObject> {
    const existing = this.#collections.get(name);
    if (existing !== undefined) return existing;
    const created = new Map<string, KubeObject>();
    this.#collections.set(name, created);
    return created;
  }

  #publish(change: Change): void {
    this.#changes.push(change);
    for (const watch of this.#watches) this.#deliver(watch, change);
  }

  #deliver(watch: OpenWatch, change: Change): void {
    if (watch.collection !== change.collection) return;
    if (watch.namespace !== undefined && watch.namespace !== change.object.metadata?.namespace) return;
    this.write(watch, { type: change.type, object: change.object });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    this.headers.push(request.headers);
    let body = '';
    for await (const chunk of request) body += String(chunk);
    this.bodies.push(body);
    const index = this.#scripted.findIndex(({ when }) => when(request));
    if (index !== -1) {
      this.#scripted.splice(index, 1)[0]?.respond(request, response);
      return;
    }
    try {
      this.#route(request, response, body);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      answer(response, error.code, error.status);
    }
  }

  #route(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? '/', 'http://fake');
    const [, , namespace, plural, name, subresource] = PATH.exec(url.pathname) ?? [];
    if (plural === undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    const subject = { group: '', plural };
    const key = `${namespace ?? ''}/${name}`;
    if (request.method === 'GET' && name === undefined) {
      if (url.searchParams.get('watch') === 'true') this.#watch(url, plural, namespace, response);
      else this.#list(url, plural, namespace, response);
    } else if (request.method === 'POST' && subresource === undefined) {
      const object = JSON.parse(body) as KubeObject;
      if (this.#collection(plural).has(`${namespace ?? ''}/${object.metadata?.name}`)) {
        throw StatusError.alreadyExists(subject, object.metadata?.name ?? '');
      }
      answer(response, 201, this.put(plural, object));
    } else {
      const existing = this.#collection(plural).get(key);
      if (existing === undefined || name === undefined) throw StatusError.notFound(subject, name ?? '');
      if (request.method === 'PUT') {
        const object = JSON.parse(body) as KubeObject;
        const version = object.metadata?.resourceVersion;
        if (version !== undefined && version !== existing.metadata?.resourceVersion)
          throw StatusError.conflict(subject, name);
        answer(response, 200, this.put(plural, object));
      } else if (request.method === 'PATCH') {
        answer(
          response,
          200,
          this.put(plural, { ...existing, ...(JSON.parse(body) as KubeObject), metadata: existing.metadata ?? {} }),
        );
      } else if (request.method === 'DELETE') {
        this.remove(plural, namespace ?? '', name);
        answer(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
      } else answer(response, 200, existing);
    }
  }

  #list(url: URL, plural: string, namespace: string | undefined, response: ServerResponse): void {
    const objects = this.all(plural).filter(
      (object) => namespace === undefined || object.metadata?.namespace === namespace,
    );
    const start = Number(url.searchParams.get('continue') ?? 0);
    const end = start + Number(url.searchParams.get('limit') ?? objects.length);
    // As Kubernetes: items of a list don't say their own kind.
    answer(response, 200, {
      kind: 'List',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.#revision), ...(end < objects.length ? { continue: String(end) } : {}) },
      items: objects.slice(start, end).map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest),
    });
  }

  #watch(url: URL, collection: string, namespace: string | undefined, response: ServerResponse): void {
    const from = Number(url.searchParams.get('resourceVersion') ?? 0);
    if (from < this.#compactedTo) throw StatusError.expired(`too old resource version: ${from} (${this.#compactedTo})`);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watch = { collection, namespace, response };
    for (const change of this.#changes) if (change.revision > from) this.#deliver(watch, change);
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

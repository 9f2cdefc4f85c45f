// What the HTTP tests share: upstreams and clients that write bytes by hand, and a proxy between them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';
import type { RequestView } from '@varka/decide/request-view.ts';
import type { ForwardDecision, RetryPolicy, RouteDecision } from '@varka/decide/route-table.ts';
import { type HttpConnectionHandle, handleHttpConnection } from '../src/downstream/connection-manager.ts';
import { DrainSignal } from '../src/downstream/drain.ts';
import type { AccessLogEntry } from '../src/observe/access-log.ts';
import { ClusterStats, HttpStats } from '../src/observe/stats.ts';
import type { ConnectionInfo, HttpConnectionManagerConfig, ListenerTable } from '../src/runtime/tables.ts';
import { CircuitBreakers } from '../src/upstream/circuit-breakers.ts';
import type { Cluster, PickContext } from '../src/upstream/cluster.ts';
import { Host } from '../src/upstream/host.ts';
import type { OutlierDetector } from '../src/upstream/outlier-detection.ts';

/** A socket whose incoming bytes pile up as text, to be waited for. */
export class Wire {
  readonly socket: net.Socket;
  text = '';
  ended = false;
  closed = false;
  #waiting: (() => void)[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake();
    });
    socket.on('error', () => this.#wake());
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  write(text: string | Buffer): void {
    if (typeof text === 'string') this.socket.write(text, 'latin1');
    else this.socket.write(text);
  }

  /** Resolves once `ready` holds; it is looked at after every event on the socket. */
  async until(ready: () => boolean, what: string): Promise<void> {
    const deadline = AbortSignal.timeout(5000);
    while (!ready()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      const late = () =>
        reject(new Error(`waited 5 s for ${what}; so far: ${JSON.stringify(this.text.slice(0, 2000))}`));
      deadline.addEventListener('abort', late, { once: true });
      await promise.finally(() => deadline.removeEventListener('abort', late));
    }
  }

  /** Waits for `part` in what has come, and takes everything up to its end. */
  async take(part: string): Promise<string> {
    await this.until(() => this.text.includes(part), JSON.stringify(part));
    const end = this.text.indexOf(part) + part.length;
    const taken = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return taken;
  }

  /** The next message: its head, and a body of the length its head announces. */
  async message(): Promise<{ head: string; body: string }> {
    const head = await this.take('\r\n\r\n');
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) return { head, body: await this.take('0\r\n\r\n') };
    await this.until(() => this.text.length >= length, `${length} bytes of body`);
    const body = this.text.slice(0, length);
    this.text = this.text.slice(length);
    return { head, body };
  }

  async end(): Promise<string> {
    await this.until(() => this.ended || this.closed, 'the end');
    return this.text;
  }

  async gone(): Promise<void> {
    await this.until(() => this.closed, 'the close');
  }
}

/** A server of the test's own; `connections` in the order they came. */
export class Upstream {
  readonly connections: Wire[] = [];
  readonly server: net.Server;
  #waiting: (() => void)[] = [];

  constructor(onConnection: (wire: Wire, index: number) => void) {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const wire = new Wire(socket);
      this.connections.push(wire);
      onConnection(wire, this.connections.length - 1);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  static async listen(
    t: TestContext,
    onConnection: (wire: Wire, index: number) => void = () => undefined,
  ): Promise<Upstream> {
    const upstream = new Upstream(onConnection);
    upstream.server.listen(0, '127.0.0.1');
    await once(upstream.server, 'listening');
    t.after(() => {
      upstream.server.close();
      for (const wire of upstream.connections) wire.socket.destroy();
    });
    return upstream;
  }

  /** Answers each request, read by its head and content-length, with what `answer` gives. */
  static answering(
    t: TestContext,
    answer: (head: string, body: string, wire: Wire) => string | undefined,
  ): Promise<Upstream> {
    return Upstream.listen(t, async (wire) => {
      for (;;) {
        await wire.until(() => wire.text.includes('\r\n\r\n') || wire.ended || wire.closed, 'a request');
        if (!wire.text.includes('\r\n\r\n')) {
          wire.socket.end();
          return;
        }
        const { head, body } = await wire.message();
        const text = answer(head, body, wire);
        if (text !== undefined) wire.write(text);
      }
    });
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  async connection(index: number): Promise<Wire> {
    while (this.connections.length <= index) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    return this.connections[index]!;
  }
}

export class FakeCluster implements Cluster {
  readonly name: string;
  readonly stats = new ClusterStats();
  breakers = new CircuitBreakers();
  outliers: OutlierDetector | undefined = undefined;
  connectTimeoutMs = 2000;
  sourceAddress: string | undefined = undefined;
  socketMark = 0;
  maxRequestsPerConnection = 0;
  idleTimeoutMs = 0;
  readonly hosts: Host[];
  readonly picks: PickContext[] = [];
  #next = 0;

  constructor(name: string, hosts: Host[]) {
    this.name = name;
    this.hosts = hosts;
  }

  /** Round robin, over hosts not tried yet when there are any. */
  pick(context: PickContext): Host | undefined {
    this.picks.push(context);
    const candidates = this.hosts.filter((host) => context.tried?.has(host) !== true);
    const from = candidates.length > 0 ? candidates : this.hosts;
    return from[this.#next++ % Math.max(from.length, 1)];
  }
}

export function hostOf(port: number): Host {
  return new Host('127.0.0.1', port);
}

export function forward(overrides: Partial<ForwardDecision> & { path: string }): ForwardDecision {
  return {
    kind: 'forward',
    routeName: 'default',
    virtualHost: 'all',
    cluster: 'service',
    clusterNotFoundStatus: 503,
    authority: undefined,
    timeoutMs: 0,
    retry: undefined,
    includeAttemptCount: false,
    requestHeaders: [],
    responseHeaders: [],
    mirrors: [],
    filters: {},
    ...overrides,
  };
}

export function retryPolicy(overrides: Partial<RetryPolicy>): RetryPolicy {
  return {
    retryOn: new Set(),
    numRetries: 2,
    perTryTimeoutMs: 0,
    retriableStatusCodes: new Set(),
    avoidPreviousHosts: 0,
    backoffBaseMs: 1,
    backoffMaxMs: 2,
    ...overrides,
  };
}

export interface ProxyOptions {
  readonly decide?: (request: RequestView) => RouteDecision;
  readonly clusters?: readonly FakeCluster[];
  readonly config?: Partial<HttpConnectionManagerConfig>;
  readonly draw?: () => number;
}

/** A proxy on a port of its own. What it logs is kept. */
export class TestProxy {
  readonly entries: AccessLogEntry[] = [];
  /** Errors of the proxy's own code. */
  readonly faults: unknown[] = [];
  readonly handles: HttpConnectionHandle[] = [];
  readonly drain = new DrainSignal();
  readonly stats = new HttpStats();
  readonly server: net.Server;
  #waiting: (() => void)[] = [];

  private constructor(options: ProxyOptions) {
    const clusters = new Map((options.clusters ?? []).map((cluster) => [cluster.name, cluster]));
    const decide = options.decide ?? ((request: RequestView) => forward({ path: request.path }));
    const config: HttpConnectionManagerConfig = {
      statPrefix: 'test',
      routes: { name: 'test', table: { name: 'test', decide } },
      accessLogs: [
        {
          log: (entry) => {
            this.entries.push(entry);
            for (const wake of this.#waiting.splice(0)) wake();
          },
        },
      ],
      filters: [],
      serverName: undefined,
      serverHeader: 'pass-through',
      useRemoteAddress: false,
      generateRequestId: false,
      websocketUpgrade: false,
      idleTimeoutMs: 0,
      maxRequestHeaderBytes: 60 * 1024,
      maxRequestHeaders: 100,
      perConnectionBufferLimit: 1024 * 1024,
      normalizePath: true,
      stats: this.stats,
      ...options.config,
    };
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: false }, (socket) => {
      const info: ConnectionInfo = {
        destinationAddress: '10.1.2.3',
        destinationPort: 80,
        remoteAddress: socket.remoteAddress ?? '',
        remotePort: socket.remotePort ?? 0,
        requestedServerName: undefined,
        listener: LISTENER,
      };
      const handle = handleHttpConnection(socket, Buffer.alloc(0), info, config, {
        clusters: { get: (name) => clusters.get(name) },
        draw: options.draw ?? (() => 0),
        now: () => Date.now(),
        onFault: (error) => this.faults.push(error),
        drain: this.drain,
      });
      this.handles.push(handle);
    });
  }

  static async listen(t: TestContext, options: ProxyOptions = {}): Promise<TestProxy> {
    const proxy = new TestProxy(options);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    t.after(() => {
      proxy.server.close();
      for (const handle of proxy.handles) handle.destroy();
      for (const cluster of options.clusters ?? []) for (const host of cluster.hosts) host.pool?.closeIdle();
    });
    return proxy;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  async client(t: TestContext): Promise<Wire> {
    const socket = net.connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    return new Wire(socket);
  }

  /** The log entry of the request with this number, from 0. */
  async entry(index = 0): Promise<AccessLogEntry> {
    while (this.entries.length <= index) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    return this.entries[index]!;
  }
}

const LISTENER: ListenerTable = {
  name: 'test',
  address: '127.0.0.1',
  port: 0,
  bindToPort: true,
  useOriginalDst: false,
  originalDst: false,
  inspectHttp: false,
  inspectTls: false,
  inspectTimeoutMs: 0,
  direction: 'unspecified',
  chains: [],
  defaultChain: undefined,
};

/** One cluster `service` over the given upstreams. */
export function clusterOf(...upstreams: readonly Upstream[]): FakeCluster {
  return new FakeCluster(
    'service',
    upstreams.map((upstream) => hostOf(upstream.port)),
  );
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited 5 s for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

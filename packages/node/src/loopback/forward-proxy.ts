// The way into the cluster for programs without a preload: an HTTP proxy (absolute-form and CONNECT) on this machine's
// loopback, which calls as the pod whose token it was given.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, isIP, Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { connectAs } from './preload/connecting.ts';
import { Fabric, type Membership } from './preload/fabric.ts';
import { notFound } from './preload/names.ts';

/** RFC 9110, 7.6.1: what is about this connection only. */
const HOP_BY_HOP = ['connection', 'proxy-connection', 'proxy-authorization', 'keep-alive', 'te', 'upgrade'];

export class ForwardProxy {
  readonly #server: Server;
  /** By token. */
  readonly #members = new Map<string, Fabric>();
  readonly #tunnels = new Set<Duplex>();
  /** It listens. */
  readonly ready: Promise<void>;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => this.#forward(request, response));
    this.#server.on('connect', (request, socket, head) => this.#tunnel(request, socket, head));
    this.#server.listen(0, '127.0.0.1');
    this.ready = once(this.#server, 'listening').then(() => {
      this.#port = (this.#server.address() as AddressInfo).port;
    });
    this.ready.catch(() => undefined); // for whoever waits for it
  }

  /** What HTTP_PROXY is to be for this pod. */
  admit(member: Membership): string {
    const token = randomBytes(16).toString('hex');
    this.#members.set(token, new Fabric(member));
    return `http://pod:${token}@127.0.0.1:${this.#port}`;
  }

  /** The pod at that address has gone. */
  expel(address: string): void {
    for (const [token, { membership }] of this.#members)
      if (membership.address === address) this.#members.delete(token);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const tunnel of this.#tunnels) tunnel.destroy();
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const fail = (status: number, why: string): void => {
      if (response.headersSent) response.destroy();
      else response.writeHead(status, { 'content-type': 'text/plain', connection: 'close', ...challenge(status) });
      response.end(`varka: ${why}\n`);
    };
    const member = this.#memberOf(request);
    const url = URL.parse(request.url ?? '');
    if (member === undefined) fail(407, 'no pod has this token');
    else if (url?.protocol !== 'http:') fail(400, 'the request is not for an http: URL');
    else this.#passOn(request, response, member, url, fail);
  }

  #passOn(
    request: IncomingMessage,
    response: ServerResponse,
    member: Fabric,
    url: URL,
    fail: (status: number, why: string) => void,
  ): void {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.includes(name)),
    ) as IncomingMessage['headers'];
    const port = url.port === '' ? 80 : Number(url.port);
    const outgoing = httpRequest({
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers,
      setHost: false,
      createConnection: () => enter(member, url.hostname, port),
    });
    outgoing.on('response', (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, incoming.rawHeaders);
      // An answer that breaks off breaks off for the program, too.
      pipeline(incoming, response, () => undefined);
    });
    outgoing.on('error', (error) => fail(502, error.message));
    response.on('close', () => outgoing.destroy());
    request.pipe(outgoing);
  }

  #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): void {
    client.on('error', () => client.destroy());
    this.#tunnels.add(client);
    client.once('close', () => this.#tunnels.delete(client));
    const member = this.#memberOf(request);
    const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(request.url ?? '') ?? [];
    if (member === undefined || host === '') {
      const status = member === undefined ? 'HTTP/1.1 407 Proxy Authentication Required' : 'HTTP/1.1 400 Bad Request';
      client.end(`${status}\r\n${member === undefined ? 'proxy-authenticate: Basic\r\n' : ''}\r\n`);
      return;
    }
    const upstream = enter(member, host, Number(port));
    const refuse = (error: Error): void => {
      client.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\n\r\nvarka: ${error.message}\n`);
    };
    upstream.once('error', refuse);
    upstream.once('connect', () => {
      upstream.off('error', refuse);
      upstream.on('error', () => client.destroy());
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) upstream.write(head);
      client.pipe(upstream);
      upstream.pipe(client);
    });
    client.on('close', () => upstream.destroy());
  }

  /** Proxy-Authorization: Basic, of which the password is the token. */
  #memberOf({ headers }: IncomingMessage): Fabric | undefined {
    const [, encoded = ''] = /^Basic (\S+)$/i.exec(headers['proxy-authorization'] ?? '') ?? [];
    const [, token = ''] = Buffer.from(encoded, 'base64').toString('latin1').split(':');
    return this.#members.get(token);
  }
}

function challenge(status: number): Record<string, string> {
  return status === 407 ? { 'proxy-authenticate': 'Basic' } : {};
}

function enter(member: Fabric, host: string, port: number): Socket {
  if (isIP(host) !== 0) return enterByAddress(member, host, port);
  const found = member.resolve(host);
  if (found.kind === 'addresses') return enterByAddress(member, found.addresses[0] ?? '', port);
  if (found.kind === 'outside') return connect({ host: found.name, port });
  const nowhere = new Socket();
  process.nextTick(() => nowhere.destroy(notFound(host)));
  return nowhere;
}

function enterByAddress(member: Fabric, address: string, port: number): Socket {
  const { kind } = member.route(address, port, undefined);
  return kind === 'outside' ? connect({ host: address, port }) : connectAs(member, address, port);
}

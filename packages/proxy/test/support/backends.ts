// Servers behind the proxy: HTTP ones that say who they are, and raw ones that do as they are told.
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** Answers everything with its name; `connections` counts how often it was connected to. */
export async function httpBackend(t: TestContext, name: string): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createHttpServer((incoming, response) => {
    incoming.resume();
    response.end(`${name} ${incoming.method} ${incoming.url} ${incoming.headers.host}`);
  });
  server.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

export async function tcpBackend(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    // What becomes of a connection is what the test looks at from the other side.
    socket.on('error', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export async function get(port: number, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    response.on('error', reject);
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

/** Sends all of `text`, closes its side if told to, and returns what came until the other side closed. */
export async function exchange(
  port: number,
  text: string,
  options: { end?: boolean; host?: string } = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ port, host: options.host ?? '127.0.0.1', allowHalfOpen: true });
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (part: string) => {
    received += part;
  });
  socket.on('end', () => {
    socket.end();
    resolve(received);
  });
  socket.on('error', reject);
  socket.write(text, 'latin1');
  if (options.end === true) socket.end();
  const timer = setTimeout(() => reject(new Error(`no end within 5 s; so far ${JSON.stringify(received)}`)), 5000);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 5000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

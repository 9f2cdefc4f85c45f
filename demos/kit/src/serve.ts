// Serving HTTP the way a pod should: the port from the environment, keep-alive that outlasts the sidecar's, a quiet end.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TextReply {
  readonly status: number;
  readonly text: string;
}

export interface TextService {
  /** Sent with every reply. */
  readonly contentType: string;
  /** The line on stdout once requests are taken. */
  started(port: number): string;
  handle(path: string, message: IncomingMessage): TextReply | Promise<TextReply>;
}

// Longer than Envoy's idle timeout of an upstream connection (1 h), so that it is always the sidecar that closes an
// idle connection: were it the app, a request could be on its way in that very moment and fail with 503 UC.
const KEEP_ALIVE_MS = 3_610_000;

// A pod gets SIGTERM at the same moment as it is taken out of its Service; requests already on their way still come.
const LAME_DUCK_MS = 300;

/** Reads `PORT`, listens, and on SIGTERM or SIGINT finishes what it has begun and exits 0. */
export function serve(service: TextService): void {
  const server = createServer((message, response) => {
    message.resume();
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/';
    const send = ({ status, text }: TextReply) => {
      const body = Buffer.from(text, 'utf8');
      response.writeHead(status, { 'content-type': service.contentType, 'content-length': body.length });
      response.end(message.method === 'HEAD' ? undefined : body);
    };
    Promise.resolve(service.handle(path, message)).then(send, (error: unknown) => {
      console.error(`request ${message.method} ${message.url} failed:`, error);
      send({ status: 500, text: 'Internal Server Error' });
    });
  });
  listen(server, portFromEnvironment(8080), (port) => console.log(service.started(port)));
}

/** Listens on `port`, on the address in `HOST` or all; on SIGTERM or SIGINT finishes what it has begun and exits 0. */
export function listen(server: Server, port: number, started: (port: number) => void): void {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('error', (error: NodeJS.ErrnoException) => {
    console.error(
      error.code === 'EADDRINUSE'
        ? `port ${port} is taken by another program; set PORT to a free one`
        : `can't listen on port ${port}: ${error.message}`,
    );
    process.exit(1);
  });
  const host = process.env['HOST'];
  server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
    started((server.address() as AddressInfo).port);
  });
  const stop = () => {
    setTimeout(() => {
      // Closes the idle connections too, and the busy ones after their reply.
      server.close(() => process.exit(0));
    }, LAME_DUCK_MS);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** `PORT`, or what the program listens on without it. */
export function portFromEnvironment(standard: number): number {
  const text = process.env['PORT'] ?? String(standard);
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    console.error(`PORT is "${text}"; it must be a number from 0 to 65535`);
    process.exit(1);
  }
  return port;
}

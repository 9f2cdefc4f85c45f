// The sockets a user reaches the mesh by. They are opened in the host's network and handed to the supervisor, which
// lives in another one.
import { createServer, type Server } from 'node:net';
import { errorCode, messageOf, problem } from '../errors.ts';

export const PUBLISHED = ['api', 'http', 'https'] as const;
export type Published = (typeof PUBLISHED)[number];

export const DEFAULT_PORTS: Readonly<Record<Published, number>> = { api: 6443, http: 8080, https: 8443 };
export const PORT_OPTIONS: Readonly<Record<Published, string>> = {
  api: '--api-port',
  http: '--gateway-port',
  https: '--gateway-https-port',
};
const PURPOSES: Readonly<Record<Published, string>> = {
  api: 'the API server',
  http: 'the gateway',
  https: 'the gateway (HTTPS)',
};
/** How far to look for a free one before giving up. */
const TRIES = 100;

export interface Listener {
  readonly name: Published;
  readonly server: Server;
  readonly port: number;
  /** The port people expect, when another program has it. */
  readonly movedFrom: number | undefined;
}

function listen(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      server.removeListener('error', reject);
      // Until the supervisor has the socket nobody can serve what arrives.
      server.on('connection', (socket) => socket.destroy());
      resolve(server);
    });
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP listener has no port');
  return address.port;
}

/** `wanted` was asked for by option: that port or an error. Otherwise the usual one or the next that is free. */
export async function openListener(name: Published, wanted: number | undefined): Promise<Listener> {
  const option = PORT_OPTIONS[name];
  const first = wanted ?? DEFAULT_PORTS[name];
  const last = wanted === undefined ? first + TRIES : first;
  for (let port = first; port <= last; port++) {
    try {
      const server = await listen(port);
      return { name, server, port: portOf(server), movedFrom: port === first ? undefined : first };
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'EADDRINUSE' && code !== 'EACCES')
        throw problem('port-refused', { port, option, detail: messageOf(error) }, error);
      if (wanted === undefined) continue;
      if (code === 'EADDRINUSE') throw problem('port-taken', { port, option }, error);
      throw problem('port-refused', { port, option, detail: messageOf(error) }, error);
    }
  }
  throw problem('no-free-port', { port: first, last, option, purpose: PURPOSES[name] });
}

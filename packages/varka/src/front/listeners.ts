// The sockets a user reaches the mesh by: those of every mesh, and those of its services. They are opened in the host's
// network and handed to the supervisor, which lives in another one.
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

/** A listening socket on its way to the supervisor, with the name that it knows it by. */
export interface NamedServer {
  readonly name: string;
  readonly server: Server;
}

export interface Listener extends NamedServer {
  readonly name: Published;
  readonly port: number;
  /** The port people expect, when another program has it. */
  readonly movedFrom: number | undefined;
}

/** On one of this machine's own addresses, and no other: nothing of a mesh is in the reach of other machines. */
export function listenOn(host: string, port: number): Promise<Server> {
  if (!host.startsWith('127.')) throw new TypeError(`${host} is not an address of the loopback network`);
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
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
      const server = await listenOn('127.0.0.1', port);
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

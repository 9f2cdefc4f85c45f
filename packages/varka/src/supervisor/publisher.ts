// The way in from the host: connections to a listening socket are piped, byte for byte, to a service's ready pod.
import { connect, type Server, type Socket } from 'node:net';
import type { Logger } from '@varka/kube/log.ts';

export interface EndpointAddress {
  readonly host: string;
  readonly port: number;
}

export interface PublisherOptions {
  readonly server: Server;
  /** What stands for it in the log. */
  readonly name: string;
  /** The ready endpoints now. */
  readonly endpoints: () => readonly EndpointAddress[];
  /** Session affinity: to the mesh all of this machine is one client, so all its connections go to one endpoint. */
  readonly sticky?: () => boolean;
  readonly log: Logger;
}

/** A pod that answers its readiness probe takes a connection within milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { server, log } = options;
    // A client may send its end and still read the answer. A server that came over IPC can't be given options, but the
    // property is what a new connection gets (node:net; missing from its types).
    Object.assign(server, { allowHalfOpen: true });
    server.on('connection', (client) => this.#accept(client));
    server.on('error', (error) => log.error('a published port failed', { name: options.name, error: error.message }));
  }

  close(): void {
    this.#options.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket): void {
    const endpoints = this.#options.endpoints();
    if (endpoints.length === 0) {
      // With nobody to answer, a closed connection is what a load balancer without backends gives.
      this.#options.log.warn('no pod is ready; the connection was closed', { name: this.#options.name });
      client.destroy();
      return;
    }
    this.#track(client);
    // Every error is followed by `close`, which ends the other side.
    client.on('error', (error) => this.#options.log.debug('a client failed', { error: error.message }));
    client.pause();
    client.setNoDelay(true);
    const turn = this.#options.sticky?.() === true ? 0 : this.#next++;
    this.#connect(client, endpoints, turn, endpoints.length);
  }

  /** Tries each endpoint once: one may just have gone and not yet be out of the list. */
  #connect(client: Socket, endpoints: readonly EndpointAddress[], turn: number, left: number): void {
    const endpoint = endpoints[turn % endpoints.length];
    if (endpoint === undefined || left === 0) {
      client.destroy();
      return;
    }
    const upstream = connect({ ...endpoint, allowHalfOpen: true, noDelay: true, timeout: CONNECT_TIMEOUT_MS });
    this.#track(upstream);
    const giveUp = () => {
      upstream.destroy();
      this.#options.log.warn('a pod refused the connection', {
        name: this.#options.name,
        address: `${endpoint.host}:${endpoint.port}`,
      });
      this.#connect(client, endpoints, turn + 1, left - 1);
    };
    client.once('close', (hadError) => (hadError ? upstream.resetAndDestroy() : upstream.destroy()));
    upstream.once('timeout', giveUp);
    upstream.once('error', giveUp);
    upstream.once('connect', () => {
      upstream.setTimeout(0);
      upstream.removeListener('timeout', giveUp);
      upstream.removeListener('error', giveUp);
      join(client, upstream);
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** Both ways, with backpressure and half-close; a reset on one side resets the other, so that it is not mistaken for the end. */
function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
  upstream.on('error', () => client.resetAndDestroy());
  upstream.once('close', () => {
    if (!client.writableFinished) client.destroySoon();
  });
}

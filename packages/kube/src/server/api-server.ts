// The Kubernetes API over HTTPS: owns the sockets, and hands every request to the router.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { Logger } from '../log.ts';
import { StatusError } from '../status-error.ts';
import type { Store } from '../store/store.ts';
import { Access } from './access/access.ts';
import { ServiceAccountTokens } from './access/service-account-tokens.ts';
import type { AdmissionPlugin } from './admission.ts';
import { Authenticator, type Token } from './authenticator.ts';
import { bootstrap } from './bootstrap.ts';
import type { ServerContext } from './context.ts';
import { followCustomKinds } from './custom-kinds.ts';
import { expireEvents } from './event-expiry.ts';
import { KindRegistry } from './kind-registry.ts';
import type { PodBackend } from './pod-backend.ts';
import { Router } from './router.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { refuseUpgrade } from './streams/upgrade.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly tls: {
    /** PEM, the server's certificate and what leads to its CA. */
    readonly cert: string;
    readonly key: string;
    /** PEM; certificates of this CA are accepted as clients. */
    readonly clientCa?: string;
  };
  readonly tokens?: readonly Token[];
  readonly admission?: readonly AdmissionPlugin[];
  readonly podBackend?: PodBackend;
  readonly log: Logger;
  readonly now?: () => Date;
}

/** Where to listen: an address, an inherited descriptor, or a listening server received from another process. */
export type ListenTarget = { readonly host: string; readonly port: number } | { readonly fd: number } | NetServer;

const LIMITS: ServerOptions = {
  // A client that dawdles over its headers or its body is let go; answers, and so watches, may take their time.
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 90_000,
  maxHeaderSize: 64 * 1024,
  handshakeTimeout: 10_000,
  minVersion: 'TLSv1.2',
};

export class ApiServer {
  readonly registry = new KindRegistry();
  readonly #options: ApiServerOptions;
  readonly #context: ServerContext;
  readonly #router: Router;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  readonly #stops: (() => void)[] = [];
  #ready: Promise<void> | undefined;

  constructor(options: ApiServerOptions) {
    const { store, log, admission = [], podBackend, now = () => new Date() } = options;
    this.#options = options;
    this.#context = {
      store,
      registry: this.registry,
      admission,
      podBackend,
      addresses: new ServiceAddresses(store),
      serviceAccountTokens: new ServiceAccountTokens(store, options.tls.key, now),
      log,
      now,
    };
    const { serviceAccountTokens } = this.#context;
    this.#router = new Router(
      this.#context,
      new Access(store, new Authenticator(options.tokens ?? [], serviceAccountTokens)),
    );
  }

  /** May be called for several targets. Resolves with the port once connections are accepted. */
  async listen(target: ListenTarget): Promise<number> {
    this.#ready ??= this.#start();
    await this.#ready;
    const { cert, key, clientCa } = this.#options.tls;
    const server = createServer(
      {
        ...LIMITS,
        cert,
        key,
        ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
        // Any other request to upgrade is answered as if it had not asked (RFC 9110 §7.8).
        shouldUpgradeCallback: isConnection,
      },
      (request, response) => this.#answer(request, response),
    );
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', (error) => this.#context.log.debug('a stream of the API broke off', { error: error.message }));
      void this.#router.upgrade({ request, socket, head });
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('clientError', refuse);
    server.on('tlsClientError', (error) =>
      this.#context.log.debug('a TLS handshake with the API failed', { error: error.message }),
    );
    this.#servers.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(target, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) =>
      this.#context.log.error('the API server has a problem with its socket', { error: error.message }),
    );
    const address = server.address() as AddressInfo | null;
    return address?.port ?? 0;
  }

  /** Ends all watches and connections. The store stays open: it is the caller's. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    const closed = [...this.#servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.#servers.clear();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #start(): Promise<void> {
    const { store, log, now, registry } = this.#context;
    this.#stops.push(followCustomKinds({ store, registry, log, now }), expireEvents(store, now, log));
    await bootstrap(this.#context);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', (error) => this.#context.log.debug('a client of the API went away', { error: error.message }));
    // route() turns every failure into an answer; what is left would be a mistake of ours.
    this.#router.route(request, response).catch((error: unknown) => {
      this.#context.log.error('a request to the API could not be answered', {
        path: request.url,
        error: String(error),
      });
      response.destroy();
    });
  }
}

function isConnection({ url = '' }: IncomingMessage): boolean {
  return /\/(exec|attach|portforward|proxy)([/?]|$)/.test(url);
}

/** What is not proper HTTP gets an answer too, as a Status. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  refuseUpgrade(
    socket,
    error.code === 'HPE_HEADER_OVERFLOW'
      ? StatusError.of(431, 'RequestHeaderFieldsTooLarge', 'the request headers are larger than 64 KiB')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? StatusError.of(408, 'Timeout', 'the request took too long to arrive')
        : StatusError.badRequest(`the request is not proper HTTP: ${error.message}`),
  );
}

// Binds one address and accepts its connections; a bind that fails says what failed and where.
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { formatEndpoint, type SocketEndpoint } from '../runtime/addresses.ts';

const REASON: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported',
};

export class ListeningSocket {
  readonly #server: Server;
  /** As bound: port 0 has become a real one. */
  readonly endpoint: SocketEndpoint;

  private constructor(server: Server, endpoint: SocketEndpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** Connections come paused, so that nothing is lost before somebody reads. Rejects with a sentence. */
  static async open(wanted: SocketEndpoint, onConnection: (socket: Socket) => void): Promise<ListeningSocket> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    // One socket per family, as Envoy without ipv4_compat: 0.0.0.0 and :: can then be bound side by side.
    server.listen(
      { host: wanted.address, port: wanted.port, ipv6Only: isIPv6(wanted.address), backlog: 4096 },
      resolve,
    );
    try {
      await promise;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const reason = REASON[code] ?? (error as Error).message;
      throw new Error(`cannot bind '${formatEndpoint(wanted.address, wanted.port)}': ${reason}`);
    }
    server.off('error', reject);
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : wanted.port;
    return new ListeningSocket(server, { address: wanted.address, port });
  }

  /** An accept that fails (too many open files) is reported here; the socket goes on listening. */
  onError(report: (error: Error) => void): void {
    this.#server.on('error', report);
  }

  /** Stops accepting; connections that were accepted go on. */
  close(): void {
    this.#server.close();
  }
}

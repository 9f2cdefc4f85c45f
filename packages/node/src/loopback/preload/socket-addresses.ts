// Lets a Unix socket tell the addresses of the connection it carries, wherever Node would ask the kernel for them.
import type { Socket } from 'node:net';
import type { Endpoint } from '../proxy-header.ts';

interface SocketName {
  address?: string;
  family?: string;
  port?: number;
}

/** What Node asks of a TCP socket's handle and a pipe's does not have; TLS sockets pass the question on to it. */
interface Handle {
  getsockname?: (into: SocketName) => number;
  getpeername?: (into: SocketName) => number;
}

/** `mappedToV6` as on a server that listens on `::`, which sees IPv4 clients as ::ffff:10.244.0.5. */
export function nameSocket(socket: Socket, local: Endpoint, peer: Endpoint, mappedToV6: boolean): void {
  const handle = (socket as unknown as { _handle: Handle | null })._handle;
  if (handle === null) return;
  const name =
    ({ address, port }: Endpoint) =>
    (into: SocketName): number => {
      into.address = mappedToV6 ? `::ffff:${address}` : address;
      into.family = mappedToV6 ? 'IPv6' : 'IPv4';
      into.port = port;
      return 0;
    };
  handle.getsockname = name(local);
  handle.getpeername = name(peer);
}

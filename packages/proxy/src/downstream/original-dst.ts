// Where a redirected connection was going before netfilter sent it here (SO_ORIGINAL_DST). Node has no call for it.
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { SocketEndpoint } from '../runtime/addresses.ts';

const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;

type GetSockOpt = (fd: number, level: number, name: number, value: Buffer, length: Uint32Array) => number;

let getsockopt: GetSockOpt | undefined;

/** Loads the foreign-function library: milliseconds that should not fall on the first connection. */
export function prepareOriginalDst(): void {
  if (getsockopt !== undefined || process.platform !== 'linux') return;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  getsockopt = koffi
    .load(null)
    .func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)') as GetSockOpt;
}

/** undefined when the connection was not redirected. */
export function originalDestination(socket: Socket): SocketEndpoint | undefined {
  prepareOriginalDst();
  if (getsockopt === undefined) return undefined;
  // The handle's descriptor is not public in Node, but has been there for as long as there have been sockets.
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
  if (fd < 0) return undefined;
  const v6 = socket.localFamily === 'IPv6' && !socket.localAddress?.startsWith('::ffff:');
  const value = Buffer.alloc(28);
  const length = Uint32Array.of(v6 ? 28 : 16);
  if (getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, SO_ORIGINAL_DST, value, length) !== 0) return undefined;
  return v6 ? readSockaddrIn6(value) : readSockaddrIn(value);
}

/** struct sockaddr_in: family, port (big endian), address. */
function readSockaddrIn(value: Buffer): SocketEndpoint {
  return { address: `${value[4]}.${value[5]}.${value[6]}.${value[7]}`, port: value.readUInt16BE(2) };
}

/** struct sockaddr_in6: family, port, flow info, address. */
function readSockaddrIn6(value: Buffer): SocketEndpoint {
  const groups: string[] = [];
  for (let i = 8; i < 24; i += 2) groups.push(value.readUInt16BE(i).toString(16));
  // The URL parser writes IPv6 addresses as everybody does, zeros compressed.
  const address = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  return { address, port: value.readUInt16BE(2) };
}

// The accepting side: a server that listens on a port of the pod's listens on a Unix socket, and takes each connection
// once its header has told who calls.
import { rmSync } from 'node:fs';
import { connect, isIPv6, type ListenOptions, Server, type Socket } from 'node:net';
import { decodeHeader, HEADER_BYTES } from '../proxy-header.ts';
import type { Place } from '../route.ts';
import { isLoopback, isNodeLocal } from '../route.ts';
import type { Fabric } from './fabric.ts';
import { replace } from './replace.ts';
import { nameSocket } from './socket-addresses.ts';

/** The connecting side writes it at once. */
const HEADER_TIMEOUT_MS = 5_000;
/** A connection that finds the queue full fails at once, where one over TCP would be tried again. */
const BACKLOG = 4_096;

interface Bound {
  readonly place: Place;
  readonly path: string;
  /** As the program asked for it. */
  readonly host: string;
}

const servers = new WeakMap<Server, Bound>();
/** Connections whose header has been read. */
const named = new WeakSet<Socket>();

type Emit = (this: Server, event: string | symbol, ...args: unknown[]) => boolean;
type Listen = (this: Server, ...args: unknown[]) => Server;

export function patchListening(fabric: Fabric): void {
  const prototype = Server.prototype as unknown as { listen: Listen; address: (this: Server) => unknown };
  replace(prototype, 'listen', (listen) => {
    return function (this: Server, ...args: unknown[]): Server {
      const { options, listener } = readArguments(args);
      const bound = options === undefined ? undefined : bind(fabric, options);
      if (bound === undefined) {
        servers.delete(this);
        return listen.apply(this, args);
      }
      const { port: _port, host: _host, ipv6Only: _only, ...rest } = options as ListenOptions;
      const native: unknown[] = [{ ...rest, path: bound.path, backlog: BACKLOG }];
      if (listener !== undefined) native.push(listener);
      servers.set(this, bound);
      takeWithHeader(this, () => listen.call(this, native[0]));
      return listen.apply(this, native);
    };
  });
  replace(prototype, 'address', (address) => {
    return function (this: Server): unknown {
      const bound = servers.get(this);
      if (bound === undefined || !this.listening) return address.call(this);
      const family = isIPv6(bound.host) ? 'IPv6' : 'IPv4';
      return { address: bound.host, family, port: bound.place.port };
    };
  });
}

/** Node's own forms: (port, host, backlog, callback), (path, …), (handle, …), (options, callback). */
function readArguments(args: readonly unknown[]): {
  options: ListenOptions | undefined;
  listener: (() => void) | undefined;
} {
  const last = args.at(-1);
  const listener = typeof last === 'function' ? (last as () => void) : undefined;
  const [first, second] = args;
  if (first === undefined || first === null || typeof first === 'function') return { options: { port: 0 }, listener };
  if (typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first))) {
    const host = typeof second === 'string' ? { host: second } : {};
    return { options: { port: Number(first), ...host }, listener };
  }
  if (typeof first !== 'object') return { options: undefined, listener };
  const given = first as ListenOptions & { fd?: unknown; _handle?: unknown };
  const native = given.fd !== undefined || given._handle !== undefined || typeof given.path === 'string';
  const hasPort = 'port' in given;
  return { options: native || !hasPort ? undefined : given, listener };
}

/** undefined when it is not an address of the fabric: the machine's own, or one that Node is to refuse. */
function bind(fabric: Fabric, { port: wanted, host = '::', ipv6Only = false }: ListenOptions): Bound | undefined {
  const number = Number(wanted ?? 0);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) return undefined;
  const { address: own } = fabric.membership;
  const bound = (address: string, scope: Place['scope']): Bound => {
    const place = { address, scope, port: number === 0 ? fabric.freePort(address) : number };
    return { place, path: fabric.pathOf(place), host: host === 'localhost' ? '127.0.0.1' : host };
  };
  if (!fabric.isPod) {
    const isOurs = host === own || isNodeLocal(host, fabric.table);
    return isOurs ? bound(host, 'pod') : undefined;
  }
  // There is no IPv6 between pods, so what listens for it alone is reached by nobody else.
  if (host === '::' && ipv6Only) return bound(own, 'loopback');
  if (host === '::' || host === '0.0.0.0' || host === '' || host === own) return bound(own, 'pod');
  if (isLoopback(host) || host === 'localhost') return bound(own, 'loopback');
  return undefined;
}

/**
 * The server emits `connection` for a socket that names its peer, as one over TCP would. A file that a killed process
 * left in the way is replaced.
 */
function takeWithHeader(server: Server, listenAgain: () => void): void {
  if (Object.hasOwn(server, 'emit')) return;
  const emit = server.emit as Emit;
  let retried = false;
  const own = (event: string | symbol, ...args: unknown[]): boolean => {
    const bound = servers.get(server);
    if (bound === undefined) return emit.call(server, event, ...args);
    if (event === 'listening') retried = false;
    if (event === 'connection' && isHeldBack(server, args[0])) {
      readHeader(args[0], bound, () => emit.call(server, 'connection', args[0]));
      return true;
    }
    const error = args[0] as NodeJS.ErrnoException | undefined;
    if (event !== 'error' || error?.syscall !== 'listen') return emit.call(server, event, ...args);
    if (error.code === 'EADDRINUSE' && !retried) {
      retried = true;
      replaceDead(bound, listenAgain, () => emit.call(server, 'error', withAddress(error, bound)));
      return true;
    }
    return emit.call(server, 'error', withAddress(error, bound));
  };
  Object.defineProperty(server, 'emit', { value: own, configurable: true, writable: true });
}

function isHeldBack(server: Server, connection: unknown): connection is Socket {
  const socket = connection as Socket & { server?: unknown };
  return socket.server === server && !named.has(socket);
}

function readHeader(socket: Socket, { host }: Bound, deliver: () => void): void {
  const flowing = socket.readableFlowing;
  const drop = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(drop, HEADER_TIMEOUT_MS);
  const settle = (): void => {
    clearTimeout(timer);
    socket.off('readable', look).off('end', drop).off('error', drop).off('close', settle);
  };
  const look = (): void => {
    const bytes = socket.read(HEADER_BYTES) as Buffer | null;
    if (bytes === null) return;
    const header = decodeHeader(bytes);
    if (header === undefined) {
      drop();
      return;
    }
    settle();
    named.add(socket);
    nameSocket(socket, header.destination, header.source, isIPv6(host));
    // The stream takes note of its lost listener first; then it is as Node made it.
    process.nextTick(() => {
      if (socket.destroyed) return;
      (socket as { readableFlowing: boolean | null }).readableFlowing = flowing;
      deliver();
    });
  };
  socket.on('readable', look).on('end', drop).on('error', drop).on('close', settle);
}

/** connect(2) tells a socket file that nobody listens on any more from one that is in use. */
function replaceDead({ path }: Bound, listenAgain: () => void, inUse: () => void): void {
  const probe = connect({ path });
  probe.once('connect', () => {
    probe.destroy();
    inUse();
  });
  probe.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
    listenAgain();
  });
}

/** With the address that the program asked for in the place of the file's. */
function withAddress(error: NodeJS.ErrnoException, { host, place }: Bound): Error {
  const { port } = place;
  const message = error.message.replace(/ \/\S+$/, ` ${isIPv6(host) ? `[${host}]` : host}:${port}`);
  const { code, errno, syscall } = error;
  return Object.assign(new Error(message), { code, errno, syscall, address: host, port });
}

// The connecting side: what goes to the cluster goes to a Unix socket, and says first who calls and whom.
import { existsSync } from 'node:fs';
import { isIP, Socket, type TcpSocketConnectOpts } from 'node:net';
import { constants } from 'node:os';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type Endpoint, encodeHeader } from '../proxy-header.ts';
import { isLoopback, type Route } from '../route.ts';
import type { Fabric } from './fabric.ts';
import { notFound } from './names.ts';
import { replace } from './replace.ts';
import { nameSocket } from './socket-addresses.ts';

type Connect = (this: Socket, ...args: unknown[]) => Socket;
type Options = Partial<TcpSocketConnectOpts> & { path?: string };

/** Where a connection is to go, names resolved. */
type Way =
  /** `to` is what was called, its name resolved. */
  | (Exclude<Route, { kind: 'outside' }> & { readonly to: Endpoint })
  | { readonly kind: 'outside'; readonly host?: string }
  | { readonly kind: 'unknown-name'; readonly name: string };

export function patchConnecting(fabric: Fabric): void {
  const prototype = Socket.prototype as unknown as { connect: Connect; resetAndDestroy: (this: Socket) => Socket };
  const fabricSockets = new WeakSet<Socket>();
  replace(prototype, 'connect', (connect) => {
    return function (this: Socket, ...args: unknown[]): Socket {
      const { options, listener } = readArguments(args);
      const way = wayOf(fabric, options);
      if (way === undefined) return connect.apply(this, args);
      const go = (native: object): Socket => {
        if (listener !== undefined) this.once('connect', listener);
        const { path: _path, port: _port, host: _host, localAddress: _local, lookup: _lookup, ...rest } = options;
        return connect.call(this, { ...rest, ...native });
      };
      switch (way.kind) {
        case 'outside':
          return connect.call(this, way.host === undefined ? options : { ...options, host: way.host }, listener);
        case 'unknown-name':
          return go(failing(notFound(way.name)));
        case 'refused':
          return go(failing(refused(way.to)));
      }
      const at = whereToGo(fabric, way);
      if (at.kind === 'mapped') return go({ host: at.address, port: at.port });
      fabricSockets.add(this);
      enter(this, fabric, way, way.to, () => go({ path: at.path }));
      return this;
    };
  });
  replace(prototype, 'resetAndDestroy', (reset) => {
    // There is no reset on a Unix socket.
    return function (this: Socket): Socket {
      return fabricSockets.has(this) ? this.destroy() : reset.call(this);
    };
  });
  patchTls(fabric);
}

/** A connection as that member would make it, whoever this process is. */
export function connectAs(fabric: Fabric, address: string, port: number): Socket {
  const way = fabric.route(address, port, undefined);
  const socket = new Socket({ allowHalfOpen: true });
  if (way.kind !== 'fabric') {
    process.nextTick(() => socket.destroy(refused({ address, port })));
    return socket;
  }
  const at = whereToGo(fabric, way);
  if (at.kind === 'mapped') return socket.connect({ host: at.address, port: at.port });
  enter(socket, fabric, way, { address, port }, () => socket.connect({ path: at.path }));
  return socket;
}

type FabricRoute = Extract<Route, { kind: 'fabric' }>;

function whereToGo(
  fabric: Fabric,
  { places, mapped }: FabricRoute,
): { readonly kind: 'socket'; readonly path: string } | ({ readonly kind: 'mapped' } & Endpoint) {
  const paths = places.map((place) => fabric.pathOf(place));
  const there = paths.find((path) => existsSync(path));
  if (there === undefined && mapped !== undefined) return { kind: 'mapped', ...mapped };
  return { kind: 'socket', path: there ?? paths[0] ?? '' };
}

function enter(
  socket: Socket,
  fabric: Fabric,
  { source, destination }: FabricRoute,
  to: Endpoint,
  open: () => void,
): void {
  const from = { address: source, port: fabric.ephemeralPort() };
  tellRefusals(socket, to);
  open();
  // The caller sees what it asked for, whatever the other side is shown: by its own service, the node in its place.
  const { address: own } = fabric.membership;
  nameSocket(socket, source === fabric.table.nodeAddress ? { ...from, address: own } : from, to, false);
  // What is written before the connection stands is kept in order: this comes first.
  socket.write(encodeHeader({ source: from, destination }));
}

/** A TLS socket makes its handle before it knows where to; given a connection, it uses that. */
function patchTls(fabric: Fabric): void {
  replace(tls as unknown as { connect: (...args: unknown[]) => TLSSocket }, 'connect', (connect) => {
    return (...args: unknown[]): TLSSocket => {
      const { options, listener } = readArguments(args);
      const given = options as ConnectionOptions;
      const way = given.socket === undefined ? wayOf(fabric, options) : undefined;
      if (way === undefined || way.kind === 'outside') return connect(...args);
      const socket = new Socket();
      socket.connect(options as TcpSocketConnectOpts);
      const secure = connect({ ...options, socket }, listener);
      tellOneError(secure);
      return secure;
    };
  });
}

/** Given a connection with a write under way, Node tells its failure twice: the connection's, and the write's. */
function tellOneError(socket: TLSSocket): void {
  const emit = socket.emit as (this: TLSSocket, event: string | symbol, ...args: unknown[]) => boolean;
  let told = false;
  const own = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'error' && told) return false;
    if (event === 'error') told = true;
    return emit.call(socket, event, ...args);
  };
  Object.defineProperty(socket, 'emit', { value: own, configurable: true, writable: true });
  socket.once('secureConnect', () => Reflect.deleteProperty(socket, 'emit'));
}

/** Node's own forms: (options, callback), (port, host, callback), (path, callback), and a list of these read already. */
function readArguments(args: readonly unknown[]): { options: Options; listener: (() => void) | undefined } {
  const [list, ...others] = args;
  const read = Array.isArray(list) ? (list as unknown[]) : args;
  const [first, second, third] = read;
  const callback = [...read, ...others].find((each) => typeof each === 'function') as (() => void) | undefined;
  if (typeof first === 'object' && first !== null) return { options: first as Options, listener: callback };
  if (typeof first === 'string' && !/^\d+$/.test(first)) return { options: { path: first }, listener: callback };
  const more = [second, third].find((each) => typeof each === 'object' && each !== null) as object | undefined;
  const host = typeof second === 'string' ? { host: second } : {};
  return { options: { ...more, port: Number(first), ...host }, listener: callback };
}

/** undefined when it is none of the fabric's business, or for Node to find fault with. */
function wayOf(fabric: Fabric, { path, port, host = 'localhost', localAddress }: Options): Way | undefined {
  const number = Number(port);
  if (typeof path === 'string' || port === undefined || typeof host !== 'string') return undefined;
  if (!Number.isInteger(number) || number < 0 || number > 65_535) return undefined;
  const plain = host.startsWith('::ffff:') ? host.slice('::ffff:'.length) : host;
  if (isIP(plain) !== 0) {
    if (isIP(plain) === 6 && !isLoopback(plain)) return undefined;
    const address = isIP(plain) === 6 && fabric.isPod ? '127.0.0.1' : plain;
    if (isIP(address) === 6) return undefined;
    return wayTo(fabric, { address, port: number }, localAddress);
  }
  const answer = fabric.resolve(plain);
  if (answer.kind === 'unknown') return { kind: 'unknown-name', name: host };
  if (answer.kind === 'outside') {
    return answer.name === plain.toLowerCase() ? undefined : { kind: 'outside', host: answer.name };
  }
  const [address = ''] = answer.addresses;
  return wayTo(fabric, { address: address === '::1' ? '127.0.0.1' : address, port: number }, localAddress);
}

function wayTo(fabric: Fabric, to: Endpoint, localAddress: string | undefined): Way | undefined {
  const way = fabric.route(to.address, to.port, localAddress);
  return way.kind === 'outside' ? undefined : { ...way, to };
}

/** Options with which Node's own connect fails with that error, when such an error would come. */
function failing(error: Error): object {
  const lookup = (_host: string, _options: object, done: (error: Error) => void): void => done(error);
  return { host: 'nowhere.invalid', port: 1, lookup, autoSelectFamily: false };
}

function refused({ address, port }: Endpoint): Error {
  const code = 'ECONNREFUSED';
  const errno = -(constants.errno[code] ?? 111);
  const details = { errno, code, syscall: 'connect', address, port };
  return Object.assign(new Error(`connect ${code} ${address}:${port}`), details);
}

/** A socket file that is not there, or that nobody listens on, is told as a port that nobody listens on. */
function tellRefusals(socket: Socket, destination: Endpoint): void {
  const { destroy } = socket;
  const own = (error?: Error): Socket => {
    Reflect.deleteProperty(socket, 'destroy');
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const isRefusal = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EAGAIN';
    return destroy.call(socket, isRefusal ? refused(destination) : error);
  };
  Object.defineProperty(socket, 'destroy', { value: own, configurable: true, writable: true });
  socket.once('connect', () => Reflect.deleteProperty(socket, 'destroy'));
}

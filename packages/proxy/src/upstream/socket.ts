// Opens one TCP connection to an upstream: from a given local address, with a mark, within a time; failures are typed.
import net from 'node:net';
import { timerDelay } from '../timer-delay.ts';
import { openMarkedSocket } from './marked-socket.ts';

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string | undefined;
  /** SO_MARK (Envoy: upstream_bind_config.socket_options level 1 name 36); 0 is none. */
  readonly mark: number;
  /** Envoy: connect_timeout; 0 is none. */
  readonly timeoutMs: number;
}

/** `reason` and `transport` are Envoy's texts: %UPSTREAM_TRANSPORT_FAILURE_REASON% and the 503's body carry them. */
export type ConnectFailure =
  | {
      readonly kind: 'refused';
      readonly reason: 'remote connection failure' | 'local connection failure';
      readonly transport: string;
    }
  | { readonly kind: 'timeout'; readonly reason: 'connection timeout'; readonly transport: string };

/** Exactly one is called, once, and never before `connectUpstream` has returned. */
export interface ConnectCallbacks {
  onConnect(socket: net.Socket): void;
  onConnectFailed(failure: ConnectFailure): void;
}

export interface PendingConnect {
  /** Gives up; no callback is called any more. */
  cancel(): void;
}

/**
 * The socket comes with half-open allowed and Nagle off, paused until a 'data' listener or `read` takes its bytes.
 * Its errors are the caller's from `onConnect` on.
 */
export function connectUpstream(
  options: ConnectOptions,
  callbacks: ConnectCallbacks,
  read?: net.OnReadOpts,
): PendingConnect {
  return new Connecting(options, callbacks, read);
}

class Connecting implements PendingConnect {
  readonly #callbacks: ConnectCallbacks;
  #socket: net.Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #done = false;

  constructor(options: ConnectOptions, callbacks: ConnectCallbacks, read: net.OnReadOpts | undefined) {
    this.#callbacks = callbacks;
    try {
      this.#open(options, read);
    } catch (error) {
      // A bad local address or a refused SO_MARK fails here and now; the caller still hears of it later, as of all else.
      setImmediate(() => this.#fail('local connection failure', `immediate connect error: ${describe(error)}`));
    }
  }

  cancel(): void {
    this.#settle();
    this.#socket?.destroy();
  }

  #open(options: ConnectOptions, read: net.OnReadOpts | undefined): void {
    const socketOptions: net.SocketConstructorOpts = { allowHalfOpen: true };
    if (read !== undefined) socketOptions.onread = read;
    if (options.mark !== 0) {
      socketOptions.fd = openMarkedSocket(net.isIPv6(options.host), options.mark);
      socketOptions.readable = true;
      socketOptions.writable = true;
    }
    const socket = new net.Socket(socketOptions);
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', this.#onError);
    socket.once('connect', this.#onConnect);
    const target: net.TcpSocketConnectOpts = { host: options.host, port: options.port };
    if (options.localAddress !== undefined) target.localAddress = options.localAddress;
    socket.connect(target);
    if (options.timeoutMs > 0) this.#timer = setTimeout(this.#onTimeout, timerDelay(options.timeoutMs));
  }

  readonly #onConnect = (): void => {
    const socket = this.#socket;
    if (!this.#settle() || socket === undefined) return;
    socket.off('error', this.#onError);
    this.#callbacks.onConnect(socket);
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    const local = error.code === 'EADDRNOTAVAIL' || error.code === 'EADDRINUSE' || error.code === 'EACCES';
    if (local) this.#fail('local connection failure', `immediate connect error: ${describe(error)}`);
    else this.#fail('remote connection failure', `delayed connect error: ${describe(error)}`);
  };

  readonly #onTimeout = (): void => {
    if (!this.#settle()) return;
    this.#socket?.destroy();
    this.#callbacks.onConnectFailed({ kind: 'timeout', reason: 'connection timeout', transport: '' });
  };

  #fail(reason: 'remote connection failure' | 'local connection failure', transport: string): void {
    if (!this.#settle()) return;
    this.#socket?.destroy();
    this.#callbacks.onConnectFailed({ kind: 'refused', reason, transport });
  }

  /** Whether this is the first outcome. */
  #settle(): boolean {
    if (this.#done) return false;
    this.#done = true;
    clearTimeout(this.#timer);
    return true;
  }
}

/** The C library's words for an error number, as Envoy prints them. */
const ERROR_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EMFILE: 'Too many open files',
  ENFILE: 'Too many open files in system',
  EPIPE: 'Broken pipe',
  EINVAL: 'Invalid argument',
  ENOTFOUND: 'Name or service not known',
};

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return (code === undefined ? undefined : ERROR_TEXT[code]) ?? error.message;
}

// `kubectl port-forward`: every connection is a pair of streams, one for its bytes and one for what went wrong.
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { ServerContext } from '../context.ts';
import type { PodBackend } from '../pod-backend.ts';
import { OPEN_TIMEOUT_MS } from './command-channels.ts';
import type { ConnectPath } from './connect-path.ts';
import { isWebSocket } from './remote-command.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { acceptSpdy } from './spdy-channels.ts';
import type { Upgrade } from './upgrade.ts';
import { acceptWebSocket, chooseProtocol } from './websocket.ts';

const PROTOCOL = 'portforward.k8s.io';
/** SPDY inside of WebSocket messages, since kubectl 1.31. */
const TUNNEL = 'SPDY/3.1+portforward.k8s.io';

/** Resolves when the client is gone; rejects with a StatusError while HTTP is still spoken. */
export async function portForward(
  { store, podBackend }: ServerContext,
  { namespace, name }: ConnectPath,
  upgrade: Upgrade,
): Promise<void> {
  const pod = store.get('pods', namespace, name);
  if (pod === undefined) throw StatusError.notFound({ group: '', plural: 'pods' }, name);
  if (podBackend === undefined) throw StatusError.unavailable('nothing runs pods here');
  const socket = await accept(upgrade);
  const pairs = new Pairs((data, error) => void forward(podBackend, pod, data, error));
  await new SpdySession(socket, (stream) => pairs.add(stream)).closed;
  pairs.close();
}

async function accept(upgrade: Upgrade): Promise<Duplex> {
  if (isWebSocket(upgrade)) {
    return createWebSocketStream(await acceptWebSocket(upgrade, chooseProtocol(upgrade.request, [TUNNEL])));
  }
  acceptSpdy(upgrade, PROTOCOL);
  return upgrade.socket;
}

/** Brings together what belongs to one connection: the streams come in any order, with the same `requestid`. */
class Pairs {
  readonly #onPair: (data: SpdyStream, error: SpdyStream) => void;
  readonly #waiting = new Map<string, { readonly stream: SpdyStream; readonly late: NodeJS.Timeout }>();

  constructor(onPair: (data: SpdyStream, error: SpdyStream) => void) {
    this.#onPair = onPair;
  }

  /** Refuses what it cannot make sense of. */
  add(stream: SpdyStream): void {
    const type = typeOf(stream);
    const id = stream.headers.get('requestid');
    if ((type !== 'data' && type !== 'error') || id === undefined || portOf(stream) === undefined) {
      stream.destroy();
      return;
    }
    const other = this.#waiting.get(id);
    if (other === undefined) {
      const late = setTimeout(() => stream.destroy(), OPEN_TIMEOUT_MS);
      this.#waiting.set(id, { stream, late });
      stream.on('close', () => this.#forget(id, stream));
      return;
    }
    if (typeOf(other.stream) === type || portOf(other.stream) !== portOf(stream)) {
      stream.destroy();
      return;
    }
    this.#forget(id, other.stream);
    if (type === 'data') this.#onPair(stream, other.stream);
    else this.#onPair(other.stream, stream);
  }

  close(): void {
    for (const { late } of this.#waiting.values()) clearTimeout(late);
    this.#waiting.clear();
  }

  #forget(id: string, stream: SpdyStream): void {
    const found = this.#waiting.get(id);
    if (found?.stream !== stream) return;
    clearTimeout(found.late);
    this.#waiting.delete(id);
  }
}

const typeOf = (stream: SpdyStream): string | undefined => stream.headers.get('streamtype');

function portOf({ headers }: SpdyStream): number | undefined {
  const text = headers.get('port') ?? '';
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535 ? port : undefined;
}

async function forward(backend: PodBackend, pod: KubeObject, data: SpdyStream, error: SpdyStream): Promise<void> {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const port = portOf(data) ?? 0;
  error.resume();
  try {
    await join(data, backend.connect(namespace, name, port));
  } catch (failure) {
    // The kubelet's words, which kubectl prints behind its own.
    error.write(`error forwarding port ${port} to pod ${name}, uid ${uid}: ${explain(port, failure as Error)}`);
  }
  // Ends, not resets: kubectl reads both to their ends, and closes its side when it has.
  error.end();
  data.end();
  data.resume();
}

/** Resolves when the pod's side has closed, rejects when it broke off. */
function join(data: SpdyStream, connection: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    data.on('close', () => connection.destroy());
    connection.on('error', reject);
    connection.on('close', resolve);
    data.pipe(connection);
    connection.pipe(data);
  });
}

function explain(port: number, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ECONNREFUSED' ? `dial tcp4 127.0.0.1:${port}: connect: connection refused` : error.message;
  return `failed to connect to localhost:${port} inside the pod: ${reason}`;
}

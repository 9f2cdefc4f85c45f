// Takes a connection over for WebSocket.
import type { IncomingMessage } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { StatusError } from '../../status-error.ts';
import type { Upgrade } from './upgrade.ts';

const MAX_MESSAGE = 1024 * 1024;
/** Tells a client that is gone, even while nothing of its is being read. */
const PING_INTERVAL_MS = 10_000;

const protocols = new WeakMap<IncomingMessage, string>();
const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE,
});
server.on('headers', (headers, request) => {
  headers.push(`Sec-WebSocket-Protocol: ${protocols.get(request)}`);
});

/** The first of the client's sub-protocols that is among ours. Throws a StatusError when there is none. */
export function chooseProtocol(request: IncomingMessage, ours: readonly string[]): string {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  const chosen = offered.find((one) => ours.includes(one));
  if (chosen !== undefined) return chosen;
  throw StatusError.badRequest(
    `no WebSocket sub-protocol in common: offered ${offered.join(', ')}, known ${ours.join(', ')}`,
  );
}

/** Rejects when the client's handshake is not proper; it has its answer then. */
export function acceptWebSocket({ request, socket, head }: Upgrade, protocol: string): Promise<WebSocket> {
  // The library takes tokens only (RFC 6455 §4.1), but Kubernetes' name for the tunnel has a slash in it.
  delete request.headers['sec-websocket-protocol'];
  protocols.set(request, protocol);
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(StatusError.badRequest('the WebSocket handshake was not completed')));
    server.handleUpgrade(request, socket, head, (peer) => {
      const pings = setInterval(() => peer.ping(), PING_INTERVAL_MS).unref();
      peer.on('close', () => clearInterval(pings));
      peer.on('error', () => undefined); // 'close' follows
      resolve(peer);
    });
  });
}

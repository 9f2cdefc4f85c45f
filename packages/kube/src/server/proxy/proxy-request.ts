// Passes one request on to a pod, and what the pod answers back: bodies as they come, upgrades too.
import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Duplex, pipeline } from 'node:stream';
import type { Logger } from '../../log.ts';
import { StatusError } from '../../status-error.ts';
import { splice } from '../streams/splice.ts';
import { type Upgrade, upgradeHead } from '../streams/upgrade.ts';
import { endToEndHeaders, pairs, rewriteLocation } from './proxy-headers.ts';
import type { ProxyTarget } from './proxy-target.ts';

const CONNECT_TIMEOUT_MS = 30_000;

/** The API's own credentials end here; Node has answered `Expect` already; `x-forwarded-for` is written anew. */
const API_ONLY = /^(?:authorization|impersonate-.+|expect|x-forwarded-for)$/;

export interface ProxyRequest {
  readonly target: ProxyTarget;
  /** With its query, as the pod is to see it. */
  readonly path: string;
  /** The API's path up to and with `/proxy`. */
  readonly prefix: string;
  readonly log: Logger;
}

/** Resolves when the answer is over; rejects with a StatusError while none has begun. */
export async function proxyRequest(
  proxied: ProxyRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const outgoing = open(proxied, request, []);
  response.on('close', () => outgoing.destroy());
  // Not pipeline(): it would end the client's connection, and with it the answer, when the pod takes no more.
  request.pipe(outgoing);
  const answer = await answerOf(outgoing, proxied);
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answerHeaders(answer, proxied, request));
  response.flushHeaders();
  await new Promise<void>((resolve) => {
    pipeline(answer, response, (error) => {
      if (error) proxied.log.debug('a proxied answer broke off', { path: proxied.path, error: error.message });
      resolve();
    });
  });
}

/** As proxyRequest, for a request that asks for another protocol (WebSocket). */
export async function proxyUpgrade(proxied: ProxyRequest, { request, socket, head }: Upgrade): Promise<void> {
  const protocol = request.headers.upgrade ?? '';
  const outgoing = open(proxied, request, ['Connection', 'Upgrade', 'Upgrade', protocol]);
  socket.on('close', () => outgoing.destroy());
  const upgraded = new Promise<[IncomingMessage, Duplex, Buffer]>((resolve) => {
    outgoing.on('upgrade', (answer, other, first) => resolve([answer, other, first]));
  });
  outgoing.end();
  const outcome = await Promise.race([upgraded, answerOf(outgoing, proxied)]);
  if (Array.isArray(outcome)) {
    const [answer, other, first] = outcome;
    const changed = ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? protocol];
    socket.write(
      upgradeHead(101, answer.statusMessage ?? '', [...answerHeaders(answer, proxied, request), ...changed]),
    );
    other.unshift(first);
    socket.unshift(head);
    return splice(socket, other);
  }
  // The pod would not: its answer is passed on, and is the last on this connection.
  const headers = [...answerHeaders(outcome, proxied, request), 'Connection', 'close'];
  socket.write(upgradeHead(outcome.statusCode ?? 502, outcome.statusMessage ?? '', headers));
  return new Promise((resolve) => pipeline(outcome, socket, () => resolve()));
}

function open({ target, path }: ProxyRequest, request: IncomingMessage, added: readonly string[]): ClientRequest {
  const headers = endToEndHeaders(request.rawHeaders, API_ONLY);
  const { host, port, scheme } = target;
  const send = scheme === 'https' ? httpsRequest : httpRequest;
  const outgoing = send({
    host,
    port,
    path,
    method: request.method,
    headers: [...headers, ...framing(request), ...forwarded(request), ...added],
    agent: false,
    // As the API server of Kubernetes, which does not know the certificates of pods either.
    rejectUnauthorized: false,
  });
  outgoing.setNoDelay(true);
  const tooLate = setTimeout(() => outgoing.destroy(new Error('i/o timeout')), CONNECT_TIMEOUT_MS);
  outgoing.on('socket', (socket) => socket.once('connect', () => clearTimeout(tooLate)));
  outgoing.on('close', () => clearTimeout(tooLate));
  return outgoing;
}

/** How long the body is: a length was passed on, anything else is said anew for this connection. */
function framing({ headers, method }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked'];
  if (headers['content-length'] !== undefined || ['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method ?? '')) return [];
  return ['Content-Length', '0'];
}

function forwarded({ headers, socket }: IncomingMessage): string[] {
  const before = headers['x-forwarded-for'];
  const address = socket.remoteAddress ?? 'unknown';
  return [
    ...['X-Forwarded-For', before === undefined ? address : `${before}, ${address}`],
    ...(headers['x-forwarded-host'] === undefined ? ['X-Forwarded-Host', headers.host ?? ''] : []),
    ...(headers['x-forwarded-proto'] === undefined ? ['X-Forwarded-Proto', 'https'] : []),
  ];
}

function answerOf(outgoing: ClientRequest, { target }: ProxyRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => reject(unreachable(target, error)));
    // Without an error: the pod has switched to a protocol that nobody asked for.
    outgoing.on('close', () => reject(unreachable(target, new Error('no answer'))));
  });
}

/** In the words of Kubernetes and of Go's dialer, which people search for. */
function unreachable({ host, port }: ProxyTarget, error: NodeJS.ErrnoException): StatusError {
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const reason = reasons[error.code ?? ''];
  const why = reason === undefined ? error.message : `dial tcp ${host}:${port}: ${reason}`;
  return StatusError.unavailable(`error trying to reach service: ${why}`);
}

function answerHeaders(answer: IncomingMessage, { target, prefix }: ProxyRequest, request: IncomingMessage): string[] {
  const isRedirect = [201, 301, 302, 303, 307, 308].includes(answer.statusCode ?? 0);
  return pairs(endToEndHeaders(answer.rawHeaders)).flatMap(([name, value]) =>
    isRedirect && name.toLowerCase() === 'location'
      ? [name, rewriteLocation(value, target, request.headers.host ?? '', prefix)]
      : [name, value],
  );
}

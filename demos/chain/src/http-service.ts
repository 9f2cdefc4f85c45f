// What the three services of the chain share: serving text over HTTP, calling the next service, ending well.
import { Agent, createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TextReply {
  readonly status: number;
  readonly text: string;
}

export interface TextService {
  /** Sent with every reply. */
  readonly contentType: string;
  /** The line on stdout once requests are taken. */
  started(port: number): string;
  handle(path: string, message: IncomingMessage): TextReply | Promise<TextReply>;
}

/** Why a call got no HTTP answer: `code` is the system's (ECONNREFUSED …), TIMEOUT, CLOSED or TOO_LARGE. */
export class CallError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'CallError';
    this.code = code;
  }
}

export interface CallReply {
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}

// What lets the mesh join the spans of one request: the proxy can't tell which call belongs to which, the app can
// (Istio, "Distributed tracing: trace context propagation").
const TRACING_HEADERS = [
  'x-request-id',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
] as const;

const MAX_BODY_BYTES = 1024 * 1024;

// Longer than Envoy's idle timeout of an upstream connection (1 h), so that it is always the sidecar that closes an
// idle connection: were it the app, a request could be on its way in that very moment and fail with 503 UC.
const KEEP_ALIVE_MS = 3_610_000;

// A pod gets SIGTERM at the same moment as it is taken out of its Service; requests already on their way still come.
const LAME_DUCK_MS = 300;

const agent = new Agent({ keepAlive: true });

/** The tracing headers of a request, to be sent along with what it causes. Node gives header names in lower case. */
export function tracingHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const name of TRACING_HEADERS) {
    const value = headers[name];
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** `GET http://HOST/`. Rejects with a CallError when no whole answer comes; `timeoutMs` is of silence, as in httpx. */
export function call(
  host: string,
  headers: Record<string, string | string[]>,
  timeoutMs: number | undefined,
): Promise<CallReply> {
  return callOnce(host, headers, timeoutMs, true);
}

function callOnce(
  host: string,
  headers: Record<string, string | string[]>,
  timeoutMs: number | undefined,
  mayRetry: boolean,
): Promise<CallReply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`http://${host}/`, { agent, headers, ...(timeoutMs ? { timeout: timeoutMs } : {}) });
    let answered = false;
    outgoing.on('timeout', () => {
      outgoing.destroy(new CallError('TIMEOUT', `no answer from ${host} for ${timeoutMs} ms`));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      // A kept-alive connection may have been closed by the other side just now; a GET may go again on a new one.
      if (mayRetry && !answered && outgoing.reusedSocket && error.code === 'ECONNRESET') {
        callOnce(host, headers, timeoutMs, false).then(resolve, reject);
        return;
      }
      reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > MAX_BODY_BYTES) {
          outgoing.destroy(new CallError('TOO_LARGE', `the answer of ${host} is larger than ${MAX_BODY_BYTES} bytes`));
        }
      });
      incoming.on('error', (error: NodeJS.ErrnoException) => {
        reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
      });
      incoming.on('end', () => {
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    outgoing.end();
  });
}

function callCode(error: NodeJS.ErrnoException): string {
  // Node reports a connection that ended without an answer ("socket hang up") as ECONNRESET as well.
  return error.code === 'ECONNRESET' ? 'CLOSED' : (error.code ?? 'UNKNOWN');
}

/** Reads `PORT`, listens, and on SIGTERM or SIGINT finishes what it has begun and exits 0. */
export function serve(service: TextService): void {
  const port = portFromEnvironment();
  const server = createServer((message, response) => {
    message.resume();
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/';
    const send = ({ status, text }: TextReply) => {
      const body = Buffer.from(text, 'utf8');
      response.writeHead(status, { 'content-type': service.contentType, 'content-length': body.length });
      response.end(message.method === 'HEAD' ? undefined : body);
    };
    Promise.resolve(service.handle(path, message)).then(send, (error: unknown) => {
      console.error(`request ${message.method} ${message.url} failed:`, error);
      send({ status: 500, text: 'Internal Server Error' });
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('error', (error: NodeJS.ErrnoException) => {
    console.error(
      error.code === 'EADDRINUSE'
        ? `port ${port} is taken by another program; set PORT to a free one`
        : `can't listen on port ${port}: ${error.message}`,
    );
    process.exit(1);
  });
  server.listen(port, () => {
    console.log(service.started((server.address() as AddressInfo).port));
  });
  const stop = () => {
    setTimeout(() => {
      // Closes the idle connections too, and the busy ones after their reply.
      server.close(() => process.exit(0));
    }, LAME_DUCK_MS);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function portFromEnvironment(): number {
  const text = process.env['PORT'] ?? '8080';
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    console.error(`PORT is "${text}"; it must be a number from 0 to 65535`);
    process.exit(1);
  }
  return port;
}

// hello: says its version, echoes JSON, and fails four times out of five where it is asked to.
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { combined } from './access-log.ts';

const VERSION = process.env['VERSION'] ?? 'v1';
const GREETING = `Hello my version is: ${VERSION}\n`;
/** How often `/api/v1/fail` fails before it succeeds. */
const FAILURES = 4;
const MAX_BODY_BYTES = 100 * 1024;

const HTML = 'text/html; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Of all clients together. */
let failed = 0;

function fail(): Reply {
  if (failed < FAILURES) {
    failed += 1;
    return statusReply(503);
  }
  failed = 0;
  return { status: 200, type: HTML, text: GREETING };
}

async function echo(request: IncomingMessage): Promise<Reply> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return said({});
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (size > MAX_BODY_BYTES) return statusReply(413);
  try {
    return said(size === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return { ...statusReply(400), text: `the body is not JSON: ${error.message}\n` };
    throw error;
  }
}

function said(value: unknown): Reply {
  return { status: 200, type: HTML, text: `The client sent: ${JSON.stringify(value)}\n` };
}

function statusReply(status: number): Reply {
  return { status, type: TEXT, text: STATUS_CODES[status] ?? String(status) };
}

function answer(request: IncomingMessage): Reply | Promise<Reply> {
  const { url = '/' } = request;
  const path = url.split('?', 1)[0]?.replace(/(?<=.)\/$/, '') ?? '/';
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  switch (`${method} ${path}`) {
    case 'GET /api/v1':
      return { status: 200, type: HTML, text: GREETING };
    case 'POST /api/v1/echo':
      return echo(request);
    case 'GET /api/v1/fail':
      return fail();
    case 'GET /healthz':
      return statusReply(200);
    default:
      return { status: 404, type: TEXT, text: `Cannot ${request.method} ${url.split('?', 1)[0]}\n` };
  }
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, text }: Reply): void {
  request.resume();
  response.statusCode = status;
  response.setHeader('content-type', type).setHeader('content-length', Buffer.byteLength(text));
  response.end(request.method === 'HEAD' ? undefined : text);
}

const server = createServer((request, response) => {
  const remote = request.socket.remoteAddress ?? '-';
  response.once('close', () => console.log(combined(request, response, remote, new Date())));
  Promise.resolve(answer(request)).then(
    (reply) => send(request, response, reply),
    (error: unknown) => {
      // Its client went away in the middle of the body: there is nobody to tell.
      if (!request.destroyed) send(request, response, statusReply(500));
      console.error(`${request.method} ${request.url} failed: ${String(error)}`);
    },
  );
});

process.once('SIGTERM', () => console.log('SIGTERM signal received. Closing server!'));
listen(server, portFromEnvironment(8080), (port) => console.log(`Example app listening on port ${port}!`));

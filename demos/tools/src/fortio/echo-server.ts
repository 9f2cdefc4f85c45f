// `fortio server`: an HTTP server that answers what the query asks for.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { formatDuration, parseDuration } from './go-format.ts';
import { VERSION } from './target.ts';

const MAX_BODY_BYTES = 256 * 1024;
const MAX_DELAY_NS = 1.5e9;

export function echoServer(): Server {
  const begin = performance.now();
  return createServer((request, response) => {
    answer(request, response, begin).catch((error: unknown) => {
      console.error('request failed:', error);
      response.destroy();
    });
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, begin: number): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      response.writeHead(413, { connection: 'close' }).end(`at most ${MAX_BODY_BYTES} bytes\n`);
      return;
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const url = URL.canParse(request.url ?? '', 'http://x')
    ? new URL(request.url ?? '', 'http://x')
    : new URL('http://x/');
  const ask = url.searchParams;
  const draw = Math.random() * 100;
  const delay = Math.min(pick(ask.get('delay'), draw, parseDuration) ?? 0, MAX_DELAY_NS);
  if (delay > 0) await pause(delay / 1e6);
  const status = pick(ask.get('status'), Math.random() * 100, statusCode) ?? 200;
  const size = pick(ask.get('size'), Math.random() * 100, (text) => (/^\d+$/.test(text) ? Number(text) : undefined));
  for (const header of ask.getAll('header')) {
    const [name = '', ...value] = header.split(':');
    if (/^[\w-]+$/.test(name)) response.setHeader(name, value.join(':').replace(/[^\t\x20-\x7e]/g, ''));
  }
  if (ask.get('close') === 'true') response.setHeader('connection', 'close');
  const content =
    url.pathname === '/debug' ? debugPage(request, body, begin) : size === undefined ? body : filler(size);
  if (url.pathname === '/debug') response.setHeader('content-type', 'text/plain; charset=UTF-8');
  else if (request.headers['content-type'] !== undefined)
    response.setHeader('content-type', request.headers['content-type']);
  response.setHeader('content-length', content.length);
  response.writeHead(status).end(request.method === 'HEAD' ? undefined : content);
}

/** `a:30,b:20`: a in 30 of 100 cases, b in 20, otherwise undefined; `a` alone: always. */
function pick<T>(text: string | null, draw: number, parse: (value: string) => T | undefined): T | undefined {
  let upTo = 0;
  for (const part of (text ?? '').split(',')) {
    const [value = '', share] = part.split(':');
    const parsed = parse(value);
    if (parsed === undefined) continue;
    upTo += share === undefined ? 100 : Number(share);
    if (draw < upTo) return parsed;
  }
  return undefined;
}

function statusCode(text: string): number | undefined {
  const status = Number(text);
  // Below 200 there would be no answer, and above 999 none that HTTP can write.
  return Number.isInteger(status) && status >= 200 && status <= 999 ? status : undefined;
}

const filler = (size: number): Buffer => Buffer.alloc(Math.min(size, MAX_BODY_BYTES), 'varka ');

function debugPage(request: IncomingMessage, body: Buffer, begin: number): Buffer {
  const up = formatDuration(Math.round(performance.now() - begin) * 1e6);
  const from = `${request.socket.remoteAddress?.replace(/^::ffff:/, '')}:${request.socket.remotePort}`;
  const { host, ...rest } = request.headers;
  const canonical = (name: string): string => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
  const headers = Object.entries(rest).map(([name, value]) => `${canonical(name)}: ${value}`);
  return Buffer.concat([
    Buffer.from(
      `Fortio-compatible version ${VERSION} echo debug server up for ${up} on ${hostname()} - request from ${from}\n\n` +
        `${request.method} ${request.url} HTTP/${request.httpVersion}\n\nheaders:\n\nHost: ${host}\n${headers.sort().join('\n')}\n\nbody:\n\n`,
    ),
    body,
    Buffer.from('\n'),
  ]);
}

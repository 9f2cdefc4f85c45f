// Pages and files for a browser: replies as values, and the server that sends them.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Html } from './html.ts';
import { HttpError } from './http-body.ts';

export interface WebReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

// Pages bring no scripts; a style attribute says where a job stands in the day.
const POLICY =
  "default-src 'none'; img-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; form-action 'self'; " +
  "frame-src 'self'; frame-ancestors 'self'";

export function page(content: Html, status = 200): WebReply {
  return reply(status, content.text, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  });
}

export function file(type: string, bytes: Buffer): WebReply {
  return { status: 200, bytes, headers: { 'content-type': type, 'cache-control': 'max-age=3600' } };
}

export function text(status: number, line: string): WebReply {
  return reply(status, line, { 'content-type': 'text/plain; charset=utf-8' });
}

export function json(status: number, value: unknown): WebReply {
  return reply(status, JSON.stringify(value), { 'content-type': 'application/json; charset=utf-8' });
}

/** After a form: the browser gets the next page itself, and a reload does not send the form again. */
export function redirect(location: string): WebReply {
  return reply(303, '', { location });
}

export function reply(status: number, body: string, headers: Readonly<Record<string, string>>): WebReply {
  return { status, headers, bytes: Buffer.from(body) };
}

/** An HttpError that `handle` throws is answered as it says; any other is given to `failed` and answered with 500. */
export function webServer(
  handle: (message: IncomingMessage, url: URL) => WebReply | Promise<WebReply>,
  failed: (error: unknown, message: IncomingMessage) => void,
): Server {
  const answer = async (message: IncomingMessage): Promise<WebReply> => {
    const url = URL.parse(message.url ?? '/', 'http://web');
    if (url === null || /%(?![0-9a-f]{2})/i.test(url.pathname)) return text(400, 'This is no address.\n');
    try {
      return await handle(message, url);
    } catch (error) {
      if (error instanceof HttpError) return json(error.status, error.body);
      failed(error, message);
      return text(500, 'Something went wrong here; the log has the details.\n');
    }
  };
  return createServer(async (message, response) => {
    const { status, headers, bytes } = await answer(message);
    message.resume(); // what of the body nobody read
    response.writeHead(status, { ...headers, 'content-length': bytes.length, 'x-content-type-options': 'nosniff' });
    response.end(message.method === 'HEAD' ? undefined : bytes);
  });
}

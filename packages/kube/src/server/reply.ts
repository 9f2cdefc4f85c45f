// Writes answers: JSON or YAML, warnings in headers, failures as a Status.
import type { ServerResponse } from 'node:http';
import { stringify } from 'yaml';
import type { Logger } from '../log.ts';
import { StatusError } from '../status-error.ts';
import { StoreError } from '../store/store-error.ts';
import type { Wanted } from './media-type.ts';

/** Kubernetes' limit for all warnings of one answer. */
const WARNINGS_LIMIT = 4096;
/** Less than Node lets pile up on a connection before it stops reading from it (64 KiB). */
const LAST_PIECE = 32 * 1024;

export function sendObject(
  response: ServerResponse,
  code: number,
  object: unknown,
  form: Wanted,
  warnings: readonly string[] = [],
): void {
  const yaml = form.encoding === 'yaml';
  send(response, code, yaml ? stringify(object) : `${JSON.stringify(object)}\n`, contentType(form), warnings);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  send(response, code, text, 'text/plain; charset=utf-8', []);
}

export function sendBytes(response: ServerResponse, body: Buffer, type: string): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length });
  end(response, body);
}

/** JSON that is text already. */
export function sendJsonText(response: ServerResponse, text: string): void {
  send(response, 200, text, 'application/json', []);
}

function send(response: ServerResponse, code: number, text: string, type: string, warnings: readonly string[]): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  const lines = warningHeaders(warnings);
  if (lines.length > 0) response.setHeader('warning', lines);
  response.writeHead(code, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-cache, private',
  });
  end(response, body);
}

/**
 * Nobody gets the end of a long answer before the rest of it is on its way. While an answer waits to be written Node
 * pauses the parser of the connection; TLS still hands it the next request's body, which it takes for a parse error
 * (HPE_PAUSED), and the connection breaks. A client sends its next request when it has the whole answer: by then
 * nothing must be waiting.
 */
function end(response: ServerResponse, body: Buffer): void {
  if (body.length <= LAST_PIECE) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, -LAST_PIECE), () => {
    if (!response.destroyed) response.end(body.subarray(-LAST_PIECE));
  });
}

function contentType(form: Wanted): string {
  if (form.as === 'APIGroupDiscoveryList')
    return `application/json;g=apidiscovery.k8s.io;v=${form.version ?? 'v2'};as=APIGroupDiscoveryList`;
  return form.encoding === 'yaml' ? 'application/yaml' : 'application/json';
}

/** RFC 7234 §5.5, as Kubernetes does it: code 299 and no agent. */
function warningHeaders(warnings: readonly string[]): string[] {
  let size = 0;
  const lines: string[] = [];
  for (const warning of new Set(warnings)) {
    const line = `299 - "${quoted(warning)}"`;
    size += line.length;
    if (size > WARNINGS_LIMIT) break;
    lines.push(line);
  }
  return lines;
}

/** Headers carry Latin-1 without control characters; quotes and backslashes are escaped. */
function quoted(text: string): string {
  return Array.from(text, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if (char === '"' || char === '\\') return `\\${char}`;
    return code < 0x20 || code === 0x7f ? ' ' : code > 0xff ? '?' : char;
  }).join('');
}

/** Every failure of a request ends here. */
export function sendFailure(
  response: ServerResponse,
  error: unknown,
  log: Logger,
  about: Record<string, unknown>,
): void {
  const failure = asStatusError(error);
  // The other failures are the client's to know, the store tells of its own.
  if (failure.reason === 'InternalError')
    log.error('a request to the API failed', { ...about, code: failure.code, error: String(error) });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of a refused body is not read, so the connection cannot be used again.
  if (failure.code === 413) response.setHeader('connection', 'close');
  if (failure.code === 401) response.setHeader('www-authenticate', 'Bearer realm="varka"');
  sendObject(response, failure.code, failure.status, { encoding: 'json' });
}

export function asStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StoreError && error.code === 'full')
    return StatusError.of(507, 'InsufficientStorage', error.message);
  return StatusError.internal(error instanceof Error ? error.message : String(error), { cause: error });
}

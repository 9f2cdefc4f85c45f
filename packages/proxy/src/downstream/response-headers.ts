// The response's head as the client gets it: the upstream's, or one of our own.
import type { HeaderEdit } from '@varka/decide/header-edits.ts';
import { Field } from '../http/fields.ts';
import { toFieldValue } from '../http/grammar.ts';
import { HeadEditor } from '../http/head-editor.ts';
import { httpDate } from '../http/http-date.ts';
import { reasonPhrase } from '../http/reason-phrases.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { HttpConnectionManagerConfig } from '../runtime/tables.ts';

/** What of the connection shows in a head. */
export interface ResponseTerms {
  readonly config: HttpConnectionManagerConfig;
  readonly now: number;
  /** This is the last response on the connection. */
  readonly close: boolean;
}

const NO_EDITS: readonly HeaderEdit[] = [];
const editor = new HeadEditor();

/**
 * `chunk`: the body ends where the upstream's connection did, and goes to the client in chunks of ours, so that a
 * connection that breaks is not taken for an end.
 */
export function renderResponse(
  head: ResponseHead,
  request: RequestHead,
  terms: ResponseTerms,
  serviceTimeMs: number,
  chunk: boolean,
  edits: readonly HeaderEdit[],
): string {
  const tunnel = head.status === 101;
  editor.begin(head);
  for (let index = 0; index < head.count; index++) {
    switch (head.kindAt(index)) {
      case Field.OTHER:
        if (head.nominated.size > 0 && head.nominated.has(head.nameAt(index).toLowerCase())) editor.dropAt(index);
        break;
      case Field.CONNECTION:
      case Field.KEEP_ALIVE:
      case Field.PROXY_CONNECTION:
        editor.dropAt(index);
        break;
      case Field.UPGRADE:
        if (!tunnel) editor.dropAt(index);
        break;
      // RFC 9110 §8.6, RFC 9112 §6.1: a 1xx or 204 carries neither.
      case Field.CONTENT_LENGTH:
        if (tunnel || head.status === 204) editor.dropAt(index);
        break;
      case Field.TRANSFER_ENCODING:
        if (tunnel || head.status === 204 || request.http10) editor.dropAt(index);
        break;
      case Field.X_ENVOY:
        if (head.nameAt(index).toLowerCase() === 'x-envoy-upstream-service-time') editor.dropAt(index);
        break;
    }
  }
  if (tunnel) editor.append('connection', 'Upgrade');
  if (chunk) editor.append('transfer-encoding', 'chunked');
  editor.append('x-envoy-upstream-service-time', String(serviceTimeMs));
  if (edits.length > 0) editor.apply(edits);
  const edited = edits.length > 0;
  const hasServer = edited ? editor.has('server') : head.has(Field.SERVER);
  const hasDate = edited ? editor.has('date') : head.has(Field.DATE);
  finish(hasServer, hasDate, request, terms, tunnel);
  return editor.render(`HTTP/1.1 ${head.status} ${head.reason}\r\n`);
}

/** An interim response: 100 Continue, 103 Early Hints. Its fields pass, hop-by-hop ones do not. */
export function renderInterim(head: ResponseHead): string {
  editor.begin(head);
  editor.dropKind(Field.CONNECTION);
  editor.dropKind(Field.KEEP_ALIVE);
  editor.dropKind(Field.PROXY_CONNECTION);
  editor.dropKind(Field.UPGRADE);
  editor.dropKind(Field.CONTENT_LENGTH);
  editor.dropKind(Field.TRANSFER_ENCODING);
  return editor.render(`HTTP/1.1 ${head.status} ${head.reason}\r\n`);
}

/** A response of the proxy's own: a local reply, a redirect or a direct response of a route. */
export function renderLocal(
  status: number,
  bodyLength: number,
  location: string | undefined,
  request: RequestHead,
  terms: ResponseTerms,
  edits: readonly HeaderEdit[] = NO_EDITS,
): string {
  editor.begin(undefined);
  if (location !== undefined) editor.append('location', toFieldValue(location) ?? '/');
  if (status !== 204 && status !== 304) editor.append('content-length', String(bodyLength));
  if (bodyLength > 0) editor.append('content-type', 'text/plain');
  if (edits.length > 0) editor.apply(edits);
  finish(editor.has('server'), editor.has('date'), request, terms, false);
  return editor.render(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
}

/** What the connection manager adds last, whatever routes have done (Envoy: encodeHeaders). */
function finish(
  hasServer: boolean,
  hasDate: boolean,
  request: RequestHead,
  terms: ResponseTerms,
  tunnel: boolean,
): void {
  const { config } = terms;
  if (!hasDate) editor.append('date', httpDate(terms.now));
  if (config.serverName !== undefined && config.serverHeader !== 'pass-through') {
    if (config.serverHeader === 'overwrite') {
      if (hasServer) editor.remove('server');
      editor.append('server', config.serverName);
    } else if (!hasServer) editor.append('server', config.serverName);
  }
  if (tunnel) return;
  if (terms.close) editor.append('connection', 'close');
  else if (request.http10) editor.append('connection', 'keep-alive');
}

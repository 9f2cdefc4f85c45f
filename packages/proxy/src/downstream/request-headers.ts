// The request's head as the upstream gets it (Envoy: ConnectionManagerUtility::mutateRequestHeaders, router).
import { randomUUID } from 'node:crypto';
import type { ForwardDecision } from '@varka/decide/route-table.ts';
import { Field } from '../http/fields.ts';
import { toTarget } from '../http/grammar.ts';
import { HeadEditor, valueAfter } from '../http/head-editor.ts';
import type { RequestHead } from '../http/request-head.ts';
import { isInternalAddress } from './internal-address.ts';

/** What is the same for all requests of a connection. */
export interface Peer {
  readonly address: string;
  readonly internal: boolean;
  /** use_remote_address: this proxy is the first that the client meets. */
  readonly edge: boolean;
  readonly generateRequestId: boolean;
}

/** What is the same for all attempts of a request, and what its log line shows. */
export interface RequestFacts {
  readonly requestId: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly forwardedProto: string;
  readonly internal: boolean;
}

export function requestFacts(head: RequestHead, peer: Peer): RequestFacts {
  const given = head.has(Field.X_FORWARDED_FOR) ? head.header('x-forwarded-for') : undefined;
  const proto = head.known(Field.X_FORWARDED_PROTO);
  // Internal is who came through exactly one trusted hop from a private address (Envoy: x-envoy-internal). A proxy that
  // is not the edge has only the client's word in x-forwarded-for, which the edge before it wrote.
  const internal = peer.edge
    ? given === undefined && peer.internal
    : given !== undefined && !given.includes(',') && isInternalAddress(given);
  const forwardedFor = peer.edge ? (given === undefined ? peer.address : `${given},${peer.address}`) : given;
  return {
    requestId: requestId(head, peer, internal),
    forwardedFor,
    forwardedProto: peer.edge || proto === '' ? 'http' : proto,
    internal,
  };
}

/** Outsiders do not choose the id at the edge: it ties their requests to our logs (Envoy: preserve_external_request_id). */
function requestId(head: RequestHead, peer: Peer, internal: boolean): string | undefined {
  const given = head.known(Field.X_REQUEST_ID);
  if (!peer.generateRequestId) return given === '' ? undefined : given;
  return given === '' || (peer.edge && !internal) ? randomUUID() : given;
}

/** Only insiders may steer retries and timeouts (Envoy: cleanInternalHeaders). */
const INTERNAL_ONLY: ReadonlySet<string> = new Set([
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-retriable-header-names',
  'x-envoy-retriable-status-codes',
  'x-envoy-is-timeout-retry',
]);

/** Names that this proxy speaks under; an outsider at the edge may not. */
const EDGE_ONLY: ReadonlySet<string> = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
]);

/** Whether a field is not this client's to send. */
function isForeign(name: string, facts: RequestFacts, peer: Peer): boolean {
  return !facts.internal && (INTERNAL_ONLY.has(name) || (peer.edge && EDGE_ONLY.has(name)));
}

const editor = new HeadEditor();

/** `path` is the request's after normalization; `elapsedMs` shortens the timeout announced to a later attempt. */
export function renderRequest(
  head: RequestHead,
  path: string,
  facts: RequestFacts,
  peer: Peer,
  decision: ForwardDecision,
  attempt: number,
  elapsedMs: number,
): string {
  editor.begin(head);
  const rewritten = decision.path !== path;
  const authority = decision.authority ?? (head.absoluteForm ? head.authority : undefined);
  for (let index = 0; index < head.count; index++) {
    switch (head.kindAt(index)) {
      case Field.OTHER:
        if (head.nominated.size > 0 && head.nominated.has(head.nameAt(index).toLowerCase())) editor.dropAt(index);
        break;
      case Field.HOST:
        if (authority !== undefined) editor.dropAt(index);
        break;
      // Hop by hop (RFC 9110 §7.6.1). The framing fields stay, since the body passes on as it came.
      case Field.CONNECTION:
      case Field.KEEP_ALIVE:
      case Field.PROXY_CONNECTION:
      case Field.HTTP2_SETTINGS:
      // Nobody has shown a certificate on a plain connection, so nobody may say who the client is.
      case Field.X_FORWARDED_CLIENT_CERT:
        editor.dropAt(index);
        break;
      case Field.UPGRADE:
        if (head.upgrade !== 'websocket') editor.dropAt(index);
        break;
      case Field.TE:
        if (head.valueAt(index).toLowerCase() !== 'trailers') editor.dropAt(index);
        break;
      case Field.X_REQUEST_ID:
        if (peer.edge && facts.requestId !== head.valueAt(index)) editor.dropAt(index);
        break;
      case Field.X_FORWARDED_FOR:
        if (peer.edge) editor.dropAt(index);
        break;
      case Field.X_FORWARDED_PROTO:
        if (peer.edge) editor.dropAt(index);
        break;
      case Field.X_ENVOY: {
        const name = head.nameAt(index).toLowerCase();
        const ours =
          name === 'x-envoy-internal' || name === 'x-envoy-external-address' || name === 'x-envoy-attempt-count';
        if (ours || isForeign(name, facts, peer)) editor.dropAt(index);
        break;
      }
    }
  }
  if (authority !== undefined) editor.append('host', toTarget(authority));
  if (head.upgrade === 'websocket') editor.append('connection', 'Upgrade');
  if (peer.edge) editor.append('x-forwarded-for', facts.forwardedFor ?? peer.address);
  if (peer.edge || !head.has(Field.X_FORWARDED_PROTO)) editor.append('x-forwarded-proto', facts.forwardedProto);
  if (facts.internal) editor.append('x-envoy-internal', 'true');
  else if (peer.edge) editor.append('x-envoy-external-address', peer.address);
  if (facts.requestId !== undefined && facts.requestId !== head.known(Field.X_REQUEST_ID)) {
    editor.append('x-request-id', facts.requestId);
  }
  if (rewritten) editor.set('x-envoy-original-path', path);
  if (decision.includeAttemptCount) editor.append('x-envoy-attempt-count', String(attempt));
  const expected = expectedTimeoutMs(decision, elapsedMs);
  if (expected > 0) editor.set('x-envoy-expected-rq-timeout-ms', String(expected));
  if (decision.requestHeaders.length > 0) editor.apply(decision.requestHeaders);
  return editor.render(`${head.method} ${rewritten ? toTarget(decision.path) : path} HTTP/1.1\r\n`);
}

/** What is left for this attempt (Envoy: FilterUtility::setTimeoutHeaders); 0 is no bound. */
function expectedTimeoutMs(decision: ForwardDecision, elapsedMs: number): number {
  const perTry = decision.retry?.perTryTimeoutMs ?? 0;
  const left = decision.timeoutMs > 0 ? Math.max(decision.timeoutMs - elapsedMs, 1) : 0;
  if (perTry === 0) return left;
  return left === 0 ? perTry : Math.min(perTry, left);
}

/** A request header as routing sees it: at the edge, after what outsiders may not say has been taken out or replaced. */
export function routedHeader(head: RequestHead, facts: RequestFacts, peer: Peer, name: string): string | undefined {
  switch (name) {
    case 'x-request-id':
      return facts.requestId;
    case 'x-forwarded-for':
      return facts.forwardedFor;
    case 'x-forwarded-proto':
      return facts.forwardedProto;
    case 'x-envoy-internal':
      return facts.internal ? 'true' : undefined;
    case 'x-envoy-external-address':
      return peer.edge && !facts.internal ? peer.address : undefined;
    case 'x-forwarded-client-cert':
    case 'x-envoy-attempt-count':
      return undefined;
    default:
      return isForeign(name, facts, peer) ? undefined : head.header(name);
  }
}

/** A request header as the upstream saw it, for the log. */
export function sentRequestHeader(
  head: RequestHead,
  facts: RequestFacts | undefined,
  decision: ForwardDecision | undefined,
  path: string,
  name: string,
): string | undefined {
  switch (name) {
    case ':method':
      return head.method === '' ? undefined : head.method;
    case ':path':
      return decision?.path ?? (path === '' ? undefined : path);
    case ':scheme':
      return facts?.forwardedProto;
    case ':authority':
    case 'host':
      return decision?.authority ?? (head.authority === '' ? undefined : head.authority);
    case 'x-request-id':
      return facts?.requestId;
    case 'x-forwarded-for':
      return facts?.forwardedFor;
    case 'x-forwarded-proto':
      return facts?.forwardedProto;
    case 'x-envoy-original-path':
      if (decision !== undefined && decision.path !== path) return path;
      break;
  }
  return valueAfter(head, decision?.requestHeaders ?? [], name);
}

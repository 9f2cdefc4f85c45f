// An exchange as the access log sees it.

import type { ForwardDecision, RouteDecision } from '@varka/decide/route-table.ts';
import { valueAfter } from '../http/head-editor.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { AccessLogEntry } from '../observe/access-log.ts';
import type { ConnectionInfo } from '../runtime/tables.ts';
import { type RequestFacts, sentRequestHeader } from './request-headers.ts';

/** What an exchange knows at its end. */
export interface LoggedExchange {
  readonly startTime: number;
  readonly owner: { readonly info: ConnectionInfo };
  readonly request: RequestHead;
  readonly path: string;
  readonly facts: RequestFacts | undefined;
  readonly decision: RouteDecision | undefined;
  readonly cluster: { readonly name: string } | undefined;
  readonly host: { readonly label: string } | undefined;
  readonly upstreamLocal: string | undefined;
  readonly flags: string;
  readonly transportFailure: string;
  readonly response: ResponseHead | undefined;
  readonly status: number;
  readonly details: string | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly serviceTimeMs: number | undefined;
}

function label(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export class ExchangeLogEntry implements AccessLogEntry {
  readonly #exchange: LoggedExchange;
  readonly durationMs: number;

  constructor(exchange: LoggedExchange, now: number) {
    this.#exchange = exchange;
    this.durationMs = now - exchange.startTime;
  }

  get startTime(): number {
    return this.#exchange.startTime;
  }

  get method(): string | undefined {
    return this.requestHeader(':method');
  }

  get path(): string | undefined {
    const { path, request } = this.#exchange;
    if (path !== '') return path;
    return request.path === '' ? undefined : request.path;
  }

  get protocol(): string {
    return this.#exchange.request.http10 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  get responseCode(): number {
    return this.#exchange.status;
  }

  get responseFlags(): string {
    return this.#exchange.flags;
  }

  get responseCodeDetails(): string | undefined {
    return this.#exchange.details;
  }

  /** Of a whole connection, not of a request on it: HTTP connections give none yet. */
  readonly connectionTerminationDetails = undefined;

  get upstreamTransportFailureReason(): string | undefined {
    const reason = this.#exchange.transportFailure;
    return reason === '' ? undefined : reason;
  }

  get bytesReceived(): number {
    return this.#exchange.bytesReceived;
  }

  get bytesSent(): number {
    return this.#exchange.bytesSent;
  }

  get upstreamServiceTimeMs(): number | undefined {
    return this.#exchange.serviceTimeMs;
  }

  get upstreamHost(): string | undefined {
    return this.#exchange.host?.label;
  }

  get upstreamCluster(): string | undefined {
    return this.#exchange.cluster?.name;
  }

  get upstreamLocalAddress(): string | undefined {
    return this.#exchange.upstreamLocal;
  }

  get downstreamLocalAddress(): string {
    const { info } = this.#exchange.owner;
    return label(info.destinationAddress, info.destinationPort);
  }

  get downstreamRemoteAddress(): string {
    const { info } = this.#exchange.owner;
    return label(info.remoteAddress, info.remotePort);
  }

  get requestedServerName(): string | undefined {
    return this.#exchange.owner.info.requestedServerName;
  }

  get routeName(): string | undefined {
    const { decision } = this.#exchange;
    if (decision === undefined || decision.kind === 'none' || decision.routeName === '') return undefined;
    return decision.routeName;
  }

  requestHeader(name: string): string | undefined {
    const { request, facts, path } = this.#exchange;
    return sentRequestHeader(request, facts, this.#forwarded(), path, name);
  }

  responseHeader(name: string): string | undefined {
    const { response, decision, serviceTimeMs, status } = this.#exchange;
    if (name === ':status') return status === 0 ? undefined : String(status);
    if (name === 'x-envoy-upstream-service-time')
      return serviceTimeMs === undefined ? undefined : String(serviceTimeMs);
    const edits = decision === undefined || decision.kind === 'none' ? [] : decision.responseHeaders;
    return valueAfter(response, edits, name);
  }

  #forwarded(): ForwardDecision | undefined {
    const { decision } = this.#exchange;
    return decision?.kind === 'forward' ? decision : undefined;
  }
}

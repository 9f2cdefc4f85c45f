// What the data path reads: compiled from xDS once, immutable, swapped in one step (see runtime.ts).
import type { RouteTable } from '@varka/decide/route-table.ts';
import type { HttpFilter } from '../filters/http-filter.ts';
import type { AccessLogger } from '../observe/access-log.ts';
import type { HttpStats, TcpStats } from '../observe/stats.ts';

/** A route table that a later RDS answer may replace; the connection manager reads `table` anew for each request. */
export interface RouteSource {
  readonly name: string;
  /** undefined until the first answer: requests then get 404 NR, as Envoy's do. */
  readonly table: RouteTable | undefined;
}

/** envoy.filters.network.http_connection_manager, as far as it is carried out. */
export interface HttpConnectionManagerConfig {
  readonly statPrefix: string;
  readonly routes: RouteSource;
  /** In the listener's order; the router, which is last, is not among them. */
  readonly filters: readonly HttpFilter[];
  readonly accessLogs: readonly AccessLogger[];
  /** Value of the `server` response header; undefined passes the upstream's through. */
  readonly serverName: string | undefined;
  /** OVERWRITE always, APPEND_IF_ABSENT, or PASS_THROUGH. */
  readonly serverHeader: 'overwrite' | 'append-if-absent' | 'pass-through';
  /** Edge behaviour: append the peer to x-forwarded-for, set x-forwarded-proto, drop what outsiders may not set. */
  readonly useRemoteAddress: boolean;
  readonly generateRequestId: boolean;
  readonly websocketUpgrade: boolean;
  /** Idle downstream keep-alive connections close after this; 0 never. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  /** Most bytes of a request head (Envoy: max_request_headers_kb, default 60); more is 431. */
  readonly maxRequestHeaderBytes: number;
  readonly maxRequestHeaders: number;
  /** Time for a request's head to come in whole (Envoy: request_headers_timeout); absent or 0 is one minute. */
  readonly requestHeadersTimeoutMs?: number;
  /** Resolve dot segments before routing (Envoy: normalize_path). */
  readonly normalizePath?: boolean;
  /** Serve HTTP/1.0 (Envoy: http_protocol_options.accept_http_10) instead of answering 426. */
  readonly acceptHttp10?: boolean;
  /** Most bytes of a body kept for a retry. */
  readonly perConnectionBufferLimit: number;
  readonly stats: HttpStats;
}

/** envoy.filters.network.tcp_proxy. */
export interface TcpProxyConfig {
  readonly statPrefix: string;
  /** Weighted; the draw decides. */
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly idleTimeoutMs: number;
  readonly accessLogs: readonly AccessLogger[];
  readonly stats: TcpStats;
}

export type NetworkFilter =
  | { readonly kind: 'http'; readonly config: HttpConnectionManagerConfig }
  | { readonly kind: 'tcp'; readonly config: TcpProxyConfig };

/** listener.v3.FilterChainMatch, as far as it is carried out. Empty means any. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  /** Destination address ranges, `[address, prefix length]`. */
  readonly destinationRanges: readonly (readonly [string, number])[];
  /** Exact names, or `*.suffix`. */
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
}

export interface FilterChain {
  readonly name: string;
  /** The proto's bytes: a chain with equal bytes is unchanged and keeps its connections. */
  readonly fingerprint: Buffer;
  readonly match: FilterChainMatch;
  readonly filter: NetworkFilter;
}

export interface ListenerTable {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** False for listeners that only take over connections another listener accepted (use_original_dst). */
  readonly bindToPort: boolean;
  readonly useOriginalDst: boolean;
  /** Listener filters. */
  readonly originalDst: boolean;
  readonly inspectHttp: boolean;
  readonly inspectTls: boolean;
  /** Destination ports for which the HTTP inspector is switched off (Envoy: filter_disabled). */
  readonly httpInspectionDisabled?: (port: number) => boolean;
  readonly tlsInspectionDisabled?: (port: number) => boolean;
  /** 0 waits for ever. */
  readonly inspectTimeoutMs: number;
  /** After the timeout, go on as a connection that nothing is known of; else close it. */
  readonly continueOnInspectTimeout?: boolean;
  /** INBOUND, OUTBOUND or UNSPECIFIED (Envoy: traffic_direction). */
  readonly direction: 'inbound' | 'outbound' | 'unspecified';
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
}

/** What is known of one accepted connection when its filter chain starts. */
export interface ConnectionInfo {
  /** Where the client was going: the original destination when redirected, else the local address. */
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly requestedServerName: string | undefined;
  readonly listener: ListenerTable;
}

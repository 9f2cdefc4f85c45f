// Istio's names for Envoy resources; people, dashboards and our own proxy status go by them.
import type { Protocol } from '../registry/protocol.ts';

export const PASSTHROUGH_CLUSTER = 'PassthroughCluster';
export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster';
export const INBOUND_PASSTHROUGH_CLUSTER = 'InboundPassthroughCluster';

export const VIRTUAL_OUTBOUND = 'virtualOutbound';
export const VIRTUAL_INBOUND = 'virtualInbound';

export function outboundCluster(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

export function inboundCluster(port: number): string {
  return `inbound|${port}||`;
}

/** Listeners for HTTP on a port are shared by all services; others are per address. */
export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

/** A port that says HTTP shares one route configuration; a sniffed one has its own per service. */
export function outboundRoutes(hostname: string, port: number, protocol: Protocol): string {
  return protocol === 'auto' ? `${hostname}:${port}` : String(port);
}

export function gatewayRoutes(port: number): string {
  return `http.${port}`;
}

/** HTTP filters by which routes are told what to do to a request. */
export const FAULT_FILTER = 'envoy.filters.http.fault';
export const CORS_FILTER = 'envoy.filters.http.cors';

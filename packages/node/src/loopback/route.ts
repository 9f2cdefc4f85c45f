// Where a connection goes in the fabric: pure, by the rules that capture and services have in the `netns` sandbox.
import { isIPv4 } from 'node:net';
import { type Cidr, contains, parseCidr } from '../sandbox/address-pool.ts';
import type { FabricTable } from './fabric-table.ts';
import type { Endpoint } from './proxy-header.ts';

export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
/** Prometheus, health and merged-metrics ports of the sidecar itself (istio-init: "-d 15090,15021,15020"). */
const SIDECAR_PORTS: readonly number[] = [15090, 15021, 15020];
/** The source address of what the sidecar passes to its own application (Istio's InboundPassthroughClusterIpv4). */
const INBOUND_SOURCE = '127.0.0.6';

export interface Caller {
  /** A pod's address, or the node's. */
  readonly address: string;
  readonly kind: 'node' | 'application' | 'sidecar';
  /** Asked for by the caller, as `localAddress`. */
  readonly source?: string | undefined;
}

export type Route =
  /** To what listens at one of these places, the first that there is. */
  | {
      readonly kind: 'fabric';
      readonly places: readonly Place[];
      readonly source: string;
      readonly destination: Endpoint;
      /** On this machine, when nothing in the fabric listens there. */
      readonly mapped?: Endpoint;
    }
  | { readonly kind: 'refused' }
  /** Not an address of the cluster's. */
  | { readonly kind: 'outside' };

/** Of a listener: whose it is, its port, and whether it is on loopback only. */
export interface Place {
  readonly address: string;
  readonly port: number;
  readonly scope: 'pod' | 'loopback';
}

/** `draw` is a number from 0 up to 1, for the choice of an endpoint. */
export function route(caller: Caller, to: Endpoint, table: FabricTable, draw: () => number): Route {
  const { podCidr, serviceCidr, nodeLocalCidr, loadBalancerCidr } = cidrsOf(table);
  const isBalanced = isIPv4(to.address) && contains(loadBalancerCidr, to.address);
  if (caller.kind !== 'node' && isLoopback(to.address) && !isBalanced) return own(caller, to, table);
  if (caller.kind !== 'node' && to.address === caller.address) {
    const source = caller.source ?? caller.address;
    // A sidecar that calls its own pod's address meets its own inbound side, as any other caller would; but what its
    // inbound side hands to the application must not come round again.
    const comesRound = caller.kind === 'sidecar' && source !== INBOUND_SOURCE && isCaptured(table, caller.address);
    if (comesRound) return sidecarsPort(caller.address, INBOUND_PORT, source, to);
    return direct(caller.address, to, source, table);
  }
  // A service can have addresses outside the cluster's networks, and ports of the node's.
  const frontend = table.frontends[`${to.address}:${to.port}`];
  const isService = frontend !== undefined || isBalanced || contains(serviceCidr, to.address);
  if (!isService && !contains(podCidr, to.address)) return { kind: 'outside' };
  const source = caller.source ?? caller.address;
  if (contains(nodeLocalCidr, to.address)) return direct(to.address, to, source, table);
  if (caller.kind === 'application' && isCaptured(table, caller.address)) {
    return sidecarsPort(caller.address, OUTBOUND_PORT, source, to);
  }
  if (!isService) return arrive(to, source, table);
  const endpoint = choose(frontend, source, draw);
  if (endpoint === undefined) return { kind: 'refused' };
  // A pod that reaches itself through a service hears from the node, as by kube-proxy's masquerade.
  return arrive(endpoint, endpoint.address === caller.address ? table.nodeAddress : source, table);
}

/** Comes into a pod from outside of it. */
function arrive(to: Endpoint, source: string, table: FabricTable): Route {
  const passes = source === table.probeSource || SIDECAR_PORTS.includes(to.port);
  if (isCaptured(table, to.address) && !passes) return sidecarsPort(to.address, INBOUND_PORT, source, to);
  return direct(to.address, to, source, table);
}

/** 127.0.0.0/8 of the pod itself. */
function own({ address, source }: Caller, to: Endpoint, table: FabricTable): Route {
  const mapped = table.pods[address]?.mapped?.[to.port];
  return {
    kind: 'fabric',
    places: [
      { address, port: to.port, scope: 'loopback' },
      { address, port: to.port, scope: 'pod' },
    ],
    source: source ?? '127.0.0.1',
    destination: to,
    ...(mapped === undefined ? {} : { mapped }),
  };
}

function direct(address: string, to: Endpoint, source: string, table: FabricTable): Route {
  const mapped = table.pods[address]?.mapped?.[to.port];
  const places: Place[] = [{ address, port: to.port, scope: 'pod' }];
  return { kind: 'fabric', places, source, destination: to, ...(mapped === undefined ? {} : { mapped }) };
}

/** The sidecar learns from the header where the connection was going. */
function sidecarsPort(address: string, port: number, source: string, destination: Endpoint): Route {
  return { kind: 'fabric', places: [{ address, port, scope: 'pod' }], source, destination };
}

function choose(
  frontend: FabricTable['frontends'][string] | undefined,
  client: string,
  draw: () => number,
): Endpoint | undefined {
  if (frontend === undefined) return undefined;
  const { endpoints, sticky } = frontend;
  return endpoints[sticky ? hash(client) % endpoints.length : Math.floor(draw() * endpoints.length)];
}

/** FNV-1a, 32 bits: any that spreads addresses will do. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  // The last digit of an address changes the low bits only.
  return (value ^ (value >>> 15)) >>> 0;
}

/** Whether the node itself may listen there for a service. */
export function isNodeLocal(address: string, table: FabricTable): boolean {
  return isIPv4(address) && contains(cidrsOf(table).nodeLocalCidr, address);
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address === '0.0.0.0' || address === '::';
}

function isCaptured(table: FabricTable, address: string): boolean {
  return table.pods[address]?.captured === true;
}

interface Cidrs {
  readonly podCidr: Cidr;
  readonly serviceCidr: Cidr;
  readonly nodeLocalCidr: Cidr;
  readonly loadBalancerCidr: Cidr;
}

const parsed = new WeakMap<FabricTable, Cidrs>();

function cidrsOf(table: FabricTable): Cidrs {
  let cidrs = parsed.get(table);
  if (cidrs === undefined) {
    cidrs = {
      podCidr: parseCidr(table.podCidr),
      serviceCidr: parseCidr(table.serviceCidr),
      nodeLocalCidr: parseCidr(table.nodeLocalCidr),
      loadBalancerCidr: parseCidr(table.loadBalancerCidr),
    };
    parsed.set(table, cidrs);
  }
  return cidrs;
}

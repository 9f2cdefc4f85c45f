// What the kernel is to do with connections to cluster IPs, from Services and EndpointSlices: pure, as data.
import { isIPv4 } from 'node:net';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/**
 * Three tables as nft prints their elements, so that two are compared, read and shown with ease:
 *
 *     frontends  10.96.7.7 . tcp . 80      → random-2               a service's port, the chain that chooses for it
 *     backends   10.96.7.7 . tcp . 80 . 1  → 10.244.0.5 . 8080      its endpoints, numbered from 0
 *     loops      10.244.0.5 . 10.244.0.5                            an endpoint that is its own client
 *
 * A frontend without a ready endpoint has no entry: its connections are refused like those to no service at all.
 */
export interface ServiceRules {
  readonly frontends: ReadonlyMap<string, string>;
  readonly backends: ReadonlyMap<string, string>;
  readonly loops: ReadonlyMap<string, string>;
}

export const NO_RULES: ServiceRules = { frontends: new Map(), backends: new Map(), loops: new Map() };

/** A frontend and a backend of it that it no longer has. */
export interface EndedPair {
  /** `10.96.7.7 . udp . 53` */
  readonly frontend: string;
  /** `10.244.0.5 . 53` */
  readonly target: string;
}

/** Those that a client without connections (UDP) would go on talking to. */
export function endedUdpPairs(before: ServiceRules, after: ServiceRules): EndedPair[] {
  const pairs = ({ backends }: ServiceRules): Map<string, EndedPair> => {
    const found = new Map<string, EndedPair>();
    for (const [key, target] of backends) {
      const frontend = key.slice(0, key.lastIndexOf(' . '));
      if (frontend.includes(' . udp . ')) found.set(`${frontend} ${target}`, { frontend, target });
    }
    return found;
  };
  const kept = pairs(after);
  return [...pairs(before)].filter(([key]) => !kept.has(key)).map(([, pair]) => pair);
}

type Endpoint = EndpointSlice['endpoints'][number];
type SlicePort = NonNullable<EndpointSlice['ports']>[number];

/** What there is to know of the node's network. */
export interface ServiceNetwork {
  readonly nodeAddress: string;
  /** Services at such addresses are listened for by the node itself, and nothing is translated. */
  isNodeLocal(address: string): boolean;
  /** Those that lead pods here; a load balancer may have others, which only the host knows. */
  isLoadBalancer(address: string): boolean;
}

export function serviceRules(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  network: ServiceNetwork,
): ServiceRules {
  const frontends = new Map<string, string>();
  const backends = new Map<string, string>();
  const loops = new Map<string, string>();
  const slicesOf = byService(slices);
  for (const service of services) {
    const { metadata, spec } = service;
    const own = slicesOf.get(`${metadata?.namespace}/${metadata?.name}`) ?? [];
    const addresses = addressesOf(service, network);
    for (const { name = '', protocol = 'TCP', port, nodePort } of spec?.ports ?? []) {
      // The third protocol a Service may have, SCTP, is not carried.
      if (protocol !== 'TCP' && protocol !== 'UDP') continue;
      const targets = targetsOf(own, name, protocol);
      if (targets.length === 0) continue;
      const entrances = addresses.map((address) => ({ address, port }));
      if (nodePort) entrances.push({ address: network.nodeAddress, port: nodePort });
      for (const entrance of entrances) {
        const frontend = `${entrance.address} . ${protocol.toLowerCase()} . ${entrance.port}`;
        frontends.set(frontend, chainOf(spec?.sessionAffinity, targets.length));
        targets.forEach(({ ip, port: number }, index) => {
          backends.set(`${frontend} . ${index}`, `${ip} . ${number}`);
          loops.set(`${ip} . ${ip}`, '');
        });
      }
    }
  }
  return { frontends, backends, loops };
}

/** All that the service's ports are reached at: inside the cluster, and from outside (Kubernetes: externalIPs too). */
function addressesOf({ spec, status }: Service, network: ServiceNetwork): string[] {
  const inside = spec?.clusterIPs ?? [spec?.clusterIP ?? ''];
  const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
  const wanted = [
    ...[...inside, ...(spec?.externalIPs ?? [])].filter((ip) => isIPv4(ip) && !network.isNodeLocal(ip)),
    ...balanced.filter((ip) => isIPv4(ip) && network.isLoadBalancer(ip)),
  ];
  return [...new Set(wanted)];
}

/** Kubernetes: "Session affinity". Among one there is nothing to choose. */
function chainOf(sessionAffinity: string | undefined, among: number): string {
  return sessionAffinity === 'ClientIP' && among > 1 ? `by-client-${among}` : `random-${among}`;
}

function byService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const grouped = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const service = slice.metadata?.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined || slice.addressType !== 'IPv4') continue;
    const key = `${slice.metadata?.namespace}/${service}`;
    const others = grouped.get(key);
    if (others === undefined) grouped.set(key, [slice]);
    else others.push(slice);
  }
  return grouped;
}

interface Target {
  readonly ip: string;
  readonly port: number;
}

/** Each once and in order, so that the same endpoints always give the same rules. */
function targetsOf(slices: readonly EndpointSlice[], portName: string, protocol: string): Target[] {
  const pick = (wanted: (endpoint: Endpoint) => boolean): Map<string, Target> => {
    const found = new Map<string, Target>();
    for (const { ports, endpoints } of slices) {
      const port = ports?.find((candidate) => isPort(candidate, portName, protocol))?.port;
      if (port === undefined || port < 1 || port > 65_535) continue;
      // Clients written in Go send null for an empty list.
      for (const ip of (endpoints ?? []).filter(wanted).flatMap(({ addresses }) => addresses ?? [])) {
        if (isIPv4(ip)) found.set(`${ip}:${port}`, { ip, port });
      }
    }
    return found;
  };
  const ready = pick(({ conditions }) => conditions?.ready !== false);
  // Kubernetes: "if all endpoints are terminating", those that still serve are better than none (KEP-1669).
  const usable = ready.size > 0 ? ready : pick(isServingItsLast);
  return [...usable].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}

function isPort({ name = '', protocol = 'TCP' }: SlicePort, wanted: string, wantedProtocol: string): boolean {
  return name === wanted && protocol === wantedProtocol;
}

function isServingItsLast({ conditions }: Endpoint): boolean {
  const { ready = true, serving = ready, terminating = false } = conditions ?? {};
  return serving && terminating;
}

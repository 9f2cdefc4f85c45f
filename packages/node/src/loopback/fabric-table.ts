// What everybody in the fabric knows: one JSON document that the node agent writes and every connecting process reads.
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import type { DnsService, DnsView } from '../dns/answer.ts';
import { externalNames } from '../dns/view.ts';
import { type ServiceNetwork, serviceRules } from '../netns/services/service-rules.ts';
import type { Endpoint } from './proxy-header.ts';

export const TABLE_FILE = 'table.json';

export interface FabricTable extends FabricLayout {
  /** By address. */
  readonly pods: Readonly<Record<string, FabricPod>>;
  /** By `address:port` of a service, TCP only; one without a ready endpoint has no entry. */
  readonly frontends: Readonly<Record<string, Frontend>>;
  /** By namespace, then by name. */
  readonly names: Readonly<Record<string, Readonly<Record<string, DnsService>>>>;
  /** By names of the world outside: the services that answer for them. */
  readonly standIns: Readonly<Record<string, DnsService>>;
}

/** What stays the same as long as the fabric is there. */
export interface FabricLayout {
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** Services that the node itself answers; capture leaves them alone. */
  readonly nodeLocalCidr: string;
  /** Of load balancers; part of 127.0.0.0/8, and yet no pod's own. */
  readonly loadBalancerCidr: string;
  readonly nodeAddress: string;
  /** Probes come from there, and capture leaves them alone. */
  readonly probeSource: string;
  /** cluster.local */
  readonly zone: string;
}

export interface FabricPod {
  readonly captured: boolean;
  /** Ports that a program without a preload listens on, and where on this machine it was told to. */
  readonly mapped?: Readonly<Record<string, Endpoint>>;
}

export interface Frontend {
  /** Kubernetes: sessionAffinity ClientIP. */
  readonly sticky: boolean;
  readonly endpoints: readonly Endpoint[];
}

export type ServicePart = Pick<FabricTable, 'frontends' | 'names' | 'standIns'>;

export const NO_SERVICES: ServicePart = { frontends: {}, names: {}, standIns: {} };

/** Decides by the same rules as the kernel's table of the `netns` sandbox; UDP is not carried. */
export function servicePart(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  view: DnsView,
  network: ServiceNetwork,
): ServicePart {
  return {
    frontends: frontends(serviceRules(services, slices, network)),
    names: names(services, view),
    standIns: standIns(services, view),
  };
}

function frontends(rules: ReturnType<typeof serviceRules>): Record<string, Frontend> {
  const found: Record<string, Frontend> = {};
  for (const [key, chain] of rules.frontends) {
    const [address, protocol, port] = key.split(' . ');
    if (protocol !== 'tcp') continue;
    const endpoints: Endpoint[] = [];
    for (let index = 0; ; index++) {
      const backend = rules.backends.get(`${key} . ${index}`);
      if (backend === undefined) break;
      const [ip = '', target] = backend.split(' . ');
      endpoints.push({ address: ip, port: Number(target) });
    }
    found[`${address}:${port}`] = { sticky: chain.startsWith('by-client-'), endpoints };
  }
  return found;
}

function names(services: readonly Service[], view: DnsView): Record<string, Record<string, DnsService>> {
  const found: Record<string, Record<string, DnsService>> = {};
  const add = (namespace: string, name: string): void => {
    const service = view.service(namespace, name);
    if (service === undefined) return;
    found[namespace] ??= {};
    found[namespace][name] = service;
  };
  add('default', 'kubernetes');
  for (const { metadata } of services) add(metadata?.namespace ?? 'default', metadata?.name ?? '');
  return found;
}

function standIns(services: readonly Service[], view: DnsView): Record<string, DnsService> {
  const claimed = new Set(services.flatMap(externalNames));
  return Object.fromEntries(
    [...claimed].flatMap((name) => {
      const service = view.standIn(name);
      return service === undefined ? [] : [[name, service]];
    }),
  );
}

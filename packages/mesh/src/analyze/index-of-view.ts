// The view, arranged for look-ups: every reference that a rule makes is resolved here, in the compiler's own way.
import { type DestinationRule, destinationRuleFor, toDestinationRule } from '../config/destination-rule.ts';
import { type Gateway, toGateway } from '../config/gateway.ts';
import { covers, isWildcard, resolveHost } from '../config/host-names.ts';
import { toVirtualService, type VirtualService } from '../config/virtual-service.ts';
import type { PodObject } from '../inject/workload.ts';
import { CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '../install/addresses.ts';
import { type Service, toService } from '../registry/service.ts';
import type { View } from './finding.ts';

export class ViewIndex {
  readonly view: View;
  readonly services: readonly Service[];
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly gateways: ReadonlyMap<string, Gateway>;
  /** Pods that have not finished. */
  readonly pods: readonly PodObject[];
  readonly #byHost: ReadonlyMap<string, Service>;

  constructor(view: View) {
    this.view = view;
    this.services = (view.services ?? [])
      .map((object) => toService(object, CLUSTER_DOMAIN))
      .filter((service) => service !== undefined);
    this.#byHost = new Map(this.services.map((service) => [service.hostname, service]));
    this.virtualServices = (view.virtualServices ?? []).map((object) => toVirtualService(object, CLUSTER_DOMAIN));
    this.destinationRules = (view.destinationRules ?? []).map((object) => toDestinationRule(object, CLUSTER_DOMAIN));
    this.gateways = new Map((view.gateways ?? []).map(toGateway).map((gateway) => [gateway.id, gateway]));
    this.pods = (view.pods ?? []).filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  }

  fqdn(host: string, namespace: string): string {
    return resolveHost(host, namespace, CLUSTER_DOMAIN);
  }

  service(fqdn: string): Service | undefined {
    return this.#byHost.get(fqdn);
  }

  /** Whether a host of a rule, perhaps with a wildcard, stands for any service. */
  anyService(fqdn: string): boolean {
    return isWildcard(fqdn) ? this.services.some(({ hostname }) => covers(fqdn, hostname)) : this.#byHost.has(fqdn);
  }

  /** Services that a mistaken host may have meant: those of that name, wherever they are. */
  candidates(host: string): string[] {
    const name = host.split('.', 1)[0];
    return this.services.filter((service) => service.name === name).map(({ hostname }) => hostname);
  }

  destinationRule(service: Service, clientNamespace: string): DestinationRule | undefined {
    return destinationRuleFor(this.destinationRules, service.hostname, {
      client: clientNamespace,
      service: service.namespace,
      root: SYSTEM_NAMESPACE,
    });
  }

  podsOf(service: Service): PodObject[] {
    const { selector } = service;
    if (selector === undefined) return [];
    return this.pods.filter(
      (pod) => pod.metadata?.namespace === service.namespace && hasLabels(pod.metadata.labels, selector),
    );
  }
}

export function hasLabels(
  labels: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}

export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

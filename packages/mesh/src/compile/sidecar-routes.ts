// RDS for sidecars: one configuration a port that says HTTP, one a service for a port that is sniffed
// [istio httproute.go buildSidecarOutboundHTTPRouteConfig].
import { create } from '@bufbuild/protobuf';
import type { VirtualHostSchema } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { type RouteConfiguration, RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { covers, isWildcard, moreSpecific } from '../config/host-names.ts';
import { MESH_GATEWAY, type VirtualService } from '../config/virtual-service.ts';
import { visibleIn } from '../config/visibility.ts';
import { isHttp } from '../registry/protocol.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Init, ZERO_DURATION } from './messages.ts';
import { outboundCluster, outboundRoutes, PASSTHROUGH_CLUSTER } from './names.ts';
import { DEFAULT_RETRY_POLICY } from './retry-policy.ts';
import { CATCH_ALL } from './route-match.ts';
import { type RouteInit, virtualServiceRoutes } from './virtual-service-routes.ts';
import { type View, visibleServices } from './visible-services.ts';

type VirtualHostInit = Init<typeof VirtualHostSchema>;

/** The port a rule for a host that is no service of ours is taken to mean. */
const DEFAULT_HTTP_PORT = 80;
/** Istio's bound on a direct response's body. */
export const MAX_DIRECT_RESPONSE_BYTES = 1024 * 1024;

export interface SidecarRouteScope extends View {
  readonly labels: Readonly<Record<string, string>>;
}

export function sidecarRoutes(snapshot: Snapshot, scope: SidecarRouteScope): RouteConfiguration[] {
  const services = visibleServices(snapshot, scope);
  const rules = new MeshRules(snapshot, services, scope.namespace);
  const shared = new Map<number, { service: Service; port: ServicePort }[]>();
  const sniffed: { service: Service; port: ServicePort }[] = [];
  for (const service of services) {
    for (const port of service.ports) {
      if (isHttp(port.protocol)) shared.set(port.number, []);
      if (port.protocol === 'auto') sniffed.push({ service, port });
    }
  }
  // A sniffed port's service is known by the shared configuration of that number too: a client may reach it by a
  // destination that another service's listener has taken.
  for (const service of services)
    for (const port of service.ports)
      if (isHttp(port.protocol) || port.protocol === 'auto') shared.get(port.number)?.push({ service, port });

  const configurations: RouteConfiguration[] = [];
  for (const [port, members] of shared) configurations.push(sharedConfiguration(snapshot, scope, rules, port, members));
  for (const { service, port } of sniffed) {
    // The listener is the service's own address, so whatever the Host header says is meant for it.
    const virtualHost = { ...serviceVirtualHost(snapshot, scope, rules, service, port), domains: ['*'] };
    const name = outboundRoutes(service.hostname, port.number, port.protocol);
    configurations.push(configuration(name, [virtualHost]));
  }
  return configurations;
}

function sharedConfiguration(
  snapshot: Snapshot,
  scope: SidecarRouteScope,
  rules: MeshRules,
  port: number,
  members: readonly { service: Service; port: ServicePort }[],
): RouteConfiguration {
  const virtualHosts = members.map((member) => serviceVirtualHost(snapshot, scope, rules, member.service, member.port));
  if (port === DEFAULT_HTTP_PORT)
    for (const { host, rule } of rules.foreignHosts) virtualHosts.push(foreignVirtualHost(snapshot, scope, host, rule));
  virtualHosts.push(catchAllVirtualHost(snapshot));
  return configuration(String(port), withoutDuplicateDomains(virtualHosts));
}

function configuration(name: string, virtualHosts: VirtualHostInit[]): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts,
    // A route to a cluster that is not there is answered 503; it must not make the proxy refuse all the others.
    validateClusters: false,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES,
  });
}

function serviceVirtualHost(
  snapshot: Snapshot,
  scope: SidecarRouteScope,
  rules: MeshRules,
  service: Service,
  port: ServicePort,
): VirtualHostInit {
  const rule = rules.forService(service.hostname);
  const routes = rule === undefined ? [] : meshRoutes(snapshot, scope, rule, port.number);
  return {
    name: `${service.hostname}:${port.number}`,
    domains: serviceDomains(service, port.number, scope.namespace),
    // A rule none of whose entries is for this caller and port leaves the service as if there were no rule
    // [istio BuildHTTPRoutesForVirtualService: "no routes matched"].
    routes: routes.length === 0 ? [defaultRoute(service, port)] : routes,
    includeRequestAttemptCount: true,
  };
}

function foreignVirtualHost(
  snapshot: Snapshot,
  scope: SidecarRouteScope,
  host: string,
  rule: VirtualService,
): VirtualHostInit {
  return {
    name: `${host}:${DEFAULT_HTTP_PORT}`,
    domains: isWildcard(host) ? [host] : [host, `${host}:${DEFAULT_HTTP_PORT}`],
    routes: meshRoutes(snapshot, scope, rule, DEFAULT_HTTP_PORT),
    includeRequestAttemptCount: true,
  };
}

function meshRoutes(snapshot: Snapshot, scope: SidecarRouteScope, rule: VirtualService, port: number): RouteInit[] {
  return virtualServiceRoutes(snapshot, rule, { ...scope, gateways: new Set([MESH_GATEWAY]), port });
}

function defaultRoute(service: Service, port: ServicePort): RouteInit {
  return {
    name: 'default',
    match: CATCH_ALL,
    decorator: { operation: `${service.hostname}:${port.number}/*` },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: outboundCluster(port.number, '', service.hostname) },
        timeout: ZERO_DURATION,
        maxStreamDuration: { grpcTimeoutHeaderMax: ZERO_DURATION },
        retryPolicy: DEFAULT_RETRY_POLICY,
      },
    },
  };
}

/** Every name a client in `namespace` may call a service by, with and without the port. */
function serviceDomains(service: Service, port: number, namespace: string): string[] {
  const { hostname, name, namespace: home } = service;
  const names = [hostname, `${hostname}.`, `${name}.${home}.svc`, `${name}.${home}`];
  if (home === namespace) names.push(name);
  names.push(...service.clusterIps.map((address) => (address.includes(':') ? `[${address}]` : address)));
  // The pods of a headless service have names of their own, below the service's.
  if (service.headless) names.push(...names.map((domain) => `*.${domain}`));
  return names.flatMap((domain) => [domain, `${domain}:${port}`]);
}

/** What goes nowhere we know of: out as it came, or refused. */
function catchAllVirtualHost(snapshot: Snapshot): VirtualHostInit {
  if (snapshot.mesh.outboundPolicy === 'REGISTRY_ONLY')
    return {
      name: 'block_all',
      domains: ['*'],
      routes: [{ name: 'block_all', match: CATCH_ALL, action: { case: 'directResponse', value: { status: 502 } } }],
      includeRequestAttemptCount: true,
    };
  return {
    name: 'allow_any',
    domains: ['*'],
    routes: [
      {
        name: 'allow_any',
        match: CATCH_ALL,
        action: {
          case: 'route',
          value: {
            clusterSpecifier: { case: 'cluster', value: PASSTHROUGH_CLUSTER },
            timeout: ZERO_DURATION,
            maxStreamDuration: { grpcTimeoutHeaderMax: ZERO_DURATION },
          },
        },
      },
    ],
    includeRequestAttemptCount: true,
  };
}

/** Envoy refuses a configuration in which a domain stands twice; the first keeps it. */
function withoutDuplicateDomains(virtualHosts: readonly VirtualHostInit[]): VirtualHostInit[] {
  const taken = new Set<string>();
  const kept: VirtualHostInit[] = [];
  for (const virtualHost of virtualHosts) {
    const domains = (virtualHost.domains ?? []).filter((domain) => !taken.has(domain));
    for (const domain of domains) taken.add(domain);
    if (domains.length > 0) kept.push({ ...virtualHost, domains });
  }
  return kept;
}

/** Which VirtualService holds for which host inside the mesh: the narrowest host wins, of equals the oldest rule. */
class MeshRules {
  /** Hosts of rules that are no service here. */
  readonly foreignHosts: { readonly host: string; readonly rule: VirtualService }[] = [];
  readonly #exact = new Map<string, VirtualService>();
  readonly #wildcards: { host: string; rule: VirtualService }[] = [];

  constructor(snapshot: Snapshot, services: readonly Service[], namespace: string) {
    const foreign = new Set<string>();
    for (const rule of snapshot.virtualServices) {
      if (!rule.gateways.includes(MESH_GATEWAY) || !visibleIn(rule.exportTo, rule.namespace, namespace)) continue;
      for (const host of rule.hosts) {
        if (isWildcard(host)) this.#wildcards.push({ host, rule });
        else if (!this.#exact.has(host)) this.#exact.set(host, rule);
        if (foreign.has(host) || services.some((service) => covers(host, service.hostname))) continue;
        foreign.add(host);
        this.foreignHosts.push({ host, rule });
      }
    }
    this.#wildcards.sort((a, b) => moreSpecific(a.host, b.host));
  }

  forService(hostname: string): VirtualService | undefined {
    return this.#exact.get(hostname) ?? this.#wildcards.find(({ host }) => covers(host, hostname))?.rule;
  }
}

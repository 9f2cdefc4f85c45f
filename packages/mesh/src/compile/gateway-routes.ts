// RDS for gateways: the rules bound to the Gateways of a port, joined by host [istio core/gateway.go].
import { create } from '@bufbuild/protobuf';
import type { VirtualHostSchema } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { type RouteConfiguration, RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { parseServerHost } from '../config/gateway.ts';
import { intersection } from '../config/host-names.ts';
import type { VirtualService } from '../config/virtual-service.ts';
import { visibleIn } from '../config/visibility.ts';
import type { Workload } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import { type GatewayPort, gatewayPorts } from './gateway-servers.ts';
import type { Init } from './messages.ts';
import { gatewayRoutes } from './names.ts';
import { isCatchAll } from './route-match.ts';
import { MAX_DIRECT_RESPONSE_BYTES } from './sidecar-routes.ts';
import { type RouteInit, virtualServiceRoutes } from './virtual-service-routes.ts';

export function gatewayRouteConfigurations(snapshot: Snapshot, workload: Workload): RouteConfiguration[] {
  return gatewayPorts(snapshot, workload).map((port) =>
    create(RouteConfigurationSchema, {
      name: gatewayRoutes(port.number),
      virtualHosts: virtualHosts(snapshot, workload, port),
      validateClusters: false,
      // Clients outside name the port they were told, which is not the one we listen on.
      ignorePortInHostMatching: true,
      maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES,
    }),
  );
}

function virtualHosts(snapshot: Snapshot, workload: Workload, port: GatewayPort): Init<typeof VirtualHostSchema>[] {
  const routesByHost = new Map<string, { serverPort: number; routes: RouteInit[]; rules: Set<VirtualService> }>();
  for (const { gateway, server } of port.servers) {
    for (const rule of snapshot.virtualServices) {
      if (!rule.gateways.includes(gateway.id) || !visibleIn(rule.exportTo, rule.namespace, workload.namespace))
        continue;
      for (const host of commonHosts(server.hosts, gateway.namespace, rule)) {
        const entry = routesByHost.get(host) ?? { serverPort: server.port.number, routes: [], rules: new Set() };
        routesByHost.set(host, entry);
        // Two servers may offer one host; the rule's routes are needed once.
        if (entry.rules.has(rule)) continue;
        entry.rules.add(rule);
        const scope = { namespace: workload.namespace, labels: workload.labels, port: server.port.number };
        entry.routes.push(...virtualServiceRoutes(snapshot, rule, { ...scope, gateways: new Set([gateway.id]) }));
      }
    }
  }
  // Nothing is bound: everything gets 404, which tells a client that the gateway is there.
  if (routesByHost.size === 0) return [{ name: `blackhole:${port.number}`, domains: ['*'] }];
  return [...routesByHost].map(([host, { serverPort, routes }]) => ({
    name: `${host}:${serverPort}`,
    domains: [host],
    routes: catchAllsLast(routes),
    includeRequestAttemptCount: true,
  }));
}

/** Hosts that a server offers and a rule is for; the narrower of two that overlap. */
function commonHosts(serverHosts: readonly string[], gatewayNamespace: string, rule: VirtualService): Set<string> {
  const hosts = new Set<string>();
  for (const text of serverHosts) {
    const { namespace, host } = parseServerHost(text, gatewayNamespace);
    if (namespace !== '*' && namespace !== rule.namespace) continue;
    for (const ruleHost of rule.hosts) {
      const common = intersection(host, ruleHost);
      if (common !== undefined) hosts.add(common);
    }
  }
  return hosts;
}

/** Rules of several objects for one host come in the order of their age, but none may shut out the ones after it. */
function catchAllsLast(routes: readonly RouteInit[]): RouteInit[] {
  const last = routes.filter(({ match }) => isCatchAll(match!));
  return [...routes.filter(({ match }) => !isCatchAll(match!)), ...last];
}

// Which Gateway servers a gateway proxy carries, by the port it listens on for them [istio gateway.go MergeGateways].
import { type Gateway, gatewaySelects } from '../config/gateway.ts';
import type { GatewayServer } from '../config/istio-types.ts';
import { selects, type Workload } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';

export interface GatewayPort {
  /** What the proxy listens on: the gateway service's targetPort for the servers' port. */
  readonly number: number;
  readonly servers: { readonly gateway: Gateway; readonly server: GatewayServer }[];
}

/** Protocols of servers that are HTTP in the clear. */
const HTTP_PROTOCOLS = new Set(['HTTP', 'HTTP2', 'GRPC']);

export function gatewayPorts(snapshot: Snapshot, workload: Workload): GatewayPort[] {
  const ports = new Map<number, GatewayPort>();
  for (const gateway of snapshot.gateways) {
    if (!gatewaySelects(gateway, workload.labels)) continue;
    for (const server of gateway.servers) {
      if (!HTTP_PROTOCOLS.has(server.port.protocol.toUpperCase())) continue;
      const number = listenPort(snapshot, workload, server.port.number);
      const port = ports.get(number) ?? { number, servers: [] };
      port.servers.push({ gateway, server });
      ports.set(number, port);
    }
  }
  return [...ports.values()].toSorted((a, b) => a.number - b.number);
}

/** A Gateway names the port that clients use; the pod listens where the service in front of it sends that. */
function listenPort(snapshot: Snapshot, workload: Workload, serverPort: number): number {
  for (const service of snapshot.services) {
    if (service.namespace !== workload.namespace || !selects(service.selector, workload.labels)) continue;
    const port = service.ports.find(({ number }) => number === serverPort);
    if (port === undefined) continue;
    if (typeof port.targetPort === 'number') return port.targetPort;
    return workload.namedPorts.get(port.targetPort) ?? serverPort;
  }
  return serverPort;
}

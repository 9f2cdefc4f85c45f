// LDS, what a sidecar's application sends [istio listener.go buildSidecarOutboundListeners]. Only virtualOutbound
// binds; it hands each connection to the listener whose address is the original destination.
import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import { type Listener, ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { PROXY_PORTS } from '../install/addresses.ts';
import { isHttp } from '../registry/protocol.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import type { Snapshot } from '../snapshot.ts';
import { readyEndpoints } from './endpoints.ts';
import { inspectors, plaintextHttp } from './listener-filters.ts';
import { socketAddress, ZERO_DURATION } from './messages.ts';
import {
  BLACK_HOLE_CLUSTER,
  listenerName,
  outboundCluster,
  outboundRoutes,
  PASSTHROUGH_CLUSTER,
  VIRTUAL_OUTBOUND,
} from './names.ts';
import { httpConnectionManager, tcpProxy } from './network-filters.ts';
import { sharedBy } from './shared.ts';
import { tcpPorts, type View, visibleServices } from './visible-services.ts';

const ANY_ADDRESS = '0.0.0.0';

export function outboundListeners(snapshot: Snapshot, view: View): Listener[] {
  const shared = sharedBy(snapshot);
  const listeners = new Map<string, Listener>();
  for (const service of visibleServices(snapshot, view)) {
    for (const port of tcpPorts(service)) {
      if (isHttp(port.protocol)) {
        const key = ['http listener', port.number, view.http2];
        const listener = shared(key, () => httpListener(snapshot, port.number, view.http2));
        listeners.set(listener.name, listener);
        continue;
      }
      for (const address of addresses(snapshot, service, port)) {
        // The oldest service has it: two headless ones may stand for the same pods.
        if (listeners.has(listenerName(address, port.number))) continue;
        const key = ['listener', service.hostname, port.number, address, view.http2];
        const listener = shared(key, () => addressListener(snapshot, service, port, address, view.http2));
        listeners.set(listener.name, listener);
      }
    }
  }
  return [...listeners.values(), virtualOutbound(snapshot)];
}

/** A headless service's clients go to its pods' own addresses. */
function addresses(snapshot: Snapshot, service: Service, port: ServicePort): readonly string[] {
  if (!service.headless) return service.clusterIps;
  return readyEndpoints(snapshot, service, port).map(({ address }) => address);
}

function virtualOutbound(snapshot: Snapshot): Listener {
  return create(ListenerSchema, {
    name: VIRTUAL_OUTBOUND,
    address: socketAddress(ANY_ADDRESS, PROXY_PORTS.outbound),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    filterChains: [
      // Without this, a client that calls port 15001 itself would be sent round in circles.
      {
        name: 'virtualOutbound-trafficloop',
        filterChainMatch: { destinationPort: PROXY_PORTS.outbound },
        filters: [tcpProxy(snapshot.mesh, BLACK_HOLE_CLUSTER)],
      },
    ],
    defaultFilterChain: {
      name: 'virtualOutbound-catchall-tcp',
      filters: [tcpProxy(snapshot.mesh, unknownDestination(snapshot))],
    },
  });
}

/** Where a connection goes whose destination no service has. */
function unknownDestination(snapshot: Snapshot): string {
  return snapshot.mesh.outboundPolicy === 'REGISTRY_ONLY' ? BLACK_HOLE_CLUSTER : PASSTHROUGH_CLUSTER;
}

/** All HTTP on one port number, whatever the address: the Host header tells the services apart. */
function httpListener(snapshot: Snapshot, port: number, http2: boolean): Listener {
  const name = listenerName(ANY_ADDRESS, port);
  const manager = httpConnectionManager(snapshot.mesh, {
    statPrefix: `outbound_${name}`,
    routes: { kind: 'rds', name: String(port) },
    side: 'outbound',
  });
  return create(ListenerSchema, {
    name,
    address: socketAddress(ANY_ADDRESS, port),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: inspectors(),
    // Waiting for the first bytes has no end: HTTP clients speak first.
    listenerFiltersTimeout: ZERO_DURATION,
    filterChains: [{ filterChainMatch: plaintextHttp(http2), filters: [manager] }],
    // The wildcard address catches other programs' ports too, so what is not HTTP goes where it was going.
    defaultFilterChain: {
      name: 'PassthroughFilterChain',
      filters: [tcpProxy(snapshot.mesh, unknownDestination(snapshot))],
    },
  });
}

/** One address and port: TCP, or either when the port does not say. */
function addressListener(
  snapshot: Snapshot,
  service: Service,
  port: ServicePort,
  address: string,
  http2: boolean,
): Listener {
  const name = listenerName(address, port.number);
  const toService = tcpProxy(snapshot.mesh, outboundCluster(port.number, '', service.hostname));
  const common = {
    name,
    address: socketAddress(address, port.number),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
  };
  if (port.protocol !== 'auto') return create(ListenerSchema, { ...common, filterChains: [{ filters: [toService] }] });
  const manager = httpConnectionManager(snapshot.mesh, {
    statPrefix: `outbound_${name}`,
    routes: { kind: 'rds', name: outboundRoutes(service.hostname, port.number, port.protocol) },
    side: 'outbound',
  });
  return create(ListenerSchema, {
    ...common,
    listenerFilters: inspectors(),
    listenerFiltersTimeout: ZERO_DURATION,
    filterChains: [{ filterChainMatch: plaintextHttp(http2), filters: [manager] }],
    defaultFilterChain: { filters: [toService] },
  });
}

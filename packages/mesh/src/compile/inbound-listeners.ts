// LDS, what comes to a sidecar's application: one listener, a filter chain a port [istio listener_inbound.go].
import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { FilterChainSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import { type Listener, ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { PROXY_PORTS } from '../install/addresses.ts';
import { isHttp } from '../registry/protocol.ts';
import type { Snapshot } from '../snapshot.ts';
import { type InboundPort, inboundPorts } from './inbound-ports.ts';
import { inspectors, ORIGINAL_DST, plaintextHttp } from './listener-filters.ts';
import { type Init, socketAddress, ZERO_DURATION } from './messages.ts';
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, inboundCluster, VIRTUAL_INBOUND } from './names.ts';
import { httpConnectionManager, tcpProxy } from './network-filters.ts';
import type { MeshProxy } from './proxy.ts';
import { CATCH_ALL } from './route-match.ts';

type ChainInit = Init<typeof FilterChainSchema>;

export function inboundListener(snapshot: Snapshot, proxy: MeshProxy): Listener {
  const ports = inboundPorts(snapshot, proxy);
  const tcpOnly = ports.filter(({ protocol }) => !isHttp(protocol) && protocol !== 'auto').map(({ number }) => number);
  return create(ListenerSchema, {
    name: VIRTUAL_INBOUND,
    address: socketAddress('0.0.0.0', PROXY_PORTS.inbound),
    trafficDirection: TrafficDirection.INBOUND,
    useOriginalDst: false,
    listenerFilters: [ORIGINAL_DST, ...inspectors(tcpOnly)],
    listenerFiltersTimeout: ZERO_DURATION,
    filterChains: [
      loopGuard(snapshot),
      ...ports.flatMap((port) => portChains(snapshot, port, proxy.http2)),
      catchAllHttp(snapshot, proxy.http2),
    ],
    // Ports that no service declares are let through as they are (inbound policy PASSTHROUGH).
    defaultFilterChain: {
      name: 'virtualInbound-catchall-tcp',
      filters: [tcpProxy(snapshot.mesh, INBOUND_PASSTHROUGH_CLUSTER)],
    },
  });
}

/** A client that calls port 15006 itself would be forwarded to itself for ever. */
function loopGuard(snapshot: Snapshot): ChainInit {
  return {
    name: 'virtualInbound-blackhole',
    filterChainMatch: { destinationPort: PROXY_PORTS.inbound },
    filters: [tcpProxy(snapshot.mesh, BLACK_HOLE_CLUSTER)],
  };
}

function portChains(snapshot: Snapshot, port: InboundPort, http2: boolean): ChainInit[] {
  const cluster = inboundCluster(port.number);
  const match = { destinationPort: port.number };
  const tcp: ChainInit = { name: cluster, filterChainMatch: match, filters: [tcpProxy(snapshot.mesh, cluster)] };
  if (!isHttp(port.protocol) && port.protocol !== 'auto') return [tcp];
  const operation = `${port.service.hostname}:${port.servicePort}/*`;
  const http: ChainInit = {
    name: cluster,
    filterChainMatch:
      port.protocol === 'auto' ? { ...match, ...plaintextHttp(http2) } : { ...match, transportProtocol: 'raw_buffer' },
    filters: [httpFilter(snapshot, cluster, operation, port.number)],
  };
  // A sniffed port takes whatever else comes as bytes.
  return port.protocol === 'auto' ? [http, { ...tcp, name: `${cluster}-tcp` }] : [http];
}

function catchAllHttp(snapshot: Snapshot, http2: boolean): ChainInit {
  return {
    name: 'virtualInbound-catchall-http',
    filterChainMatch: plaintextHttp(http2),
    filters: [httpFilter(snapshot, INBOUND_PASSTHROUGH_CLUSTER, ':0/*', 0)],
  };
}

function httpFilter(snapshot: Snapshot, cluster: string, operation: string, port: number) {
  return httpConnectionManager(snapshot.mesh, {
    statPrefix: port === 0 ? cluster : `inbound_0.0.0.0_${port}`,
    routes: { kind: 'inline', config: inboundRoutes(cluster, operation, port) },
    side: 'inbound',
  });
}

function inboundRoutes(cluster: string, operation: string, port: number): Init<typeof RouteConfigurationSchema> {
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      {
        name: `inbound|http|${port}`,
        domains: ['*'],
        routes: [
          {
            name: 'default',
            match: CATCH_ALL,
            decorator: { operation },
            action: {
              case: 'route',
              value: {
                clusterSpecifier: { case: 'cluster', value: cluster },
                timeout: ZERO_DURATION,
                maxStreamDuration: { grpcTimeoutHeaderMax: ZERO_DURATION },
                // The application's kept-alive connection may close under a request it has not begun to read
                // [istio DefaultInboundHttpRetryPolicy].
                retryPolicy: { retryOn: 'reset-before-request', numRetries: 2 },
              },
            },
          },
        ],
      },
    ],
  };
}

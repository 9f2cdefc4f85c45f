// Everything one proxy gets, from one snapshot. Pure: equal input gives equal output, and what proxies have in common is
// computed once a snapshot and shared, so that it is also encoded once.
import type { Cluster } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Listener } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfiguration } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import type { Workload } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import { inboundClusters, outboundClusters } from './clusters.ts';
import { outboundEndpoints } from './endpoints.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { gatewayRouteConfigurations } from './gateway-routes.ts';
import { inboundListener } from './inbound-listeners.ts';
import { outboundListeners } from './outbound-listeners.ts';
import type { MeshProxy } from './proxy.ts';
import { type Shared, sharedBy } from './shared.ts';
import { sidecarRoutes } from './sidecar-routes.ts';

export interface CompiledProxy {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterLoadAssignment[];
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
}

export function compile(snapshot: Snapshot, proxy: MeshProxy): CompiledProxy {
  const { workload } = proxy;
  const { namespace } = workload;
  const view = { namespace, http2: proxy.http2 };
  const shared = sharedBy(snapshot);
  const scope = { ...view, marked: proxy.type === 'sidecar' };
  const outbound = shared(['clusters', scope], () => outboundClusters(snapshot, scope));
  const endpoints = shared(['endpoints', scope], () => outboundEndpoints(snapshot, scope));
  if (proxy.type === 'router')
    return {
      clusters: outbound,
      endpoints,
      listeners: gatewayListeners(snapshot, workload),
      routes: gatewayRouteConfigurations(snapshot, workload),
    };
  const labels = labelsThatMatter(snapshot, shared, workload.labels);
  const listeners = shared(['listeners', view], () => outboundListeners(snapshot, view));
  return {
    clusters: [...outbound, ...inboundClusters(snapshot, proxy)],
    endpoints,
    listeners: [...listeners, inboundListener(snapshot, proxy)],
    routes: shared(['routes', view, labels], () => sidecarRoutes(snapshot, { ...view, labels })),
  };
}

/** Rules may ask for the caller's labels (HTTPMatchRequest.sourceLabels); the others need not tell proxies apart. */
function labelsThatMatter(snapshot: Snapshot, shared: Shared, labels: Workload['labels']): Record<string, string> {
  const asked = shared(['labels asked for'], () => {
    const matches = snapshot.virtualServices.flatMap(({ http }) => http.flatMap(({ match }) => match ?? []));
    return new Set(matches.flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {})));
  });
  const pairs = Object.entries(labels).filter(([key]) => asked.has(key));
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

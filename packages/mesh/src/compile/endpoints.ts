// EDS: the ready addresses of each service port, and of each subset those whose pod carries its labels.
import { create } from '@bufbuild/protobuf';
import type { LbEndpointSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Subset } from '../config/istio-types.ts';
import type { Endpoint } from '../registry/endpoint.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import { selects, type Workload } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import type { OutboundScope } from './clusters.ts';
import { type Init, istioMetadata, socketAddress } from './messages.ts';
import { outboundCluster } from './names.ts';
import { sharedBy } from './shared.ts';
import { tcpPorts, visibleServices } from './visible-services.ts';

const CLUSTER_ID = 'Kubernetes';

/** One assignment for each EDS cluster of the scope, empty ones too: a cluster waits for its assignment. */
export function outboundEndpoints(snapshot: Snapshot, scope: OutboundScope): ClusterLoadAssignment[] {
  const shared = sharedBy(snapshot);
  return visibleServices(snapshot, scope).flatMap((service) => {
    // Its clusters go to the original destination; see clusters.ts.
    if (service.headless && scope.marked) return [];
    const rule = snapshot.destinationRule(service, scope.namespace);
    const key = ['endpoints of', service.hostname, rule?.id];
    return shared(key, () => serviceEndpoints(snapshot, service, rule?.subsets ?? []));
  });
}

function serviceEndpoints(snapshot: Snapshot, service: Service, subsets: readonly Subset[]): ClusterLoadAssignment[] {
  return tcpPorts(service).flatMap((port) => {
    const ready = readyEndpoints(snapshot, service, port);
    const cluster = (subset: string) => outboundCluster(port.number, subset, service.hostname);
    return [
      assignment(cluster(''), ready),
      ...subsets.map(({ name, labels }) => assignment(cluster(name), membersOf(ready, labels ?? {}))),
    ];
  });
}

/** A subset without labels is all of the service. */
function membersOf(endpoints: readonly Endpoint[], labels: Workload['labels']): readonly Endpoint[] {
  if (Object.keys(labels).length === 0) return endpoints;
  return endpoints.filter(({ workload }) => workload !== undefined && selects(labels, workload.labels));
}

export function readyEndpoints(snapshot: Snapshot, service: Service, port: ServicePort): Endpoint[] {
  return snapshot
    .endpoints(service)
    .filter((endpoint) => endpoint.portName === port.name && (endpoint.ready || service.publishNotReady));
}

function assignment(clusterName: string, endpoints: readonly Endpoint[]): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints:
      endpoints.length === 0
        ? []
        : [{ locality: {}, loadBalancingWeight: endpoints.length, lbEndpoints: endpoints.map(lbEndpoint) }],
  });
}

function lbEndpoint({ address, port, workload }: Endpoint): Init<typeof LbEndpointSchema> {
  return {
    hostIdentifier: { case: 'endpoint', value: { address: socketAddress(address, port) } },
    loadBalancingWeight: 1,
    ...(workload === undefined
      ? {}
      : {
          metadata: istioMetadata({
            // Read by telemetry for calls whose peer sends no metadata of its own [istio util.BuildLbEndpointMetadata].
            workload: [
              workload.workloadName,
              workload.namespace,
              workload.canonicalName,
              workload.canonicalRevision,
              CLUSTER_ID,
            ].join(';'),
          }),
        }),
  };
}

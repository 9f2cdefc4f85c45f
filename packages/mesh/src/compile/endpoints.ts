// EDS: the ready addresses of each service port, and of each subset those whose pod carries its labels.
import { create } from '@bufbuild/protobuf';
import type { LbEndpointSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Endpoint } from '../registry/endpoint.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import { selects } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Init, istioMetadata, socketAddress } from './messages.ts';
import { outboundCluster } from './names.ts';
import { tcpPorts, type View, visibleServices } from './visible-services.ts';

const CLUSTER_ID = 'Kubernetes';

/** One assignment for each EDS cluster of the view, empty ones too: a cluster waits for its assignment. */
export function outboundEndpoints(snapshot: Snapshot, view: View): ClusterLoadAssignment[] {
  const assignments: ClusterLoadAssignment[] = [];
  for (const service of visibleServices(snapshot, view)) {
    // Its clusters go to the original destination; see clusters.ts.
    if (service.headless) continue;
    const subsets = snapshot.destinationRule(service, view.namespace)?.subsets ?? [];
    for (const port of tcpPorts(service)) {
      const ready = readyEndpoints(snapshot, service, port);
      assignments.push(assignment(outboundCluster(port.number, '', service.hostname), ready));
      for (const subset of subsets) {
        // A subset without labels is all of the service.
        const labels = subset.labels ?? {};
        const members =
          Object.keys(labels).length === 0
            ? ready
            : ready.filter(({ workload }) => workload !== undefined && selects(labels, workload.labels));
        assignments.push(assignment(outboundCluster(port.number, subset.name, service.hostname), members));
      }
    }
  }
  return assignments;
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

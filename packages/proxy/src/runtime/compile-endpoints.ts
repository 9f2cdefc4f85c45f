// endpoint.v3.ClusterLoadAssignment as a list of endpoints.

import { isIP } from 'node:net';
import type { Problems } from '@varka/decide/problems.ts';
import { HealthStatus } from '@varka/xds/gen/envoy/config/core/v3/health_check_pb.ts';
import type {
  LbEndpoint,
  LocalityLbEndpoints,
} from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import type { ClusterLoadAssignment } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { EndpointSpec } from '../upstream/cluster-spec.ts';
import { readAddress } from './addresses.ts';

/** EDS and STATIC name addresses, the DNS kinds names (Envoy: "malformed IP address"). */
export type AddressKind = 'ip' | 'name';

const HEALTHY: ReadonlySet<number> = new Set([HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED]);

export function compileEndpoints(
  assignment: ClusterLoadAssignment,
  kind: AddressKind,
  problems: Problems,
): readonly EndpointSpec[] {
  problems.unsupported('named_endpoints', Object.keys(assignment.namedEndpoints).length > 0);
  problems.unsupported('policy.drop_overloads', (assignment.policy?.dropOverloads.length ?? 0) > 0);
  const endpoints: EndpointSpec[] = [];
  for (const [i, locality] of assignment.endpoints.entries()) {
    const at = problems.at(`endpoints[${i}]`);
    for (const [j, endpoint] of listed(locality, at).entries()) {
      const spec = compileEndpoint(endpoint, locality.priority, kind, at.at(`lb_endpoints[${j}]`));
      if (spec !== undefined) endpoints.push(spec);
    }
  }
  return endpoints;
}

function listed(locality: LocalityLbEndpoints, problems: Problems): readonly LbEndpoint[] {
  const { lbConfig } = locality;
  if (lbConfig.case === 'loadBalancerEndpoints') return lbConfig.value.lbEndpoints;
  problems.unsupported('leds_cluster_locality_config', lbConfig.case === 'ledsClusterLocalityConfig');
  return locality.lbEndpoints;
}

function compileEndpoint(
  endpoint: LbEndpoint,
  priority: number,
  kind: AddressKind,
  problems: Problems,
): EndpointSpec | undefined {
  const identifier = endpoint.hostIdentifier;
  if (identifier.case !== 'endpoint') {
    problems.add('endpoint is missing');
    return undefined;
  }
  const address = readAddress(identifier.value.address, problems.at('endpoint.address'));
  if (address === undefined) return undefined;
  if (kind === 'ip' && isIP(address.address) === 0) {
    const hint = "Consider setting the cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";
    problems.at('endpoint.address').add(`malformed IP address: ${address.address}. ${hint}`);
  }
  const weight = endpoint.loadBalancingWeight ?? 1;
  if (weight < 1) problems.add('load_balancing_weight must be at least 1');
  return { ...address, weight, healthy: HEALTHY.has(endpoint.healthStatus), priority };
}

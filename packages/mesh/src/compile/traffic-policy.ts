// A DestinationRule's trafficPolicy as cluster fields [istio cluster_traffic_policy.go].
import type { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { Cluster_LbPolicy } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { ConnectionPool, OutlierDetection, TrafficPolicy } from '../config/istio-types.ts';
import type { MeshConfig } from '../config/mesh-config.ts';
import { duration, type Init } from './messages.ts';

type ClusterInit = Init<typeof ClusterSchema>;

const UINT32_MAX = 0xffffffff;

/** A subset's own policy replaces the rule's field by field; a port's replaces all of it [istio MergeTrafficPolicy]. */
export function policyFor(
  rule: TrafficPolicy | undefined,
  subset: TrafficPolicy | undefined,
  port: number,
): TrafficPolicy {
  return portPolicy(subset, port) ?? { ...(portPolicy(rule, port) ?? rule), ...subset };
}

function portPolicy(policy: TrafficPolicy | undefined, port: number): TrafficPolicy | undefined {
  return policy?.portLevelSettings?.find((setting) => setting.port?.number === port);
}

export function trafficPolicyFields(policy: TrafficPolicy, mesh: MeshConfig): ClusterInit {
  const outlierDetection = outlierFields(policy.outlierDetection);
  return {
    connectTimeout: (duration(policy.connectionPool?.tcp?.connectTimeout) ?? duration(mesh.connectTimeout))!,
    lbPolicy: balancer(policy.loadBalancer?.simple, mesh),
    circuitBreakers: { thresholds: [thresholds(policy.connectionPool)] },
    commonLbConfig: { healthyPanicThreshold: { value: policy.outlierDetection?.minHealthPercent ?? 0 } },
    ...(outlierDetection === undefined ? {} : { outlierDetection }),
  };
}

function balancer(simple: string | undefined, mesh: MeshConfig): Cluster_LbPolicy {
  switch (simple) {
    case 'ROUND_ROBIN':
      return Cluster_LbPolicy.ROUND_ROBIN;
    case 'LEAST_REQUEST':
    case 'LEAST_CONN':
      return Cluster_LbPolicy.LEAST_REQUEST;
    case 'RANDOM':
      return Cluster_LbPolicy.RANDOM;
    default:
      return mesh.defaultLoadBalancer === 'ROUND_ROBIN' ? Cluster_LbPolicy.ROUND_ROBIN : Cluster_LbPolicy.LEAST_REQUEST;
  }
}

/** No limit where none is named: Envoy's own defaults (1024) are not Istio's. */
function thresholds(pool: ConnectionPool | undefined) {
  return {
    maxConnections: pool?.tcp?.maxConnections ?? UINT32_MAX,
    maxPendingRequests: pool?.http?.http1MaxPendingRequests ?? UINT32_MAX,
    maxRequests: pool?.http?.http2MaxRequests ?? UINT32_MAX,
    maxRetries: pool?.http?.maxRetries ?? UINT32_MAX,
  };
}

function outlierFields(outlier: OutlierDetection | undefined): ClusterInit['outlierDetection'] | undefined {
  if (outlier === undefined) return undefined;
  const interval = duration(outlier.interval);
  const baseEjectionTime = duration(outlier.baseEjectionTime);
  return {
    // Istio ejects on errors only, never on a success rate that is merely worse than the others'.
    enforcingSuccessRate: 0,
    // The setting of old: gateway errors, and those alone [istio/api OutlierDetection.consecutive_errors].
    ...(outlier.consecutiveErrors
      ? {
          ...consecutive('consecutiveGatewayFailure', 'enforcingConsecutiveGatewayFailure', outlier.consecutiveErrors),
          enforcingConsecutive5xx: 0,
        }
      : {}),
    ...consecutive('consecutive5xx', 'enforcingConsecutive5xx', outlier.consecutive5xxErrors),
    ...consecutive('consecutiveGatewayFailure', 'enforcingConsecutiveGatewayFailure', outlier.consecutiveGatewayErrors),
    ...(outlier.splitExternalLocalOriginErrors === true
      ? {
          splitExternalLocalOriginErrors: true,
          enforcingLocalOriginSuccessRate: 0,
          ...consecutive(
            'consecutiveLocalOriginFailure',
            'enforcingConsecutiveLocalOriginFailure',
            outlier.consecutiveLocalOriginFailures,
          ),
        }
      : {}),
    ...(interval === undefined ? {} : { interval }),
    ...(baseEjectionTime === undefined ? {} : { baseEjectionTime }),
    ...(outlier.maxEjectionPercent === undefined ? {} : { maxEjectionPercent: outlier.maxEjectionPercent }),
  };
}

/** A count of 0 switches a detector off. */
function consecutive(field: string, enforcing: string, count: number | undefined): Record<string, number> {
  if (count === undefined) return {};
  return { [field]: count, [enforcing]: count > 0 ? 100 : 0 };
}

/** What the connection pool says about HTTP connections rather than about the cluster. */
export function commonHttpOptions(pool: ConnectionPool | undefined) {
  const idleTimeout = duration(pool?.http?.idleTimeout ?? pool?.tcp?.idleTimeout);
  const maxConnectionDuration = duration(pool?.tcp?.maxConnectionDuration);
  const maxRequests = pool?.http?.maxRequestsPerConnection ?? 0;
  if (idleTimeout === undefined && maxConnectionDuration === undefined && maxRequests === 0) return undefined;
  return {
    ...(idleTimeout === undefined ? {} : { idleTimeout }),
    ...(maxConnectionDuration === undefined ? {} : { maxConnectionDuration }),
    ...(maxRequests === 0 ? {} : { maxRequestsPerConnection: maxRequests }),
  };
}

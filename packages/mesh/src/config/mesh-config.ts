// What holds for the mesh as a whole [istio/api mesh/v1alpha1 MeshConfig]: defaults, and what the operator's objects say.
import { CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '../install/addresses.ts';
import type { ServiceMeshControlPlaneObject } from './istio-types.ts';

export interface MeshConfig {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** Where objects apply to every namespace. */
  readonly rootNamespace: string;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Path of the access log, '' for none. */
  readonly accessLogFile: string;
  /** Balancer where no DestinationRule names one. */
  readonly defaultLoadBalancer: 'ROUND_ROBIN' | 'LEAST_REQUEST';
  readonly connectTimeout: string;
  /** Whether sidecars mark their own connections, for capture rules of the kernel's to know them by (SO_MARK). */
  readonly marksSockets: boolean;
  /** Share of requests traced, in percent. */
  readonly tracingSampling: number;
}

/** Istio's, but for the access log (a mesh on a laptop is there to be looked at) and the balancer (round robin lets one
 * see each version in turn; Istio has said LEAST_REQUEST since 1.14). */
export const DEFAULT_MESH_CONFIG: MeshConfig = {
  trustDomain: CLUSTER_DOMAIN,
  clusterDomain: CLUSTER_DOMAIN,
  rootNamespace: SYSTEM_NAMESPACE,
  outboundPolicy: 'ALLOW_ANY',
  accessLogFile: '/dev/stdout',
  defaultLoadBalancer: 'ROUND_ROBIN',
  connectTimeout: '10s',
  marksSockets: true,
  tracingSampling: 1,
};

/** maistra counts sampling in hundredths of a percent: 10000 is every request. */
const SAMPLING_UNITS_PER_PERCENT = 100;

/** The oldest control plane object of the mesh's own namespace decides; one elsewhere has no effect, as its status says. */
export function meshConfigOf(controlPlanes: readonly ServiceMeshControlPlaneObject[]): MeshConfig {
  const own = controlPlanes.find(({ metadata }) => metadata?.namespace === SYSTEM_NAMESPACE);
  const spec = own?.spec;
  if (spec === undefined) return DEFAULT_MESH_CONFIG;
  const sampling = spec.tracing?.sampling;
  const accessLogFile = spec.proxy?.accessLogging?.file?.name;
  return {
    ...DEFAULT_MESH_CONFIG,
    ...(spec.proxy?.networking?.trafficControl?.outbound?.policy === 'REGISTRY_ONLY'
      ? { outboundPolicy: 'REGISTRY_ONLY' }
      : {}),
    ...(sampling === undefined ? {} : { tracingSampling: sampling / SAMPLING_UNITS_PER_PERCENT }),
    ...(accessLogFile === undefined ? {} : { accessLogFile }),
  };
}

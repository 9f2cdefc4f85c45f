// A VirtualService with its names resolved, ready to be matched against services and gateways.

import { resolveHost } from './host-names.ts';
import type { HttpRoute, VirtualServiceObject } from './istio-types.ts';

/** The reserved gateway name: every sidecar in the mesh (VirtualService.gateways). */
export const MESH_GATEWAY = 'mesh';

export interface VirtualService {
  readonly name: string;
  readonly namespace: string;
  readonly hosts: readonly string[];
  /** `namespace/name`, or `mesh`. */
  readonly gateways: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly exportTo: readonly string[] | undefined;
}

export function toVirtualService(object: VirtualServiceObject, clusterDomain: string): VirtualService {
  const { name = '', namespace = '' } = object.metadata ?? {};
  const spec = object.spec ?? {};
  const gateways = spec.gateways ?? [];
  return {
    name,
    namespace,
    hosts: (spec.hosts ?? []).map((host) => resolveHost(host, namespace, clusterDomain)),
    gateways: gateways.length === 0 ? [MESH_GATEWAY] : gateways.map((gateway) => resolveGateway(gateway, namespace)),
    http: spec.http ?? [],
    exportTo: spec.exportTo,
  };
}

/** `gw` is in the rule's own namespace; `ns/gw` says where; the old `gw.ns.svc.cluster.local` is read too, as Istio does. */
export function resolveGateway(gateway: string, namespace: string): string {
  if (gateway === MESH_GATEWAY || gateway.includes('/')) return gateway;
  const [name, inNamespace] = gateway.split('.');
  return `${inNamespace ?? namespace}/${name}`;
}

// The resource types of xDS v3 that Varka serves and consumes, in the order in which a change is sent
// (make before break: clusters and their endpoints first, then the listeners and routes that use them).

export const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
export const ENDPOINTS = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
export const LISTENER = 'type.googleapis.com/envoy.config.listener.v3.Listener';
export const ROUTES = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';

export const PUSH_ORDER = [CLUSTER, ENDPOINTS, LISTENER, ROUTES] as const;
export type TypeUrl = (typeof PUSH_ORDER)[number];

/** Types whose every resource a proxy gets without naming them (xDS: wildcard subscription). */
export function isWildcard(typeUrl: TypeUrl): boolean {
  return typeUrl === CLUSTER || typeUrl === LISTENER;
}

export function isServed(typeUrl: string): typeUrl is TypeUrl {
  return (PUSH_ORDER as readonly string[]).includes(typeUrl);
}

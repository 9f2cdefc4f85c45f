// Where the parts that every mesh has are to be found inside the cluster network.

export const CLUSTER_DOMAIN = 'cluster.local';
export const SYSTEM_NAMESPACE = 'istio-system';

/** 10.96.0.0/28 is assigned in the cluster's own network namespace, so what listens there needs no pod. */
export const KUBERNETES_ADDRESS = '10.96.0.1';
export const DNS_ADDRESS = '10.96.0.10';
export const ISTIOD_ADDRESS = '10.96.0.15';

export const ISTIOD_HOST = `istiod.${SYSTEM_NAMESPACE}.svc.${CLUSTER_DOMAIN}`;
/** xDS over plaintext gRPC. */
export const ISTIOD_GRPC_PORT = 15010;

export const PROXY_IMAGE = 'varka/proxyv2';
export const PROXY_CONTAINER = 'istio-proxy';

/** A proxy's own ports, as Istio numbers them ("Ports used by Istio"). */
export const PROXY_PORTS = { admin: 15000, outbound: 15001, inbound: 15006, ready: 15021, metrics: 15090 } as const;

export const GATEWAY_NAME = 'istio-ingressgateway';

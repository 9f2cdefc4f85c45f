// The objects that every mesh has, as plain Kubernetes objects: what `kubectl get` shows before any application is there.
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { bootstrap } from '../inject/bootstrap.ts';
import { proxyContainer } from '../inject/inject-pod.ts';
import { injectorConfigMap } from '../inject/injector-config.ts';
import {
  DNS_ADDRESS,
  GATEWAY_NAME,
  ISTIOD_ADDRESS,
  ISTIOD_GRPC_PORT,
  KUBERNETES_ADDRESS,
  PROXY_PORTS,
  SYSTEM_NAMESPACE,
} from './addresses.ts';

export interface Manifest {
  readonly kind: KindRef;
  readonly object: KubeObject;
  /** It is the users' to change: made when it is not there, and never touched again. */
  readonly users?: true;
}

export interface MeshOptions {
  /** Where the gateway is reached from the host, e.g. `127.0.0.1:8080`; what its Route says. */
  readonly gatewayHost: string;
  /** What its Service offers as `http2` and `https`: 80 and 443 where the host can listen there. */
  readonly gatewayPorts: { readonly http: number; readonly https: number };
}

export function meshNamespaces(): Manifest[] {
  return ['default', 'kube-system', SYSTEM_NAMESPACE].map((name) => ({
    kind: kinds.Namespace,
    object: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    },
  }));
}

/** Everything but the namespaces, which must be there first. */
export function meshObjects(options: MeshOptions): Manifest[] {
  return [
    ...nodeLocalService('default', 'kubernetes', KUBERNETES_ADDRESS, [{ name: 'https', port: 443, protocol: 'TCP' }], {
      component: 'apiserver',
      provider: 'kubernetes',
    }),
    ...nodeLocalService(
      'kube-system',
      'kube-dns',
      DNS_ADDRESS,
      [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
      { 'k8s-app': 'kube-dns' },
    ),
    ...nodeLocalService(
      SYSTEM_NAMESPACE,
      'istiod',
      ISTIOD_ADDRESS,
      [{ name: 'grpc-xds', port: ISTIOD_GRPC_PORT, protocol: 'TCP' }],
      { app: 'istiod', istio: 'pilot' },
    ),
    { kind: kinds.ConfigMap, object: injectorConfigMap(), users: true },
    ...gateway(options),
  ];
}

interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
}

/**
 * A Service of the supervisor itself. It has no pods and so no selector; its address is assigned in the cluster's
 * network namespace and the program listens on it, so the Service's address is its only endpoint as well.
 */
function nodeLocalService(
  namespace: string,
  name: string,
  address: string,
  ports: readonly Port[],
  labels: Record<string, string>,
): Manifest[] {
  const metadata = { name, namespace, labels };
  const endpointPorts = ports.map(({ name: portName, port, protocol }) => ({ name: portName, port, protocol }));
  return [
    {
      kind: kinds.Service,
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: {
          type: 'ClusterIP',
          clusterIP: address,
          ports: ports.map((port) => ({ ...port, targetPort: port.port })),
        },
      },
    },
    {
      kind: kinds.Endpoints,
      object: {
        apiVersion: 'v1',
        kind: 'Endpoints',
        // The slice below says the same; it must not be made a second time from this.
        metadata: { ...metadata, labels: { ...labels, 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
        subsets: [{ addresses: [{ ip: address }], ports: endpointPorts }],
      },
    },
    {
      kind: kinds.EndpointSlice,
      object: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }],
        ports: endpointPorts,
      },
    },
  ];
}

/** Inside the cluster it is always at the standard port, too: that is what Gateways name. */
function servicePorts(name: string, port: number, standard: number, targetPort: number) {
  const also = port === standard ? [] : [{ name: `${name}-${standard}`, port: standard, targetPort, protocol: 'TCP' }];
  return [{ name, port, targetPort, protocol: 'TCP' }, ...also];
}

/** The ingress gateway: a proxy without an application, in a Deployment as any other workload. */
function gateway({ gatewayHost, gatewayPorts }: MeshOptions): Manifest[] {
  const labels = { app: GATEWAY_NAME, istio: 'ingressgateway' };
  const metadata = { name: GATEWAY_NAME, namespace: SYSTEM_NAMESPACE, labels };
  const podLabels = {
    ...labels,
    'sidecar.istio.io/inject': 'false',
    'service.istio.io/canonical-name': GATEWAY_NAME,
    'service.istio.io/canonical-revision': 'latest',
  };
  const proxy = proxyContainer(
    bootstrap({ type: 'router', workloadName: GATEWAY_NAME, serviceAccount: GATEWAY_NAME, labels: podLabels }),
  );
  const tcp = (name: string, containerPort: number) => ({ name, containerPort, protocol: 'TCP' });
  return [
    { kind: kinds.ServiceAccount, object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata } },
    {
      kind: kinds.Service,
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: {
          type: 'LoadBalancer',
          selector: labels,
          // Istio's names: scripts find the port by `http2` and `https`.
          ports: [
            { name: 'status-port', port: PROXY_PORTS.ready, targetPort: PROXY_PORTS.ready, protocol: 'TCP' },
            ...servicePorts('http2', gatewayPorts.http, 80, 8080),
            ...servicePorts('https', gatewayPorts.https, 443, 8443),
          ],
        },
      },
    },
    {
      kind: kinds.Deployment,
      object: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels: podLabels, annotations: { 'sidecar.istio.io/inject': 'false' } },
            spec: {
              serviceAccountName: GATEWAY_NAME,
              containers: [
                {
                  ...proxy,
                  ports: [
                    tcp('status-port', PROXY_PORTS.ready),
                    tcp('http2', 8080),
                    tcp('https', 8443),
                    ...(proxy.ports ?? []),
                  ],
                },
              ],
            },
          },
        },
      },
    },
    {
      kind: kinds.Route,
      object: {
        apiVersion: 'route.openshift.io/v1',
        kind: 'Route',
        metadata,
        spec: {
          host: gatewayHost,
          port: { targetPort: 'http2' },
          to: { kind: 'Service', name: GATEWAY_NAME, weight: 100 },
          wildcardPolicy: 'None',
        },
      },
    },
  ];
}

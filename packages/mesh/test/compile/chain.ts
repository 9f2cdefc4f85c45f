// The three-service chain behind a gateway that the canary chapters play on.
import type { PodLine } from './world.ts';

const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  clusterIP: 10.96.3.${name.charCodeAt(name.length - 1) - 96}
  selector: {app: ${name}}
  ports: [{name: http, port: 8080}]
---`;

export const CHAIN = `
${['service-a', 'service-b', 'service-c'].map(service).join('')}
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec:
  clusterIP: 10.96.3.9
  selector: {istio: ingressgateway}
  ports:
  - {name: status-port, port: 15021}
  - {name: http2, port: 80, targetPort: 8080}
  - {name: https, port: 443, targetPort: 8443}
`;

export const CHAIN_PODS: PodLine[] = [
  { name: 'a-1', ip: '10.244.0.11', labels: { app: 'service-a', version: 'v1' } },
  { name: 'b-1', ip: '10.244.0.12', labels: { app: 'service-b', version: 'v1' } },
  { name: 'c-1', ip: '10.244.0.13', labels: { app: 'service-c', version: 'v1' } },
  { name: 'c-2', ip: '10.244.0.14', labels: { app: 'service-c', version: 'v2' } },
  {
    name: 'ingress-1',
    namespace: 'istio-system',
    ip: '10.244.0.2',
    labels: { app: 'istio-ingressgateway', istio: 'ingressgateway' },
  },
];

export const ENTRY = `
---
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata: {name: services-gateway}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: service-a-gateway}
spec:
  hosts: ["*"]
  gateways: [services-gateway]
  http:
  - match: [{uri: {prefix: /service-a}}]
    rewrite: {uri: /}
    route: [{destination: {host: service-a, port: {number: 8080}}}]
`;

export const SUBSETS = `
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: service-c}
spec:
  host: service-c
  subsets:
  - {name: version-v1, labels: {version: v1}}
  - {name: version-v2, labels: {version: v2}}
`;

/** A rule that splits service-c by these weights. */
export function split(weights: Record<string, number>): string {
  const routes = Object.entries(weights).map(
    ([subset, weight]) => `{destination: {host: service-c, subset: ${subset}}, weight: ${weight}}`,
  );
  return `
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: service-c}
spec:
  hosts: [service-c]
  http: [{route: [${routes.join(', ')}]}]
`;
}

export const C = (subset: string) => `outbound|8080|${subset}|service-c.default.svc.cluster.local`;

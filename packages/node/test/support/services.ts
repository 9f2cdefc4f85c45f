// Services and EndpointSlices in few words.
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';

interface Port {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly nodePort?: number;
}

export function service(name: string, clusterIP: string, ports: readonly Port[], spec: object = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [...ports], ...spec },
  };
}

type EndpointWords =
  | string
  | { readonly ip: string; readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };

export function slice(serviceName: string, ports: readonly Port[], endpoints: readonly EndpointWords[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${serviceName}-1`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': serviceName },
    },
    addressType: 'IPv4',
    ports: [...ports],
    endpoints: endpoints.map((endpoint) => {
      if (typeof endpoint === 'string') return { addresses: [endpoint], conditions: { ready: true } };
      const { ip, ...conditions } = endpoint;
      return { addresses: [ip], conditions };
    }),
  };
}

// Addresses behind a service, from its EndpointSlices [Kubernetes "EndpointSlices"].
import type { KubeObject } from '@varka/kube/object.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import type { Workload } from './workload.ts';

export type EndpointSliceObject = KubeObject & { [Field in keyof EndpointSlice]: EndpointSlice[Field] };

export interface Endpoint {
  readonly address: string;
  /** The service port's name, by which slices and services agree on a port. */
  readonly portName: string;
  readonly port: number;
  readonly ready: boolean;
  /** The pod behind it, when there is one. */
  readonly workload: Workload | undefined;
}

const SERVICE_NAME = 'kubernetes.io/service-name';

/** Namespace and name of the service a slice belongs to. */
export function serviceOfSlice(slice: EndpointSliceObject): { namespace: string; name: string } | undefined {
  const name = slice.metadata?.labels?.[SERVICE_NAME];
  return name === undefined ? undefined : { namespace: slice.metadata?.namespace ?? '', name };
}

/** Only what is ready may get traffic; `undefined` readiness counts as ready, as the API says. */
export function endpointsOfSlice(
  slice: EndpointSliceObject,
  workloadAt: (address: string) => Workload | undefined,
): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const endpoint of slice.endpoints ?? []) {
    for (const port of slice.ports ?? []) {
      if (port.port === undefined) continue;
      for (const address of endpoint.addresses)
        endpoints.push({
          address,
          portName: port.name ?? '',
          port: port.port,
          ready: endpoint.conditions?.ready ?? true,
          workload: workloadAt(address),
        });
    }
  }
  return endpoints;
}

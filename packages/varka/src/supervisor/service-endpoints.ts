// The ready pods behind a Service's port, as its EndpointSlices name them.
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice } from '@varka/kube/client/typed-objects.ts';
import type { EndpointAddress } from './publisher.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export class ServiceEndpoints {
  readonly #slices: Pick<Informer<EndpointSlice>, 'list'>;
  /** By service and port name; forgotten at every change, so that a connection costs a lookup and not a search. */
  readonly #ready = new Map<string, readonly EndpointAddress[]>();

  constructor(slices: Pick<Informer<EndpointSlice>, 'list' | 'onEvent'>) {
    this.#slices = slices;
    slices.onEvent(() => this.#ready.clear());
  }

  ready(namespace: string, service: string, portName: string): readonly EndpointAddress[] {
    const key = `${namespace}/${service}/${portName}`;
    let addresses = this.#ready.get(key);
    if (addresses === undefined) {
      addresses = this.#slices
        .list(namespace)
        .filter(({ metadata }) => metadata?.labels?.[SERVICE_NAME_LABEL] === service)
        .flatMap((slice) => addressesOf(slice, portName));
      this.#ready.set(key, addresses);
    }
    return addresses;
  }
}

function addressesOf({ endpoints, ports }: EndpointSlice, portName: string): EndpointAddress[] {
  const port = ports?.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')?.port;
  if (port === undefined) return [];
  const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
  return ready.flatMap(({ addresses }) => addresses.map((host) => ({ host, port })));
}

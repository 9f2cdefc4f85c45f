// The ready pods behind the gateway's Service, as its EndpointSlices name them.
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice } from '@varka/kube/client/typed-objects.ts';
import type { GatewayAddress } from './gateway-publisher.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export class GatewayEndpoints {
  readonly #slices: Pick<Informer<EndpointSlice>, 'list'>;
  readonly #namespace: string;
  readonly #service: string;
  /** By port name; forgotten at every change, so that a connection costs a lookup and not a search. */
  readonly #ready = new Map<string, readonly GatewayAddress[]>();

  constructor(slices: Pick<Informer<EndpointSlice>, 'list' | 'onEvent'>, namespace: string, service: string) {
    this.#slices = slices;
    this.#namespace = namespace;
    this.#service = service;
    slices.onEvent(() => this.#ready.clear());
  }

  ready(portName: string): readonly GatewayAddress[] {
    let addresses = this.#ready.get(portName);
    if (addresses === undefined) {
      addresses = this.#slices
        .list(this.#namespace)
        .filter(({ metadata }) => metadata?.labels?.[SERVICE_NAME_LABEL] === this.#service)
        .flatMap((slice) => addressesOf(slice, portName));
      this.#ready.set(portName, addresses);
    }
    return addresses;
  }
}

function addressesOf({ endpoints, ports }: EndpointSlice, portName: string): GatewayAddress[] {
  const port = ports?.find(({ name }) => name === portName)?.port;
  if (port === undefined) return [];
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  return ready.flatMap(({ addresses }) => addresses.map((host) => ({ host, port })));
}

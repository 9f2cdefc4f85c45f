// What the cluster's DNS knows, read from the informers at the moment of the question.
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import type { DnsEndpoint, DnsPort, DnsService, DnsView } from './answer.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Names of the world outside that a Service answers for, with commas between them. */
const EXTERNAL_NAMES = 'varka.dev/external-names';

export interface DnsViewOptions {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** kubernetes.default is answered with this even while no such Service is stored: pods need it to reach the API. */
  readonly apiAddress: string;
}

export function createDnsView({ services, endpointSlices, apiAddress }: DnsViewOptions): DnsView {
  const endpointsOf = (namespace: string, name: string, withUnready: boolean): DnsEndpoint[] =>
    endpointSlices
      .list(namespace)
      .filter((slice) => slice.metadata?.labels?.[SERVICE_NAME_LABEL] === name && slice.addressType === 'IPv4')
      .flatMap((slice) => readSlice(slice, withUnready));
  const read = (service: Service): DnsService | undefined => {
    const { namespace = '', name = '' } = service.metadata ?? {};
    return readService(service, () => endpointsOf(namespace, name, service.spec?.publishNotReadyAddresses === true));
  };
  return {
    service(namespace, name) {
      const service = services.get(namespace, name);
      if (service !== undefined) return read(service);
      if (namespace !== 'default' || name !== 'kubernetes') return undefined;
      return { kind: 'cluster-ip', ips: [apiAddress], ports: [{ name: 'https', protocol: 'TCP', port: 443 }] };
    },
    hasServices: (namespace) => namespace === 'default' || services.list(namespace).length > 0,
    standIn(name) {
      const claiming = services.list().filter((service) => externalNames(service).includes(name));
      const [first] = claiming.sort((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
      return first === undefined ? undefined : read(first);
    },
    reverse(ip) {
      for (const { metadata, spec } of services.list()) {
        const { namespace = '', name = '' } = metadata ?? {};
        if (spec?.clusterIP === ip) return { namespace, name };
        if (spec?.clusterIP !== 'None') continue;
        const endpoint = endpointsOf(namespace, name, true).find((candidate) => candidate.ip === ip);
        if (endpoint !== undefined) return { namespace, name, host: endpoint.hostname ?? ip.replaceAll('.', '-') };
      }
      return undefined;
    },
  };
}

/** In lower case, without a dot at the end. */
export function externalNames({ metadata }: Pick<Service, 'metadata'>): string[] {
  const names = metadata?.annotations?.[EXTERNAL_NAMES] ?? '';
  const plain = names.split(',').map((name) => name.trim().toLowerCase().replace(/\.$/, ''));
  return plain.filter((name) => name !== '');
}

/** Of two that claim a name it is the older one's. */
function ageOf({ metadata }: Service): string {
  return `${metadata?.creationTimestamp} ${metadata?.namespace}/${metadata?.name}`;
}

function readService({ spec }: Service, endpoints: () => DnsEndpoint[]): DnsService | undefined {
  if (spec?.type === 'ExternalName') {
    return spec.externalName === undefined ? undefined : { kind: 'external-name', target: spec.externalName };
  }
  if (spec?.clusterIP === 'None') return { kind: 'headless', endpoints: endpoints() };
  const ips = (spec?.clusterIPs ?? [spec?.clusterIP ?? '']).filter((ip) => ip.includes('.'));
  const ports = (spec?.ports ?? []).map(({ name = '', protocol = 'TCP', port }): DnsPort => ({ name, protocol, port }));
  return { kind: 'cluster-ip', ips, ports };
}

function readSlice({ endpoints, ports }: EndpointSlice, withUnready: boolean): DnsEndpoint[] {
  const shared = (ports ?? []).flatMap(({ name = '', protocol = 'TCP', port }) =>
    port === undefined ? [] : [{ name, protocol, port }],
  );
  return (endpoints ?? [])
    .filter(({ conditions }) => withUnready || conditions?.ready !== false)
    .flatMap(({ addresses, hostname }) =>
      addresses.map((ip) => ({ ip, ports: shared, ...(hostname === undefined ? {} : { hostname }) })),
    );
}

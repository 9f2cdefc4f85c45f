// Which address stands behind `pods/NAME/proxy` and `services/NAME/proxy` (Kubernetes: ResourceLocation).
import { record as fieldsOf, records } from '../../kinds/pod-template.ts';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { Store } from '../../store/store.ts';

const PODS = { group: '', plural: 'pods' } as const;
const SERVICES = { group: '', plural: 'services' } as const;
const SCHEMES = ['', 'http', 'https'];

export interface ProxyTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

interface ProxyId {
  readonly scheme: string;
  readonly name: string;
  /** A number or a name; '' when none was given. */
  readonly port: string;
}

/** `NAME`, `NAME:PORT`, `SCHEME:NAME:PORT`; the port may be empty. */
export function parseProxyId(id: string): ProxyId | undefined {
  const parts = id.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  return parts.length > 3 || name === '' || !SCHEMES.includes(scheme) ? undefined : { scheme, name, port };
}

/** `draw` picks a number below its argument: which of the ready endpoints is asked. Throws a StatusError. */
export function proxyTarget(
  store: Store,
  plural: 'pods' | 'services',
  namespace: string,
  id: string,
  draw: (below: number) => number,
): ProxyTarget {
  const parsed = parseProxyId(id);
  const kind = plural === 'pods' ? 'pod' : 'service';
  if (parsed === undefined) throw StatusError.badRequest(`invalid ${kind} request ${JSON.stringify(id)}`);
  const scheme = parsed.scheme === 'https' ? 'https' : 'http';
  const where = plural === 'pods' ? podPlace(store, namespace, parsed) : servicePlace(store, namespace, parsed, draw);
  return { scheme, ...where };
}

function podPlace(store: Store, namespace: string, { scheme, name, port }: ProxyId): Omit<ProxyTarget, 'scheme'> {
  const pod = store.get('pods', namespace, name);
  if (pod === undefined) throw StatusError.notFound(PODS, name);
  const host = fieldsOf(pod['status'])['podIP'];
  if (typeof host !== 'string' || host === '') throw StatusError.badRequest(`pod ${name} has no address yet`);
  const ports = records(fieldsOf(pod['spec'])['containers']).flatMap((container) => records(container['ports']));
  // Without a port Kubernetes takes the first one of the first container that has any, else the scheme's.
  const declared = port === '' ? ports[0] : ports.find((one) => one['name'] === port);
  const found = declared?.['containerPort'] ?? (port === '' ? (scheme === 'https' ? 443 : 80) : Number(port));
  return { host, port: portNumber(found, `pod ${name} has no port ${JSON.stringify(port)}`) };
}

function servicePlace(
  store: Store,
  namespace: string,
  { name, port }: ProxyId,
  draw: (below: number) => number,
): Omit<ProxyTarget, 'scheme'> {
  const service = store.get('services', namespace, name);
  if (service === undefined) throw StatusError.notFound(SERVICES, name);
  const portName = nameOfPort(service, name, port);
  const places = store
    .list('endpointslices.discovery.k8s.io', namespace)
    .items.filter((slice) => slice.metadata?.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) => placesOf(slice, portName));
  const chosen = places[draw(Math.max(1, places.length))];
  if (chosen === undefined) throw StatusError.unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}

/** Endpoints go by the port's name, which is '' for the only port of a service. */
function nameOfPort(service: KubeObject, name: string, port: string): string {
  if (!/^\d+$/.test(port)) return port;
  const found = records(fieldsOf(service['spec'])['ports']).find((one) => one['port'] === Number(port));
  if (found === undefined)
    throw StatusError.unavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`);
  return String(found['name'] ?? '');
}

function placesOf(slice: KubeObject, portName: string): Omit<ProxyTarget, 'scheme'>[] {
  const port = records(slice['ports']).find((one) => (one['name'] ?? '') === portName)?.['port'];
  if (typeof port !== 'number') return [];
  return records(slice['endpoints']).flatMap(({ conditions, addresses }) => {
    const [host] = Array.isArray(addresses) ? addresses : [];
    // An endpoint that does not say is ready (discovery.k8s.io/v1, EndpointConditions).
    const ready = fieldsOf(conditions)['ready'] !== false;
    return ready && typeof host === 'string' ? [{ host, port }] : [];
  });
}

function portNumber(value: unknown, problem: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  throw StatusError.badRequest(problem);
}

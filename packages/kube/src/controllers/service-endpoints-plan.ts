// Where a Service's traffic can go, decided from its pods: as v1 Endpoints and as EndpointSlices.
import type { EndpointAddress, EndpointSubset } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import type { EndpointSlice, Endpoints, Pod, Service } from '../client/typed-objects.ts';
import { generatedName } from '../kinds/generated-name.ts';
import { matchesLabels } from '../kinds/label-selector.ts';
import { Service as ServiceKind } from '../kinds/refs.ts';
import { canonicalJson } from './hash.ts';
import { controllerRef } from './owners.ts';
import { isReady } from './pods.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const SLICE_MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const SLICE_MANAGER = 'endpointslice-controller.k8s.io';
export const ENDPOINTS_MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
export const ENDPOINTS_MANAGER = 'endpoint-controller';
const HEADLESS = 'service.kubernetes.io/headless';
/** As kube-controller-manager's --max-endpoints-per-slice. */
const MAX_PER_SLICE = 100;

/** Pods with the same numbers for the Service's ports; named target ports may differ from pod to pod. */
export interface EndpointGroup {
  readonly ports: readonly EndpointPort[];
  readonly members: readonly Member[];
}

interface Member {
  readonly pod: Pod;
  readonly ip: string;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export function endpointGroups(service: Service, pods: readonly Pod[]): EndpointGroup[] {
  const selector = service.spec?.selector ?? {};
  const groups = new Map<string, { ports: EndpointPort[]; members: Member[] }>();
  for (const pod of pods) {
    const member = memberFor(pod);
    if (member === undefined || !matchesLabels(selector, pod.metadata?.labels)) continue;
    const ports = portsFor(service, pod);
    const key = canonicalJson(ports);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ports, members: [member] });
    else group.members.push(member);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, members }]) => ({ ports, members: members.toSorted((a, b) => (a.ip < b.ip ? -1 : 1)) }));
}

/** Pods that have ended or have no address yet are nobody's endpoints. */
function memberFor(pod: Pod): Member | undefined {
  const { phase, podIP } = pod.status ?? {};
  if (podIP === undefined || podIP === '' || phase === 'Succeeded' || phase === 'Failed') return undefined;
  return { pod, ip: podIP, serving: isReady(pod), terminating: pod.metadata?.deletionTimestamp !== undefined };
}

function portsFor(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap(({ name = '', port, protocol = 'TCP', targetPort, appProtocol }) => {
    const number = typeof targetPort === 'string' ? containerPort(pod, targetPort, protocol) : (targetPort ?? port);
    if (number === undefined) return [];
    return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** A port by the name a container gives it; sidecars started as init containers count too (restartPolicy Always). */
function containerPort(pod: Pod, name: string, protocol: string): number | undefined {
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}

export function endpointsFor(service: Service, groups: readonly EndpointGroup[]): Endpoints {
  const always = service.spec?.publishNotReadyAddresses === true;
  const subsets = groups.flatMap(({ ports, members }): EndpointSubset[] => {
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) return [];
    const present = members.filter((member) => always || !member.terminating);
    const ready = present.filter((member) => always || member.serving);
    const notReady = present.filter((member) => !ready.includes(member));
    if (present.length === 0) return [];
    return [
      {
        ...(ready.length === 0 ? {} : { addresses: ready.map((member) => addressOf(service, member)) }),
        ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.map((member) => addressOf(service, member)) }),
        ...(ports.length === 0 ? {} : { ports: ports.map(({ port = 0, ...rest }) => ({ ...rest, port })) }),
      },
    ];
  });
  const { name = '', namespace = '', labels } = service.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      namespace,
      labels: { ...labels, ...headlessLabel(service), [ENDPOINTS_MANAGED_BY]: ENDPOINTS_MANAGER },
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** Fits the groups into the slices there are, moving as little as possible between them. */
export function planSlices(
  service: Service,
  groups: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
  random: () => number,
): SlicePlan {
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], remove: [] as EndpointSlice[] };
  const unused = new Set(existing);
  // A Service without endpoints keeps one empty slice: consumers see that it was looked at.
  const wanted: readonly EndpointGroup[] = groups.length === 0 ? [{ ports: [], members: [] }] : groups;
  for (const { ports, members } of wanted) {
    const samePorts = [...unused].filter((slice) => canonicalJson(slice.ports) === canonicalJson(ports));
    const endpoints = new Map(
      members.map((member) => [member.pod.metadata?.uid ?? member.ip, endpointOf(service, member)]),
    );
    const slots = samePorts.map((slice) => {
      const kept: Endpoint[] = [];
      for (const uid of (slice.endpoints ?? []).map((endpoint) => endpoint.targetRef?.uid ?? '')) {
        const endpoint = endpoints.get(uid);
        if (endpoint !== undefined && endpoints.delete(uid)) kept.push(endpoint);
      }
      return { slice, kept };
    });
    const homeless = [...endpoints.values()];
    for (const slot of slots) slot.kept.push(...homeless.splice(0, MAX_PER_SLICE - slot.kept.length));
    const used = slots.filter((slot, index) => slot.kept.length > 0 || (members.length === 0 && index === 0));
    for (const { slice, kept } of used) {
      unused.delete(slice);
      const updated = {
        ...sliceFor(service, ports, kept),
        metadata: { ...slice.metadata, labels: sliceLabels(service) },
      };
      if (canonicalJson(updated) !== canonicalJson(slice)) plan.update.push(updated);
    }
    const fresh = used.length === 0 && homeless.length === 0 ? [[]] : chunks(homeless, MAX_PER_SLICE);
    for (const chunk of fresh) plan.create.push(named(sliceFor(service, ports, chunk), service, random));
  }
  plan.remove.push(...unused);
  return plan;
}

function sliceFor(service: Service, ports: readonly EndpointPort[], endpoints: Endpoint[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: service.metadata?.namespace ?? '',
      labels: sliceLabels(service),
      ownerReferences: [controllerRef(ServiceKind, service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports: [...ports],
  };
}

function named(slice: EndpointSlice, service: Service, random: () => number): EndpointSlice {
  const base = service.metadata?.name ?? '';
  return {
    ...slice,
    metadata: { ...slice.metadata, name: generatedName(`${base}-`, random), generateName: `${base}-` },
  };
}

function sliceLabels(service: Service): Record<string, string> {
  return {
    ...service.metadata?.labels,
    ...headlessLabel(service),
    [SERVICE_NAME]: service.metadata?.name ?? '',
    [SLICE_MANAGED_BY]: SLICE_MANAGER,
  };
}

function headlessLabel(service: Service): Record<string, string> {
  return service.spec?.clusterIP === 'None' ? { [HEADLESS]: '' } : {};
}

/** EndpointConditions: ready is serving and not terminating, or true when the Service publishes all. */
function endpointOf(service: Service, member: Member): Endpoint {
  const { serving, terminating, ip } = member;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const { ip: _ip, ...rest } = addressOf(service, member);
  return { addresses: [ip], conditions: { ready, serving, terminating }, ...rest };
}

function addressOf(service: Service, { pod, ip }: Member): EndpointAddress {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const { nodeName, hostname, subdomain } = pod.spec ?? {};
  const ownHost = hostname !== undefined && subdomain === service.metadata?.name;
  return {
    ip,
    ...(ownHost ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

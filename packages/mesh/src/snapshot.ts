// One immutable view of everything the compiler reads, at one revision. It is built from plain objects: an informer, a
// file or a test may have brought them.
import type { KubeObject } from '@varka/kube/object.ts';
import { type DestinationRule, destinationRuleFor, toDestinationRule } from './config/destination-rule.ts';
import { type Gateway, toGateway } from './config/gateway.ts';
import type { EdgeContext } from './config/host-rules.ts';
import { type IngressObject, ingressConfig } from './config/ingress.ts';
import type {
  DestinationRuleObject,
  GatewayObject,
  ServiceMeshControlPlaneObject,
  VirtualServiceObject,
} from './config/istio-types.ts';
import { type MeshConfig, meshConfigOf } from './config/mesh-config.ts';
import { type RouteObject, routeConfig } from './config/openshift-route.ts';
import { type RouteRuleObject, routeRuleConfig, throughRouteRules } from './config/route-rule.ts';
import { toVirtualService, type VirtualService } from './config/virtual-service.ts';
import { type Endpoint, type EndpointSliceObject, endpointsOfSlice, serviceOfSlice } from './registry/endpoint.ts';
import { type Service, type ServiceObject, toService } from './registry/service.ts';
import { type PodObject, toWorkload, type Workload } from './registry/workload.ts';

/** The labels of the gateway that serves Ingresses and Routes [istio meshConfig.ingressSelector]. */
const INGRESS_GATEWAY = { istio: 'ingressgateway' };

export interface SnapshotInput {
  readonly revision: string;
  readonly services?: readonly ServiceObject[];
  readonly endpointSlices?: readonly EndpointSliceObject[];
  readonly pods?: readonly PodObject[];
  readonly gateways?: readonly GatewayObject[];
  readonly ingresses?: readonly IngressObject[];
  readonly routes?: readonly RouteObject[];
  readonly virtualServices?: readonly VirtualServiceObject[];
  readonly routeRules?: readonly RouteRuleObject[];
  readonly destinationRules?: readonly DestinationRuleObject[];
  readonly controlPlanes?: readonly ServiceMeshControlPlaneObject[];
  /** Overrides what the control plane objects say. */
  readonly meshConfig?: Partial<MeshConfig>;
}

export class Snapshot {
  readonly revision: string;
  readonly mesh: MeshConfig;
  /** Oldest first, as everywhere below: where two objects claim one thing, the older has it. */
  readonly services: readonly Service[];
  readonly virtualServices: readonly VirtualService[];
  readonly gateways: readonly Gateway[];
  readonly destinationRules: readonly DestinationRule[];
  readonly #serviceByHost: ReadonlyMap<string, Service>;
  readonly #endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  readonly #workloads = new Map<string, Workload>();

  constructor(input: SnapshotInput) {
    this.revision = input.revision;
    this.mesh = { ...meshConfigOf(oldestFirst(input.controlPlanes)), ...input.meshConfig };
    const domain = this.mesh.clusterDomain;
    this.services = oldestFirst(input.services)
      .map((object) => toService(object, domain))
      .filter((service) => service !== undefined);
    this.#serviceByHost = new Map(this.services.map((service) => [service.hostname, service]));
    const edge: EdgeContext = {
      clusterDomain: domain,
      namespace: this.mesh.rootNamespace,
      gatewaySelector: INGRESS_GATEWAY,
      ports: ({ namespace, name }) => this.service(`${name}.${namespace}.svc.${domain}`)?.ports,
    };
    const legacy = routeRuleConfig(oldestFirst(input.routeRules), domain);
    const ingress = ingressConfig(oldestFirst(input.ingresses), edge);
    const ingresses = ingress.virtualServices.map((object) => followRouteRules(object, legacy.virtualServices));
    const routes = routeConfig(oldestFirst(input.routes), edge);
    // What people said in today's words comes first.
    const virtualServices = [
      ...oldestFirst(input.virtualServices),
      ...legacy.virtualServices,
      ...ingresses,
      ...routes.virtualServices,
    ];
    this.virtualServices = virtualServices.map((object) => toVirtualService(object, domain));
    this.gateways = [...oldestFirst(input.gateways), ...ingress.gateways, ...routes.gateways].map(toGateway);
    this.destinationRules = [...oldestFirst(input.destinationRules), ...legacy.destinationRules].map((object) =>
      toDestinationRule(object, domain),
    );

    const byAddress = new Map<string, Workload>();
    for (const pod of input.pods ?? []) {
      const workload = toWorkload(pod);
      this.#workloads.set(`${workload.namespace}/${workload.pod}`, workload);
      const finished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
      // An address is free again once its pod has finished.
      if (workload.address !== '' && !finished) byAddress.set(workload.address, workload);
    }
    this.#endpoints = collectEndpoints(input.endpointSlices ?? [], domain, (address) => byAddress.get(address));
  }

  service(hostname: string): Service | undefined {
    return this.#serviceByHost.get(hostname);
  }

  workload(namespace: string, pod: string): Workload | undefined {
    return this.#workloads.get(`${namespace}/${pod}`);
  }

  /** Every known address of a service, ready or not, sorted so that equal states compile to equal bytes. */
  endpoints(service: Service): readonly Endpoint[] {
    return this.#endpoints.get(service.hostname) ?? [];
  }

  /** The rule for a service as seen from a namespace. */
  destinationRule(service: Service, clientNamespace: string): DestinationRule | undefined {
    return destinationRuleFor(this.destinationRules, service.hostname, {
      client: clientNamespace,
      service: service.namespace,
      root: this.mesh.rootNamespace,
    });
  }
}

function followRouteRules(ingress: VirtualServiceObject, rules: readonly VirtualServiceObject[]): VirtualServiceObject {
  const http = (ingress.spec?.http ?? []).flatMap((entry) => {
    const host = entry.route?.[0]?.destination.host;
    const own = rules.find(({ spec }) => spec?.hosts?.[0] === host);
    return own === undefined ? [entry] : throughRouteRules(entry, own);
  });
  return { ...ingress, spec: { ...ingress.spec, http } };
}

function collectEndpoints(
  slices: readonly EndpointSliceObject[],
  clusterDomain: string,
  workloadAt: (address: string) => Workload | undefined,
): Map<string, Endpoint[]> {
  const byHost = new Map<string, Endpoint[]>();
  for (const slice of slices) {
    const owner = serviceOfSlice(slice);
    if (owner === undefined) continue;
    const hostname = `${owner.name}.${owner.namespace}.svc.${clusterDomain}`;
    const list = byHost.get(hostname) ?? [];
    list.push(...endpointsOfSlice(slice, workloadAt));
    byHost.set(hostname, list);
  }
  for (const list of byHost.values())
    list.sort((a, b) => compare(a.address, b.address) || a.port - b.port || compare(a.portName, b.portName));
  return byHost;
}

/** Istio orders rules by age, then by name and namespace, so that the result never depends on arrival. */
function oldestFirst<T extends KubeObject>(objects: readonly T[] | undefined): T[] {
  const key = (object: T) => `${object.metadata?.name}.${object.metadata?.namespace}`;
  const born = (object: T) => String(object.metadata?.creationTimestamp ?? '');
  return (objects ?? []).toSorted((a, b) => compare(born(a), born(b)) || compare(key(a), key(b)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

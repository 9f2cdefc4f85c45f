// Keeps watch over everything a snapshot is made of: says when something that matters has changed, and makes one.
import type { Informer, InformerEvent } from '@varka/kube/client/informer.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { IngressObject } from '../config/ingress.ts';
import type {
  DestinationRuleObject,
  GatewayObject,
  ServiceMeshControlPlaneObject,
  VirtualServiceObject,
} from '../config/istio-types.ts';
import type { MeshConfig } from '../config/mesh-config.ts';
import type { RouteObject } from '../config/openshift-route.ts';
import type { RouteRuleObject } from '../config/route-rule.ts';
import { Snapshot } from '../snapshot.ts';
import type { EndpointSliceObject } from './endpoint.ts';
import type { ServiceObject } from './service.ts';
import type { PodObject } from './workload.ts';

export interface MeshInformers {
  readonly services: Informer<ServiceObject>;
  readonly endpointSlices: Informer<EndpointSliceObject>;
  readonly pods: Informer<PodObject>;
  readonly gateways: Informer<GatewayObject>;
  readonly ingresses: Informer<IngressObject>;
  readonly routes: Informer<RouteObject>;
  readonly virtualServices: Informer<VirtualServiceObject>;
  readonly routeRules: Informer<RouteRuleObject>;
  readonly destinationRules: Informer<DestinationRuleObject>;
  readonly controlPlanes: Informer<ServiceMeshControlPlaneObject>;
}

export class Registry {
  readonly #informers: MeshInformers;
  readonly #meshConfig: Partial<MeshConfig>;
  readonly #unsubscribe: (() => void)[];

  constructor(informers: MeshInformers, meshConfig: Partial<MeshConfig>, onChange: () => void) {
    this.#informers = informers;
    this.#meshConfig = meshConfig;
    const watch = <T extends KubeObject>(informer: Informer<T>, relevant: (object: T) => unknown) =>
      informer.onEvent((event) => {
        if (matters(event, relevant)) onChange();
      });
    const spec = (object: KubeObject) => object['spec'];
    this.#unsubscribe = [
      watch(informers.services, (object) => [object.spec, object.metadata?.annotations]),
      watch(informers.endpointSlices, (object) => [object.endpoints, object.ports, object.metadata?.labels]),
      watch(informers.pods, podFacts),
      watch(informers.gateways, spec),
      watch(informers.ingresses, (object) => [object.spec, object.metadata?.annotations]),
      watch(informers.routes, spec),
      watch(informers.virtualServices, spec),
      watch(informers.routeRules, spec),
      watch(informers.destinationRules, spec),
      watch(informers.controlPlanes, spec),
    ];
  }

  /** Resolves when the first complete lists are in: before that, a snapshot would be missing things. */
  async synced(): Promise<void> {
    await Promise.all(Object.values(this.#informers).map((informer: Informer) => informer.synced));
  }

  snapshot(revision: string): Snapshot {
    const lists = this.#informers;
    return new Snapshot({
      revision,
      services: lists.services.list(),
      endpointSlices: lists.endpointSlices.list(),
      pods: lists.pods.list(),
      gateways: lists.gateways.list(),
      ingresses: lists.ingresses.list(),
      routes: lists.routes.list(),
      virtualServices: lists.virtualServices.list(),
      routeRules: lists.routeRules.list(),
      destinationRules: lists.destinationRules.list(),
      controlPlanes: lists.controlPlanes.list(),
      meshConfig: this.#meshConfig,
    });
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }
}

/** Pods change all the time in ways that no configuration depends on (probes, conditions, restarts). */
function podFacts(pod: PodObject): unknown {
  const ports = pod.spec?.containers.map((container) => container.ports);
  return [pod.metadata?.labels, pod.status?.podIP, pod.status?.phase, pod.spec?.serviceAccountName, ports];
}

/** A status that we ourselves have written must not set off another round. */
function matters<T extends KubeObject>(event: InformerEvent<T>, relevant: (object: T) => unknown): boolean {
  if (event.type !== 'updated') return true;
  return JSON.stringify(relevant(event.object)) !== JSON.stringify(relevant(event.old));
}

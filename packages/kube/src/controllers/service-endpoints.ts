// The endpoints controller: keeps each Service's Endpoints and EndpointSlices as its pods are.
import type { Informer } from '../client/informer.ts';
import type { EndpointSlice, Endpoints, Pod, Service } from '../client/typed-objects.ts';
import type { KindRef } from '../kinds/kind.ts';
import { matchesLabels } from '../kinds/label-selector.ts';
import {
  EndpointSlice as EndpointSliceKind,
  Endpoints as EndpointsKind,
  Pod as PodKind,
  Service as ServiceKind,
} from '../kinds/refs.ts';
import type { KubeObject } from '../object.ts';
import { isStatus } from '../status-error.ts';
import type { ControllerContext } from './context.ts';
import { Controller, keyOf, splitKey } from './controller.ts';
import { Expectations } from './expectations.ts';
import { canonicalJson } from './hash.ts';
import {
  ENDPOINTS_MANAGED_BY,
  ENDPOINTS_MANAGER,
  type EndpointGroup,
  endpointGroups,
  endpointsFor,
  planSlices,
  SERVICE_NAME,
  SLICE_MANAGED_BY,
  SLICE_MANAGER,
} from './service-endpoints-plan.ts';

export class ServiceEndpointsController {
  readonly #context: ControllerContext;
  readonly #services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #endpoints: Informer<Endpoints>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #expectations: Expectations<EndpointSlice>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    const { informers, clock } = context;
    this.#context = context;
    this.#services = informers.informer<Service>(ServiceKind);
    this.#pods = informers.informer<Pod>(PodKind);
    this.#endpoints = informers.informer<Endpoints>(EndpointsKind);
    this.#slices = informers.informer<EndpointSlice>(EndpointSliceKind);
    this.#expectations = new Expectations(this.#slices, clock);
    this.#controller = new Controller({
      ...context,
      name: 'endpoints-controller',
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    this.#controller.follow(this.#services, (event) => [keyOf(event.object)]);
    this.#controller.follow(this.#pods, (event) => [
      ...this.#servicesOf(event.object),
      ...(event.type === 'updated' ? this.#servicesOf(event.old) : []),
    ]);
    this.#controller.follow(this.#endpoints, (event) => [keyOf(event.object)]);
    this.#controller.follow(this.#slices, ({ object }) => {
      const service = object.metadata?.labels?.[SERVICE_NAME];
      return service === undefined ? [] : [`${object.metadata?.namespace}/${service}`];
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    this.#expectations.close();
  }

  #servicesOf(pod: Pod): string[] {
    const { namespace, labels } = pod.metadata ?? {};
    return this.#services
      .list(namespace)
      .filter((service) => hasSelector(service) && matchesLabels(service.spec?.selector ?? {}, labels))
      .map(keyOf);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<undefined> {
    const { namespace, name } = splitKey(key);
    const service = this.#services.get(namespace, name);
    const slices = this.#slices.list(namespace).filter(({ metadata }) => {
      const labels = metadata?.labels ?? {};
      return labels[SERVICE_NAME] === name && labels[SLICE_MANAGED_BY] === SLICE_MANAGER;
    });
    if (service === undefined) {
      await this.#removeAll(namespace, name, slices);
      return;
    }
    // Without a selector the endpoints are somebody else's to write (Kubernetes docs: "Services without selectors").
    if (!hasSelector(service) || service.metadata?.deletionTimestamp !== undefined) return;
    const groups = endpointGroups(service, this.#pods.list(namespace));
    await Promise.all([this.#writeEndpoints(service, groups), this.#writeSlices(service, groups, slices, signal)]);
  }

  async #writeEndpoints(service: Service, groups: readonly EndpointGroup[]): Promise<void> {
    const { client } = this.#context;
    const wanted = endpointsFor(service, groups);
    const existing = this.#endpoints.get(service.metadata?.namespace, service.metadata?.name ?? '');
    if (existing === undefined) {
      try {
        await client.create(EndpointsKind, wanted);
      } catch (error) {
        // The informer is behind: its event brings us here again.
        if (!isStatus(error, 'AlreadyExists')) throw error;
      }
      return;
    }
    const same = (of: Endpoints) => canonicalJson([of.subsets, of.metadata?.labels]);
    if (same(existing) === same(wanted)) return;
    await client.update(EndpointsKind, {
      ...wanted,
      metadata: { ...existing.metadata, labels: wanted.metadata?.labels ?? {} },
    });
  }

  async #writeSlices(
    service: Service,
    groups: readonly EndpointGroup[],
    existing: readonly EndpointSlice[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client, random } = this.#context;
    const plan = planSlices(service, groups, existing, random);
    // New places before old ones go: whoever watches never sees fewer than there are.
    for (const slice of plan.update) await client.update(EndpointSliceKind, slice);
    await Promise.all(
      plan.create.map((slice) =>
        this.#expectations.created(
          keyOf(slice),
          () => client.create(EndpointSliceKind, slice),
          () => this.#exists(slice),
          signal,
        ),
      ),
    );
    for (const slice of plan.remove) await this.#remove(EndpointSliceKind, slice);
  }

  async #removeAll(namespace: string, name: string, slices: readonly EndpointSlice[]): Promise<void> {
    const endpoints = this.#endpoints.get(namespace, name);
    const ours = endpoints?.metadata?.labels?.[ENDPOINTS_MANAGED_BY] === ENDPOINTS_MANAGER;
    if (endpoints !== undefined && ours) await this.#remove(EndpointsKind, endpoints);
    for (const slice of slices) await this.#remove(EndpointSliceKind, slice);
  }

  async #remove(kind: KindRef, { metadata }: KubeObject): Promise<void> {
    try {
      await this.#context.client.delete(kind, metadata?.name ?? '', metadata?.namespace, {
        preconditions: { uid: metadata?.uid ?? '' },
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  async #exists({ metadata }: EndpointSlice): Promise<boolean> {
    try {
      await this.#context.client.get(EndpointSliceKind, metadata?.name ?? '', metadata?.namespace);
      return true;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }
}

function hasSelector(service: Service): boolean {
  return Object.keys(service.spec?.selector ?? {}).length > 0 && service.spec?.type !== 'ExternalName';
}

// Makes Services of type NodePort and LoadBalancer reachable from the host: opens their sockets, pipes what comes to ready
// pods, and writes the load balancers' addresses into their status (Kubernetes: kube-proxy and a cloud's service controller).
import type { KubeClient } from '@varka/kube/client/client.ts';
import type { EventRecorder } from '@varka/kube/client/event-recorder.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import { Controller, keyOf, splitKey } from '@varka/kube/controllers/controller.ts';
import { Service as ServiceKind } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import { saysAlready } from '@varka/mesh/install/conditions.ts';
import type { EntranceStatus } from '../protocol.ts';
import {
  addressOf,
  type Entrance,
  entrancesOf,
  idOf,
  loadBalancerStatus,
  NOT_TCP,
  type Trouble,
  troubleOf,
  unheeded,
  wantsLoadBalancer,
} from './entrances.ts';
import { type HostListeners, ListenRefusedError } from './host-listeners.ts';
import type { LoadBalancerAddresses } from './load-balancer-addresses.ts';
import { Publisher } from './publisher.ts';
import { ServiceEndpoints } from './service-endpoints.ts';

export interface ServicePublisherOptions {
  readonly client: KubeClient;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly listeners: Pick<HostListeners, 'open'>;
  readonly addresses: LoadBalancerAddresses;
  /** Addresses, as host:port, where the mesh listens for the gateway in any case. */
  readonly published: ReadonlySet<string>;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly log: Logger;
}

/** Whoever has a port may let go of it. */
const TRY_AGAIN_MS = 30_000;

/** What there is of a service on the host. */
interface Presence {
  readonly entrances: readonly Entrance[];
  /** By `idOf` its entrance, as the troubles. */
  readonly open: Map<string, Publisher>;
  readonly troubles: ReadonlyMap<string, Trouble>;
}

export class ServicePublisher {
  readonly #options: ServicePublisherOptions;
  readonly #endpoints: ServiceEndpoints;
  readonly #controller: Controller;
  readonly #present = new Map<string, Presence>();

  constructor(options: ServicePublisherOptions) {
    this.#options = options;
    this.#endpoints = new ServiceEndpoints(options.endpointSlices);
    this.#controller = new Controller({
      name: 'service-publisher',
      log: options.log,
      reconcile: (key) => this.#reconcile(key),
    });
    this.#controller.follow(options.services, ({ object }) => [keyOf(object)]);
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    for (const { open } of this.#present.values()) for (const publisher of open.values()) publisher.close();
  }

  status(): EntranceStatus[] {
    return [...this.#present].flatMap(([key, { entrances, troubles }]) => {
      const { namespace, name: service } = splitKey(key);
      return entrances.map((entrance) => {
        const address = addressOf(entrance);
        const error = troubles.get(idOf(entrance))?.message;
        const port = entrance.portName || String(entrance.servicePort);
        return { namespace, service, type: entrance.type, port, address, ...(error === undefined ? {} : { error }) };
      });
    });
  }

  async #reconcile(key: string): Promise<number | undefined> {
    const { services, addresses } = this.#options;
    const { namespace, name } = splitKey(key);
    const service = services.get(namespace, name);
    const balanced = service !== undefined && wantsLoadBalancer(service);
    const host = balanced ? addresses.of(key, service) : undefined;
    if (!balanced) addresses.release(key);
    const presence = await this.#open(key, service, service === undefined ? [] : entrancesOf(service, host));
    if (service === undefined) return undefined;
    if (balanced && host === undefined) {
      this.#warn(service, 'SyncLoadBalancerFailed', 'every address for load balancers is given away');
      return TRY_AGAIN_MS;
    }
    if (await this.#writeStatus(service, host, presence)) {
      for (const message of host === undefined ? [] : unheeded(service, host))
        this.#warn(service, 'LoadBalancerNotAsAsked', message);
    }
    return [...presence.troubles.values()].some((trouble) => trouble !== NOT_TCP) ? TRY_AGAIN_MS : undefined;
  }

  /** Closes what is no longer wanted first: a port may go from one service to another. */
  async #open(key: string, service: Service | undefined, entrances: readonly Entrance[]): Promise<Presence> {
    const before = this.#present.get(key);
    const open = before?.open ?? new Map<string, Publisher>();
    const troubles = new Map<string, Trouble>();
    const wanted = new Map(entrances.map((entrance) => [idOf(entrance), entrance]));
    const isGateway = this.#options.addresses.isGateway(key);
    for (const [id, publisher] of open) {
      if (wanted.has(id)) continue;
      publisher.close();
      open.delete(id);
    }
    for (const [id, entrance] of wanted) {
      const address = addressOf(entrance);
      if (open.has(id) || (isGateway && this.#options.published.has(address))) continue;
      const trouble = entrance.protocol === 'TCP' ? await this.#publish(key, id, entrance, open) : NOT_TCP;
      if (trouble === undefined) continue;
      troubles.set(id, trouble);
      const known = before?.troubles.get(id)?.message === trouble.message;
      if (service !== undefined && !known)
        this.#warn(service, 'PortNotPublished', `${entrance.type} ${address}: ${trouble.message}`);
    }
    const presence: Presence = { entrances, open, troubles };
    if (entrances.length === 0) this.#present.delete(key);
    else this.#present.set(key, presence);
    return presence;
  }

  async #publish(
    key: string,
    id: string,
    { host, port, portName }: Entrance,
    open: Map<string, Publisher>,
  ): Promise<Trouble | undefined> {
    const { listeners, services, log } = this.#options;
    const { namespace, name } = splitKey(key);
    try {
      const publisher = new Publisher({
        server: await listeners.open(host, port),
        name: `${key} at ${host}:${port}`,
        endpoints: () => this.#endpoints.ready(namespace, name, portName),
        sticky: () => services.get(namespace, name)?.spec?.sessionAffinity === 'ClientIP',
        log,
      });
      open.set(id, publisher);
      return undefined;
    } catch (error) {
      if (error instanceof ListenRefusedError) return troubleOf(error, `${host}:${port}`);
      throw error;
    }
  }

  /** A Service that is no load balancer any more must not say that it is one. True when there was something to say. */
  async #writeStatus(service: Service, host: string | undefined, presence: Presence): Promise<boolean> {
    if (host === undefined && service.status?.loadBalancer?.ingress === undefined) return false;
    const { name = '', namespace } = service.metadata ?? {};
    const loadBalancer =
      host === undefined ? { ingress: null } : loadBalancerStatus(host, presence.entrances, presence.troubles);
    if (saysAlready(service.status, { loadBalancer })) return false;
    try {
      await this.#options.client.patch(
        ServiceKind,
        name,
        namespace,
        { status: { loadBalancer } },
        { type: 'merge', subresource: 'status' },
      );
    } catch (error) {
      // Deleted in the meantime: there is nothing left to tell.
      if (!isStatus(error, 'NotFound')) throw error;
    }
    return true;
  }

  #warn(service: Service, reason: string, message: string): void {
    this.#options.events.event(ServiceKind, service, 'Warning', reason, message);
  }
}

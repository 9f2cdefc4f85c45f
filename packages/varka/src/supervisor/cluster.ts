// Everything that runs inside the cluster's network: made in the order in which the parts need each other, stopped in
// the opposite one.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EventRecorder } from '@varka/kube/client/event-recorder.ts';
import { HttpKubeClient } from '@varka/kube/client/http-client.ts';
import { InformerSet } from '@varka/kube/client/informer-set.ts';
import { type ClusterAccess, KubeconfigError, loadKubeconfig } from '@varka/kube/client/kubeconfig.ts';
import type { Deployment, EndpointSlice, Pod, Service } from '@varka/kube/client/typed-objects.ts';
import { startControllers } from '@varka/kube/controllers/start.ts';
import { loadOrCreateCredentials } from '@varka/kube/credentials/credentials.ts';
import { writeKubeconfig } from '@varka/kube/credentials/kubeconfig-file.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import { refOf } from '@varka/kube/kinds/row.ts';
import type { AdmissionPlugin } from '@varka/kube/server/admission.ts';
import { ApiServer } from '@varka/kube/server/api-server.ts';
import type { PodBackend } from '@varka/kube/server/pod-backend.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import { Store } from '@varka/kube/store/store.ts';
import { sidecarInjector } from '@varka/mesh/inject/sidecar-injector.ts';
import {
  CLUSTER_DOMAIN,
  DNS_ADDRESS,
  GATEWAY_NAME,
  ISTIOD_ADDRESS,
  ISTIOD_GRPC_PORT,
  KUBERNETES_ADDRESS,
  SYSTEM_NAMESPACE,
} from '@varka/mesh/install/addresses.ts';
import { installMesh } from '@varka/mesh/install/install-mesh.ts';
import { startMeshController } from '@varka/mesh/install/mesh-controller.ts';
import { type ControlPlane, startControlPlane } from '@varka/mesh/serve/control-plane.ts';
import { istioValidator } from '@varka/mesh/validate/istio-validator.ts';
import type { ContainerEngine } from '@varka/node/images/container-engine.ts';
import { type CatalogEntry, ImageCatalog } from '@varka/node/images/image-catalog.ts';
import { ImageResolver } from '@varka/node/images/image-resolver.ts';
import { type NodeAgent, startNode } from '@varka/node/pods/node.ts';
import type { MeshStatus, SupervisorConfig } from '../protocol.ts';
import { type ClusterNetwork, createClusterNetwork } from './cluster-network.ts';
import type { HostListeners } from './host-listeners.ts';
import { catalogEntries, programEntries } from './images.ts';
import { LoadBalancerAddresses } from './load-balancer-addresses.ts';
import { createLogger } from './log.ts';
import { bundlePrograms } from './program-bundle.ts';
import { Publisher } from './publisher.ts';
import { ServiceEndpoints } from './service-endpoints.ts';
import { ServicePublisher } from './service-publisher.ts';
import { meshStatus } from './status.ts';
import type { StepReporter } from './steps.ts';

const API_PORT = 443;
const NODE_NAME = 'varka';
/** How long pods have on the way out; a sidecar finishes its requests in one second. */
const POD_GRACE_MS = 2_000;

type Stop = () => unknown;

export class Cluster {
  readonly #config: SupervisorConfig;
  readonly #steps: StepReporter;
  readonly #listeners: HostListeners;
  readonly #addresses: LoadBalancerAddresses;
  readonly #stops: Stop[] = [];
  #api: ApiServer | undefined;
  #access: ClusterAccess | undefined;
  #client: HttpKubeClient | undefined;
  #informers: InformerSet | undefined;
  #injector: AdmissionPlugin | undefined;
  readonly #engine: ContainerEngine;
  readonly #catalog = new ImageCatalog([]);
  #images: readonly CatalogEntry[];
  /** Of our own programs, once they are there. */
  #bundles: Readonly<Record<string, string>> | undefined;
  #node: NodeAgent | undefined;
  #controlPlane: ControlPlane | undefined;
  #services: ServicePublisher | undefined;

  constructor(config: SupervisorConfig, steps: StepReporter, listeners: HostListeners, engine: ContainerEngine) {
    this.#config = config;
    this.#engine = engine;
    this.#images = config.images;
    this.#steps = steps;
    this.#listeners = listeners;
    this.#addresses = new LoadBalancerAddresses(config.loadBalancers, `${SYSTEM_NAMESPACE}/${GATEWAY_NAME}`);
  }

  get client(): HttpKubeClient {
    if (this.#client === undefined) throw new Error('the API server has not started yet');
    return this.#client;
  }

  /** How to reach the API from inside. */
  get access(): ClusterAccess {
    if (this.#access === undefined) throw new Error('the API server has not started yet');
    return this.#access;
  }

  get informers(): InformerSet {
    if (this.#informers === undefined) throw new Error('the API server has not started yet');
    return this.#informers;
  }

  /** All kinds in all their versions. */
  servedKinds(): KindRef[] {
    const rows = this.#api?.registry.rows() ?? [];
    return rows.flatMap((row) => row.versions.map((version) => refOf(row, version)));
  }

  async start(): Promise<void> {
    const bundles = bundlePrograms(this.#config.profile.cache, programEntries()); // takes its time while the rest starts
    bundles.catch(() => undefined); // waited for below
    const network = await createClusterNetwork(this.#config.sandbox);
    this.#stops.push(() => network.pods.close());
    await this.#steps.run('api', 'API server', async (update) => {
      await this.#startApi();
      update(`API server at https://127.0.0.1:${this.#config.ports.api}`);
    });
    await this.#steps.run('control-plane', 'controllers and control plane', async () => {
      await Promise.all([
        this.#startControllers(),
        this.#startControlPlane(network),
        this.#startServices(network),
        this.#startNode(network, bundles),
      ]);
      await installMesh(this.client, {
        gatewayHost: `127.0.0.1:${this.#config.ports.http}`,
        gatewayPorts: {
          http: await this.#gatewayPort(80, this.#config.ports.http),
          https: await this.#gatewayPort(443, this.#config.ports.https),
        },
      });
      await this.#publishGateway();
      await this.#publishServices();
    });
  }

  status(): MeshStatus {
    const informers = this.#informers;
    return informers === undefined
      ? { pods: [], entrances: [], proxies: [], findings: [] }
      : meshStatus(informers, this.#controlPlane, this.#services);
  }

  syncz(): unknown {
    return { proxies: this.#controlPlane?.proxyStatus() ?? [], convergence: this.#controlPlane?.convergence() ?? null };
  }

  /** What varka.yaml lists, from now on. */
  replaceImages(images: readonly CatalogEntry[]): void {
    this.#images = images;
    if (this.#bundles !== undefined)
      this.#catalog.replace(catalogEntries(images, this.#bundles, this.#config.profile.cache));
  }

  /** Every part gets its chance, whatever the others did. */
  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures);
  }

  async #startApi(): Promise<void> {
    const { profile, ports } = this.#config;
    const log = createLogger('apiserver');
    mkdirSync(profile.store, { recursive: true, mode: 0o700 });
    const store = Store.open({ path: join(profile.store, 'objects.db'), log });
    this.#stops.push(() => store.close());
    const credentials = await loadOrCreateCredentials(profile.pki);
    const api = new ApiServer({
      store,
      tls: { ...credentials.server, clientCa: credentials.ca },
      tokens: [{ token: credentials.token, user: 'system:varka', groups: ['system:masters'] }],
      admission: [this.#lateInjector(), istioValidator()],
      podBackend: this.#lateBackend(),
      log,
    });
    this.#api = api;
    this.#stops.push(() => api.close());
    await api.listen({ host: KUBERNETES_ADDRESS, port: API_PORT });
    await api.listen(await this.#listeners.published('api'));
    const namespace = chosenNamespace(profile.kubeconfig);
    await writeKubeconfig(profile.kubeconfig, {
      server: `https://127.0.0.1:${ports.api}`,
      name: profile.name === 'default' ? 'varka' : `varka-${profile.name}`,
      credentials,
      ...(namespace === undefined ? {} : { namespace }),
    });
    const access = { server: `https://${KUBERNETES_ADDRESS}`, ca: credentials.ca, token: credentials.token };
    const client = new HttpKubeClient(access);
    this.#access = access;
    const informers = new InformerSet({ client, log: createLogger('controllers') });
    this.#client = client;
    this.#informers = informers;
    this.#stops.push(
      () => client.close(),
      () => informers.stop(),
    );
    this.#injector = sidecarInjector({
      namespaces: informers.informer(kinds.Namespace),
      memberRolls: informers.informer(kinds.ServiceMeshMemberRoll),
      configMaps: informers.informer(kinds.ConfigMap),
      client,
      log: createLogger('istiod'),
    });
  }

  /** The injector reads the API that it is part of, so it can only be made after it; no pod can be created before. */
  #lateInjector(): AdmissionPlugin {
    return {
      name: 'sidecar-injector',
      admit: (request) => {
        if (this.#injector !== undefined) return this.#injector.admit(request);
        if (request.kind.kind !== 'Pod') return { allowed: true };
        throw StatusError.unavailable('the sidecar injector has not started yet');
      },
    };
  }

  #lateBackend(): PodBackend {
    const backend = () => {
      if (this.#node === undefined) throw StatusError.unavailable('the node agent has not started yet');
      return this.#node.backend;
    };
    return {
      logs: (...args) => backend().logs(...args),
      exec: async (...args) => backend().exec(...args),
      attach: async (...args) => backend().attach(...args),
      connect: (...args) => backend().connect(...args),
      usage: () => backend().usage(),
    };
  }

  async #startControllers(): Promise<void> {
    const { client, informers } = this;
    const log = createLogger('controllers');
    const controllers = await startControllers({ client, informers, log });
    this.#stops.push(() => controllers.stop());
    const meshController = await startMeshController({
      client,
      log,
      controlPlanes: informers.informer(kinds.ServiceMeshControlPlane),
      memberRolls: informers.informer(kinds.ServiceMeshMemberRoll),
      namespaces: informers.informer(kinds.Namespace),
      deployments: informers.informer(kinds.Deployment),
      routes: informers.informer(kinds.Route),
      services: informers.informer(kinds.Service),
      ingresses: informers.informer(kinds.Ingress),
      gatewayHost: `127.0.0.1:${this.#config.ports.http}`,
    });
    this.#stops.push(() => meshController.stop());
  }

  async #startControlPlane({ marksSockets }: ClusterNetwork): Promise<void> {
    const { client, informers } = this;
    const controlPlane = await startControlPlane({
      client,
      log: createLogger('istiod'),
      listen: { host: ISTIOD_ADDRESS, port: ISTIOD_GRPC_PORT },
      meshConfig: { marksSockets },
      informers: {
        services: informers.informer(kinds.Service),
        endpointSlices: informers.informer(kinds.EndpointSlice),
        pods: informers.informer(kinds.Pod),
        gateways: informers.informer(kinds.Gateway),
        ingresses: informers.informer(kinds.Ingress),
        routes: informers.informer(kinds.Route),
        virtualServices: informers.informer(kinds.VirtualService),
        routeRules: informers.informer(kinds.RouteRule),
        destinationRules: informers.informer(kinds.DestinationRule),
        controlPlanes: informers.informer(kinds.ServiceMeshControlPlane),
      },
    });
    this.#controlPlane = controlPlane;
    this.#stops.push(() => controlPlane.stop());
  }

  async #startServices(network: ClusterNetwork): Promise<void> {
    this.#stops.push(await network.startServices(this.informers));
  }

  async #startNode(network: ClusterNetwork, bundles: ReturnType<typeof bundlePrograms>): Promise<void> {
    const { profile } = this.#config;
    const log = createLogger('node');
    const { paths, built } = await bundles;
    this.#bundles = paths;
    this.#catalog.replace(catalogEntries(this.#images, paths, profile.cache));
    network.useBundles({ paths, built });
    log.info(built ? 'bundled the programs' : 'the programs’ bundles are current', {
      programs: Object.keys(paths).length,
    });
    const node = await startNode({
      client: this.client,
      pods: this.informers.informer<Pod>(kinds.Pod),
      nodeName: NODE_NAME,
      stateDir: profile.directory,
      images: new ImageResolver(this.#catalog, this.#engine),
      network: network.pods,
      clusterDomain: CLUSTER_DOMAIN,
      dnsAddress: DNS_ADDRESS,
      api: { address: KUBERNETES_ADDRESS, port: API_PORT },
      log,
    });
    this.#node = node;
    this.#stops.push(() => node.stop(POD_GRACE_MS));
  }

  /** The port that the gateway's Service says it has: the standard one, unless the host has it for others only. */
  async #gatewayPort(standard: number, published: number): Promise<number> {
    return (await this.#listeners.isFree(this.#addresses.gateway, standard)) ? standard : published;
  }

  /** At the published ports, which it has whatever becomes of its Service. */
  async #publishGateway(): Promise<void> {
    const endpoints = new ServiceEndpoints(this.informers.informer<EndpointSlice>(kinds.EndpointSlice));
    for (const [socket, portName] of [
      ['http', 'http2'],
      ['https', 'https'],
    ] as const) {
      const publisher = new Publisher({
        server: await this.#listeners.published(socket),
        name: `the gateway (${socket})`,
        endpoints: () => endpoints.ready(SYSTEM_NAMESPACE, GATEWAY_NAME, portName),
        log: createLogger('gateway'),
      });
      this.#stops.push(() => publisher.close());
    }
  }

  async #publishServices(): Promise<void> {
    const { client, informers } = this;
    const log = createLogger('node');
    const events = new EventRecorder({ client, component: 'service-controller', log });
    const services = new ServicePublisher({
      client,
      services: informers.informer<Service>(kinds.Service),
      endpointSlices: informers.informer<EndpointSlice>(kinds.EndpointSlice),
      listeners: this.#listeners,
      addresses: this.#addresses,
      published: new Set(Object.values(this.#config.ports).map((port) => `127.0.0.1:${port}`)),
      events,
      log,
    });
    this.#stops.push(async () => {
      await services.stop();
      await events.flush();
    });
    await services.start();
    this.#services = services;
  }

  deployments() {
    return this.informers.informer<Deployment>(kinds.Deployment);
  }

  pods() {
    return this.informers.informer<Pod>(kinds.Pod);
  }
}

/** What the user chose with `kubectl config set-context --current --namespace` outlives a restart. */
function chosenNamespace(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return loadKubeconfig(path).namespace;
  } catch (error) {
    if (error instanceof KubeconfigError) return undefined; // damaged, and about to be written anew
    throw error;
  }
}

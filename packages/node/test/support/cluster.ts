// A node with a fake API beside it, for tests that run inside the cluster's network: its namespace, or its directory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInformer, type Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Event, Pod, Service } from '@varka/kube/client/typed-objects.ts';
import { Event as EventKind, Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import { createDnsView } from '../../src/dns/view.ts';
import type { ContainerEngine } from '../../src/images/container-engine.ts';
import { type CatalogEntry, ImageCatalog } from '../../src/images/image-catalog.ts';
import { ImageResolver } from '../../src/images/image-resolver.ts';
import { processesOf } from '../../src/loopback/belongings.ts';
import { createFabricDirectory, removeFabric } from '../../src/loopback/fabric-directory.ts';
import { LoopbackNetwork } from '../../src/loopback/loopback-network.ts';
import { joinFabric } from '../../src/loopback/preload/join.ts';
import { startTableKeeper } from '../../src/loopback/table-keeper.ts';
import { NetnsNetwork } from '../../src/netns/netns-network.ts';
import { startServiceProxy } from '../../src/netns/services/service-proxy.ts';
import { type NodeAgent, startNode } from '../../src/pods/node.ts';
import type { PodNetwork } from '../../src/sandbox/pod-network.ts';
import { processTable } from '../../src/sandbox/processes.ts';
import { FakeKube } from './fake-kube.ts';
import { log } from './log.ts';

/** Which sandbox is under test; told by whoever started this process. */
export const SANDBOX = process.env['VARKA_TEST_SANDBOX'] === 'loopback' ? 'loopback' : 'netns';
/** A reason to skip what only namespaces can do. */
export const onlyInNamespaces = (reason: string): string | false => SANDBOX === 'loopback' && reason;

const NETWORK = {
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  nodeLocalCidr: '10.96.0.0/28',
  nodeLocalAddresses: ['10.96.0.1', '10.96.0.10', '10.96.0.15'],
  probeSource: '169.254.7.127',
  loadBalancerCidr: '127.77.0.0/16',
};

export type TestNetwork = NetnsNetwork | LoopbackNetwork;

export function createNetwork(): TestNetwork {
  return SANDBOX === 'netns' ? NetnsNetwork.create(NETWORK) : createFabric();
}

let fabric = '';

/** What runs besides this process: in a PID namespace everything is a pod's, elsewhere only what says so. */
export function countProcesses(): number {
  if (SANDBOX === 'loopback') return processesOf(fabric, new Map()).length;
  return processTable().filter(({ state }) => state !== 'Z').length;
}

/** This process becomes the node of it. */
function createFabric(): LoopbackNetwork {
  const directory = createFabricDirectory();
  fabric = directory;
  process.once('exit', () => removeFabric(directory));
  const preload = new URL('../../src/loopback/preload/main.ts', import.meta.url).href;
  const network = LoopbackNetwork.create({ ...NETWORK, directory, zone: 'cluster.local', preload: () => preload });
  const nobody = { hostname: 'node', hosts: {}, searches: [] };
  joinFabric({ ...nobody, network: directory, address: network.nodeAddress, kind: 'node' });
  return network;
}

/** Cluster IPs, by what each sandbox has for them. */
export function startServices(
  services: Informer<Service>,
  endpointSlices: Informer<EndpointSlice>,
  network: TestNetwork,
): Promise<{ stop(): void }> {
  const given = { services, endpointSlices, log };
  if (network instanceof NetnsNetwork) return startServiceProxy({ ...given, network });
  const view = createDnsView({ services, endpointSlices, apiAddress: '10.96.0.1' });
  return startTableKeeper({ ...given, network, view });
}

export interface Cluster {
  readonly kube: FakeKube;
  readonly network: PodNetwork;
  readonly catalog: ImageCatalog;
  readonly stateDir: string;
  readonly node: NodeAgent;
  createPod(pod: Pod): Promise<Pod>;
  /** The pod as the API has it, as soon as it is as wanted. */
  pod(name: string, wanted: (pod: Pod) => boolean): Promise<Pod>;
  gone(name: string): Promise<void>;
  events(name: string): Promise<Event[]>;
  /** The files go too, unless the next cluster is to find them. */
  stop(keepFiles?: boolean): Promise<void>;
}

export interface ClusterOptions {
  readonly images: readonly CatalogEntry[];
  readonly engine?: ContainerEngine;
  readonly network: PodNetwork;
  /** Continue with an earlier cluster's objects and files. */
  readonly from?: Pick<Cluster, 'kube' | 'stateDir'>;
}

const PATIENCE_MS = 15_000;

export async function startCluster({ images, engine, network, from }: ClusterOptions): Promise<Cluster> {
  const catalog = new ImageCatalog(images);
  const kube = from?.kube ?? new FakeKube();
  const stateDir = from?.stateDir ?? mkdtempSync(join(tmpdir(), 'varka-node-'));
  const pods: Informer<Pod> = createInformer<Pod>(kube, PodKind, { log });
  const node = await startNode({
    client: kube,
    pods,
    nodeName: 'varka',
    stateDir,
    images: new ImageResolver(catalog, engine),
    network,
    clusterDomain: 'cluster.local',
    dnsAddress: '10.96.0.10',
    api: { address: '10.96.0.1', port: 443 },
    log,
  });
  const until = (name: string, test: (pod: Pod | undefined) => boolean): Promise<Pod | undefined> =>
    new Promise((resolve, reject) => {
      let last: Pod | undefined;
      const timer = setTimeout(() => {
        off();
        reject(new Error(`pod ${name} did not become as wanted: ${JSON.stringify(last?.status, null, 1)}`));
      }, PATIENCE_MS);
      const look = (pod: Pod | undefined): void => {
        last = pod;
        if (!test(pod)) return;
        clearTimeout(timer);
        queueMicrotask(() => off());
        resolve(pod);
      };
      let off = (): void => undefined;
      off = pods.onEvent((event) => {
        if (event.object.metadata?.name !== name) return;
        look(event.type === 'deleted' ? undefined : event.object);
      });
      if (pods.list().every((pod) => pod.metadata?.name !== name)) look(undefined);
    });
  return {
    kube,
    catalog,
    network,
    stateDir,
    node,
    createPod: (pod) => kube.create<Pod>(PodKind, pod),
    pod: async (name, wanted) => (await until(name, (pod) => pod !== undefined && wanted(pod))) as Pod,
    gone: async (name) => {
      await until(name, (pod) => pod === undefined);
    },
    events: async (name) =>
      (await kube.list<Event>(EventKind)).items.filter(({ involvedObject }) => involvedObject.name === name),
    stop: async (keepFiles = false) => {
      await node.stop();
      pods.stop();
      if (!keepFiles) rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

export function pod(name: string, spec: Partial<NonNullable<Pod['spec']>>, metadata: Pod['metadata'] = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { containers: [], ...spec },
  };
}

export const isReady = (found: Pod): boolean =>
  found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

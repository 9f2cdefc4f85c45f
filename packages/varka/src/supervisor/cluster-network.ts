// The pods' network, by either sandbox, and what makes names and services work in it.
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { InformerSet } from '@varka/kube/client/informer-set.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import { CLUSTER_DOMAIN, DNS_ADDRESS, ISTIOD_ADDRESS, KUBERNETES_ADDRESS } from '@varka/mesh/install/addresses.ts';
import { startDnsServer } from '@varka/node/dns/server.ts';
import { createDnsView } from '@varka/node/dns/view.ts';
import { LoopbackNetwork } from '@varka/node/loopback/loopback-network.ts';
import { joinFabric } from '@varka/node/loopback/preload/join.ts';
import { startTableKeeper } from '@varka/node/loopback/table-keeper.ts';
import { NetnsNetwork } from '@varka/node/netns/netns-network.ts';
import { startServiceProxy } from '@varka/node/netns/services/service-proxy.ts';
import type { PodNetwork } from '@varka/node/sandbox/pod-network.ts';
import { LOAD_BALANCER_NETWORK } from '../front/load-balancer-claim.ts';
import type { SandboxConfig } from '../protocol.ts';
import { createLogger } from './log.ts';
import { type Bundles, PRELOAD_ENTRY } from './program-bundle.ts';

const NETWORK = {
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  nodeLocalCidr: '10.96.0.0/28',
  nodeLocalAddresses: [KUBERNETES_ADDRESS, DNS_ADDRESS, ISTIOD_ADDRESS],
  /** Link-local, as in Istio's ambient mode: probes come from there, and capture lets them pass. */
  probeSource: '169.254.7.127',
  loadBalancerCidr: LOAD_BALANCER_NETWORK,
} as const;
const DNS_PORT = 53;

type Stop = () => unknown;

export interface ClusterNetwork {
  readonly pods: PodNetwork;
  /** Whether capture knows a sidecar's connections by their mark. */
  readonly marksSockets: boolean;
  /** Before the first pod. */
  useBundles(bundles: Bundles): void;
  /** Cluster DNS and cluster IPs; resolves when what exists now is in force. */
  startServices(informers: InformerSet): Promise<Stop>;
}

export async function createClusterNetwork(sandbox: SandboxConfig): Promise<ClusterNetwork> {
  return sandbox.kind === 'netns' ? inNamespaces() : inFabric(sandbox.directory);
}

function inNamespaces(): ClusterNetwork {
  const network = NetnsNetwork.create(NETWORK);
  return {
    pods: network,
    marksSockets: true,
    useBundles: () => undefined,
    startServices: async (informers) => {
      const { services, endpointSlices, view } = readingsOf(informers);
      const [dns, proxy] = await Promise.all([
        startDnsServer({
          address: DNS_ADDRESS,
          port: DNS_PORT,
          zone: CLUSTER_DOMAIN,
          view,
          log: createLogger('dns'),
        }),
        startServiceProxy({ services, endpointSlices, network, log: createLogger('node') }),
      ]);
      return async () => {
        proxy.stop();
        await dns.close();
      };
    },
  };
}

/** From here on this process reaches the cluster's addresses, too: it is the node. */
async function inFabric(directory: string): Promise<ClusterNetwork> {
  let preload = '';
  const network = LoopbackNetwork.create({ ...NETWORK, directory, zone: CLUSTER_DOMAIN, preload: () => preload });
  await network.ready;
  joinFabric({
    network: directory,
    address: network.nodeAddress,
    kind: 'node',
    hostname: hostname(),
    hosts: {},
    searches: [],
  });
  return {
    pods: network,
    marksSockets: false,
    useBundles: ({ paths }) => {
      preload = pathToFileURL(paths[PRELOAD_ENTRY] ?? PRELOAD_ENTRY).href;
    },
    startServices: async (informers) => {
      const keeper = await startTableKeeper({ ...readingsOf(informers), network, log: createLogger('node') });
      return () => keeper.stop();
    },
  };
}

function readingsOf(informers: InformerSet) {
  const services = informers.informer<Service>(kinds.Service);
  const endpointSlices = informers.informer<EndpointSlice>(kinds.EndpointSlice);
  const view = createDnsView({ services, endpointSlices, apiAddress: KUBERNETES_ADDRESS });
  return { services, endpointSlices, view };
}

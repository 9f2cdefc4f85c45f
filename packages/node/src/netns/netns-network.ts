// The network all pods of this machine share: the node's own addresses, routes, and a place for every new pod.
import { ipv4Bytes, KernelError, sethostname } from '../netlink/libc.ts';
import {
  addAddress,
  addGatewayRoute,
  addLinkRoute,
  addNeighbor,
  createBridge,
  createVethPair,
  defaultRoute,
  deleteLinkRoute,
  type LinkRoute,
  LOOPBACK_INDEX,
  linkUp,
  RouteSocket,
} from '../netlink/route.ts';
import { AddressPool, type Cidr, contains, firstHost, parseCidr } from '../sandbox/address-pool.ts';
import { closeOnExec } from '../sandbox/descriptors.ts';
import { orUnavailable } from '../sandbox/errors.ts';
import type { PodNetwork, PodNetworkOptions } from '../sandbox/pod-network.ts';
import { installCapture } from './capture.ts';
import { mountMemory } from './container-mounts.ts';
import { missingFiles, mountEtcFiles, writeEtcFiles } from './etc-files.ts';
import { closeNamespaces, createNamespaces } from './namespaces.ts';
import { NetnsSandbox } from './netns-sandbox.ts';
import { allowLoopbackAddressesOnLinks, enableForwarding, refuseWhatLeadsTo } from './routing.ts';

/**
 * The node's own interface: a bridge that nothing is plugged into (every kernel that runs containers has bridges, not
 * every one has dummy interfaces). Pods are not bridged but routed, each over a link of its own, so that one connection
 * tracking sees both directions of all that goes between them, and addresses of services can be translated there.
 */
const NODE_LINK = 'varka0';
/** Every pod's gateway, on every pod's link. Locally administered (0x02 in the first byte), "varka" in the rest. */
const GATEWAY_HARDWARE_ADDRESS = Buffer.from([0x0e, 0x76, 0x61, 0x72, 0x6b, 0x61]);

export interface NetnsNetworkOptions {
  /** 10.244.0.0/16: its first address is the node's and every pod's gateway. */
  readonly podCidr: string;
  /** 10.96.0.0/16: cluster IPs; what no rule of a service translates is refused. */
  readonly serviceCidr: string;
  /** 10.96.0.0/28: services that the node itself answers; sidecars leave them alone. */
  readonly nodeLocalCidr: string;
  /** Those of its addresses that something listens on: API server, DNS, control plane. */
  readonly nodeLocalAddresses: readonly string[];
  /** 169.254.7.127: probes come from there, and no pod's capture touches them. */
  readonly probeSource: string;
  /**
   * 127.77.0.0/16: the addresses of load balancers, which the host must be able to listen on, and on what else may an
   * ordinary user listen that is not in anybody else's reach? In a pod this part of the loopback network leads out.
   */
  readonly loadBalancerCidr: string;
}

export class NetnsNetwork implements PodNetwork {
  readonly podCidr: string;
  readonly nodeAddress: string;
  readonly probeSource: string;
  /** What this machine lacks, in a sentence for the user. */
  readonly warning: string | undefined;
  readonly #options: NetnsNetworkOptions;
  readonly #nodeLocal: Cidr;
  readonly #loadBalancers: Cidr;
  readonly #route: RouteSocket;
  readonly #addresses: AddressPool;
  readonly #pods = new Set<NetnsSandbox>();

  private constructor(options: NetnsNetworkOptions) {
    this.#options = options;
    this.podCidr = options.podCidr;
    this.nodeAddress = firstHost(options.podCidr);
    this.probeSource = options.probeSource;
    this.warning = missingFiles();
    this.#nodeLocal = parseCidr(options.nodeLocalCidr);
    this.#loadBalancers = parseCidr(options.loadBalancerCidr);
    closeOnExec();
    this.#addresses = new AddressPool(options.podCidr);
    this.#route = new RouteSocket();
    this.#setUp();
  }

  /** The process must already be in the cluster's own, still empty, network namespace. */
  static create(options: NetnsNetworkOptions): NetnsNetwork {
    return new NetnsNetwork(options);
  }

  /** Services there are the node's own: they are reached as they are, without a sidecar and without a translation. */
  isNodeLocal(address: string): boolean {
    return contains(this.#nodeLocal, address);
  }

  /** Whether pods reach services at that address by way of the kernel's table. */
  isLoadBalancer(address: string): boolean {
    return contains(this.#loadBalancers, address);
  }

  #setUp(): void {
    const { nodeLocalAddresses, probeSource } = this.#options;
    enableForwarding();
    allowLoopbackAddressesOnLinks();
    orUnavailable('links', () => this.#route.apply([linkUp('lo'), createBridge(NODE_LINK)]));
    const linkIndex = this.#route.indexOf(NODE_LINK);
    const nowhere = (cidr: string): LinkRoute => ({ ...parseCidr(cidr), linkIndex, source: this.nodeAddress });
    this.#route.apply([
      addAddress(linkIndex, this.nodeAddress, 32),
      addAddress(linkIndex, probeSource, 32),
      ...nodeLocalAddresses.map((address) => addAddress(LOOPBACK_INDEX, address, 32)),
      addLinkRoute(nowhere(this.#options.podCidr)),
      addLinkRoute(nowhere(this.#options.serviceCidr)),
    ]);
    orUnavailable('services', () => refuseWhatLeadsTo(linkIndex));
  }

  createPod(options: PodNetworkOptions): NetnsSandbox {
    const ip = this.#addresses.allocate();
    const link = linkName(ip);
    let route: LinkRoute | undefined;
    try {
      const mounts = writeEtcFiles(options.directory, { ...options, ip });
      const namespaces = createNamespaces((_fds, clusterNet) => {
        mountEtcFiles(mounts);
        for (const memory of options.memoryDirectories ?? []) mountMemory(memory);
        sethostname(options.hostname);
        this.#connectPod(link, ip, clusterNet);
        if (options.capture) {
          const { probeSource } = this.#options;
          orUnavailable('capture', () =>
            installCapture({ probeSource, nodeLocal: this.#nodeLocal, loadBalancers: this.#loadBalancers }),
          );
        }
      });
      const pod = new NetnsSandbox({
        ip,
        namespaces,
        directory: options.directory,
        onDestroy: () => {
          this.#pods.delete(pod);
          // The veth pair goes with the pod's namespace, in the kernel's own time: deleting it here would hold up this
          // thread for some 30 ms. Until its address comes round again it is long gone. Its route goes now, so that
          // callers are refused from now on.
          if (route !== undefined) this.#dropRoute(route);
          this.#addresses.release(ip);
        },
      });
      try {
        route = this.#routeTo(link, ip);
      } catch (error) {
        closeNamespaces(namespaces);
        throw error;
      }
      this.#pods.add(pod);
      return pod;
    } catch (error) {
      this.#addresses.release(ip);
      throw error;
    }
  }

  /** Runs in the pod's network namespace, so that a pair made half-way goes with it. */
  #connectPod(link: string, ip: string, clusterNet: number): void {
    const route = new RouteSocket();
    const here = { name: 'eth0', hardwareAddress: hardwareAddress(ip) };
    const there = { name: link, hardwareAddress: GATEWAY_HARDWARE_ADDRESS };
    try {
      orUnavailable('links', () => route.apply([linkUp('lo'), createVethPair(here, there, clusterNet)]));
      // The end that is brought up last carries packets at once, the other one when the kernel gets round to it: a
      // pod's first packet must not be lost, it would be sent again a second later.
      this.#route.apply([linkUp(link)]);
      route.apply([linkUp('eth0')]);
      const linkIndex = route.indexOf('eth0');
      route.apply([
        addAddress(linkIndex, ip, 32),
        addNeighbor(linkIndex, this.nodeAddress, GATEWAY_HARDWARE_ADDRESS),
        addLinkRoute({ address: this.nodeAddress, prefixLength: 32, linkIndex }),
        defaultRoute(this.nodeAddress),
        addGatewayRoute({ ...this.#loadBalancers, gateway: this.nodeAddress, source: ip, overLocal: true }),
      ]);
      allowLoopbackAddressesOnLinks();
    } finally {
      route.close();
    }
  }

  #routeTo(link: string, ip: string): LinkRoute {
    // Kernels from 6.8 on also bring the link's state up to date when they are asked for it.
    const linkIndex = this.#route.indexOf(link);
    const route = { address: ip, prefixLength: 32, linkIndex, source: this.nodeAddress };
    this.#route.apply([addNeighbor(linkIndex, ip, hardwareAddress(ip)), addLinkRoute(route)]);
    return route;
  }

  #dropRoute(route: LinkRoute): void {
    try {
      this.#route.apply([deleteLinkRoute(route)]);
    } catch (error) {
      // Gone with its link already.
      if (!(error instanceof KernelError && error.code === 'ESRCH')) throw error;
    }
  }

  /** Ends every process of every pod. The rest goes with the network namespace. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([...this.#pods].map((pod) => pod.destroy()));
    this.#route.close();
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    if (failures.length > 0) throw new AggregateError(failures, failures.join('; '));
  }
}

/** An interface name has at most 15 characters; the address's host part is enough to tell whose it is. */
function linkName(ip: string): string {
  const [, second, third, fourth] = ip.split('.');
  return `veth${second}.${third}.${fourth}`;
}

/** Locally administered, the pod's address in the rest. */
function hardwareAddress(ip: string): Buffer {
  return Buffer.concat([Buffer.from([0x0e, 0x00]), ipv4Bytes(ip)]);
}

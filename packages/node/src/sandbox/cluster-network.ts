// The network all pods of this machine share: a bridge, the node's own addresses, and a place for every new pod.

import { sethostname } from '../netlink/libc.ts';
import {
  addAddress,
  createBridge,
  createVethPair,
  defaultRoute,
  enslave,
  LOOPBACK_INDEX,
  linkUp,
  RouteSocket,
} from '../netlink/route.ts';
import { AddressPool, firstHost, parseCidr } from './address-pool.ts';
import { installCapture } from './capture.ts';
import { orUnavailable } from './errors.ts';
import { type EtcOptions, missingFiles, mountEtcFiles, writeEtcFiles } from './etc-files.ts';
import { closeNamespaces, closeOnExec, createNamespaces } from './namespaces.ts';
import { PodSandbox } from './pod-sandbox.ts';

const BRIDGE = 'varka0';
/** Locally administered (the second-lowest bit of the first byte), "varka" in the rest. */
const BRIDGE_HARDWARE_ADDRESS = Buffer.from([0x0e, 0x76, 0x61, 0x72, 0x6b, 0x61]);

export interface ClusterNetworkOptions {
  /** 10.244.0.0/16: its first address is the bridge's, the node's and every pod's gateway. */
  readonly podCidr: string;
  /** 10.96.0.0/28: services that the node itself answers; sidecars leave them alone. */
  readonly nodeLocalCidr: string;
  /** Those of its addresses that something listens on: API server, DNS, control plane. */
  readonly nodeLocalAddresses: readonly string[];
  /** 169.254.7.127: probes come from there, and no pod's capture touches them. */
  readonly probeSource: string;
}

export interface PodNetworkOptions extends Omit<EtcOptions, 'ip'> {
  /** Where the pod's /etc files are kept. */
  readonly directory: string;
  /** Lead its TCP traffic through the sidecar on 15001 and 15006. */
  readonly capture: boolean;
}

export class ClusterNetwork {
  readonly podCidr: string;
  readonly nodeAddress: string;
  readonly probeSource: string;
  /** What this machine lacks, in a sentence for the user. */
  readonly warning: string | undefined;
  readonly #options: ClusterNetworkOptions;
  readonly #nodeLocal: { network: string; prefixLength: number };
  readonly #prefixLength: number;
  readonly #route: RouteSocket;
  readonly #bridgeIndex: number;
  readonly #addresses: AddressPool;
  readonly #pods = new Set<PodSandbox>();

  private constructor(options: ClusterNetworkOptions) {
    this.#options = options;
    this.podCidr = options.podCidr;
    this.nodeAddress = firstHost(options.podCidr);
    this.probeSource = options.probeSource;
    this.warning = missingFiles();
    this.#prefixLength = parseCidr(options.podCidr).prefixLength;
    const { address, prefixLength } = parseCidr(options.nodeLocalCidr);
    this.#nodeLocal = { network: address, prefixLength };
    closeOnExec();
    this.#addresses = new AddressPool(options.podCidr);
    this.#route = new RouteSocket();
    this.#bridgeIndex = orUnavailable('links', () => this.#setUp());
  }

  /** The process must already be in the cluster's own, still empty, network namespace. */
  static create(options: ClusterNetworkOptions): ClusterNetwork {
    return new ClusterNetwork(options);
  }

  #setUp(): number {
    const { nodeLocalAddresses, probeSource } = this.#options;
    this.#route.apply([linkUp('lo'), createBridge(BRIDGE, BRIDGE_HARDWARE_ADDRESS)]);
    const bridge = this.#route.indexOf(BRIDGE);
    this.#route.apply([
      addAddress(bridge, this.nodeAddress, this.#prefixLength),
      addAddress(bridge, probeSource, 32),
      ...nodeLocalAddresses.map((address) => addAddress(LOOPBACK_INDEX, address, 32)),
    ]);
    return bridge;
  }

  /** A place for one pod; throws what the kernel refused, leaving nothing behind. */
  createPod(options: PodNetworkOptions): PodSandbox {
    const ip = this.#addresses.allocate();
    const link = linkName(ip);
    try {
      const mounts = writeEtcFiles(options.directory, { ...options, ip });
      const namespaces = createNamespaces((_fds, clusterNet) => {
        mountEtcFiles(mounts);
        sethostname(options.hostname);
        this.#connectPod(link, ip, clusterNet);
        if (options.capture) {
          const { probeSource } = this.#options;
          orUnavailable('capture', () => installCapture({ probeSource, nodeLocal: this.#nodeLocal }));
        }
      });
      const pod = new PodSandbox({
        ip,
        namespaces,
        onDestroy: () => {
          this.#pods.delete(pod);
          // The veth pair goes with the pod's namespace, in the kernel's own time: deleting it here would hold up this
          // thread for some 30 ms. Until its address comes round again it is long gone.
          this.#addresses.release(ip);
        },
      });
      try {
        this.#route.apply([enslave(link, this.#bridgeIndex)]);
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
    try {
      orUnavailable('links', () => route.apply([linkUp('lo'), createVethPair('eth0', link, clusterNet)]));
      route.apply([addAddress(route.indexOf('eth0'), ip, this.#prefixLength), defaultRoute(this.nodeAddress)]);
    } finally {
      route.close();
    }
  }

  /** Ends every process of every pod. The bridge goes with the network namespace. */
  async close(): Promise<void> {
    await Promise.all([...this.#pods].map((pod) => pod.destroy()));
    this.#route.close();
  }
}

/** An interface name has at most 15 characters; the address's host part is enough to tell whose it is. */
function linkName(ip: string): string {
  const [, second, third, fourth] = ip.split('.');
  return `veth${second}.${third}.${fourth}`;
}

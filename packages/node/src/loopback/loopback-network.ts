// The cluster's network on a machine that grants no namespaces: a directory of Unix sockets, one for each port that
// something listens on. Addresses are the same as in the `netns` sandbox; nobody but this user can connect to them.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceNetwork } from '../netns/services/service-rules.ts';
import { AddressPool, type Cidr, contains, firstHost, parseCidr } from '../sandbox/address-pool.ts';
import { closeOnExec } from '../sandbox/descriptors.ts';
import type { PodNetwork, PodNetworkOptions } from '../sandbox/pod-network.ts';
import { type FabricLayout, type FabricPod, NO_SERVICES, type ServicePart, TABLE_FILE } from './fabric-table.ts';
import { ForwardProxy } from './forward-proxy.ts';
import { LoopbackSandbox } from './loopback-sandbox.ts';
import type { Endpoint } from './proxy-header.ts';

export interface LoopbackNetworkOptions {
  /** Made by `createFabricDirectory`; it stays the caller's. */
  readonly directory: string;
  /** 10.244.0.0/16: its first address is the node's. */
  readonly podCidr: string;
  /** 10.96.0.0/16 */
  readonly serviceCidr: string;
  /** 10.96.0.0/28: services that the node itself answers; sidecars leave them alone. */
  readonly nodeLocalCidr: string;
  /** Those of its addresses that something listens on. */
  readonly nodeLocalAddresses: readonly string[];
  /** 169.254.7.127: probes come from there, and no pod's capture touches them. */
  readonly probeSource: string;
  /** 127.77.0.0/16: the addresses of load balancers. */
  readonly loadBalancerCidr: string;
  /** cluster.local */
  readonly zone: string;
  /** The module that makes a Node program a member of the network, as a file: URL. */
  readonly preload: () => string;
}

export class LoopbackNetwork implements PodNetwork, ServiceNetwork {
  readonly podCidr: string;
  readonly nodeAddress: string;
  readonly probeSource: string;
  readonly warning = undefined;
  readonly #options: LoopbackNetworkOptions;
  readonly #layout: FabricLayout;
  readonly #nodeLocal: Cidr;
  readonly #loadBalancers: Cidr;
  readonly #addresses: AddressPool;
  readonly #pods = new Map<string, { readonly sandbox: LoopbackSandbox; entry: FabricPod }>();
  readonly #forwardProxy = new ForwardProxy();
  /** Of 127.0.0.0/8: another for each network, so that two hardly ever meet. */
  readonly #nativeNetwork = 128 + Math.floor(Math.random() * 126);
  #services: ServicePart = NO_SERVICES;

  private constructor(options: LoopbackNetworkOptions) {
    this.#options = options;
    this.podCidr = options.podCidr;
    this.nodeAddress = firstHost(options.podCidr);
    this.probeSource = options.probeSource;
    this.#nodeLocal = parseCidr(options.nodeLocalCidr);
    this.#loadBalancers = parseCidr(options.loadBalancerCidr);
    this.#addresses = new AddressPool(options.podCidr);
    const { podCidr, serviceCidr, nodeLocalCidr, loadBalancerCidr, probeSource, zone } = options;
    const { nodeAddress } = this;
    this.#layout = { podCidr, serviceCidr, nodeLocalCidr, loadBalancerCidr, nodeAddress, probeSource, zone };
    for (const address of [this.nodeAddress, ...options.nodeLocalAddresses]) {
      mkdirSync(join(options.directory, address), { recursive: true });
    }
    if (process.platform === 'linux') closeOnExec();
    this.#writeTable();
  }

  static create(options: LoopbackNetworkOptions): LoopbackNetwork {
    return new LoopbackNetwork(options);
  }

  /** To be waited for before the first program is started. */
  get ready(): Promise<void> {
    return this.#forwardProxy.ready;
  }

  /** Services there are the node's own. */
  isNodeLocal(address: string): boolean {
    return contains(this.#nodeLocal, address);
  }

  isLoadBalancer(address: string): boolean {
    return contains(this.#loadBalancers, address);
  }

  createPod(options: PodNetworkOptions): LoopbackSandbox {
    const address = this.#addresses.allocate();
    const { directory, preload } = this.#options;
    const sockets = join(directory, address);
    try {
      mkdirSync(sockets);
      const sandbox = new LoopbackSandbox({
        ip: address,
        network: directory,
        preload: preload(),
        host: this.#nativeHost(address),
        admit: (member) => this.#forwardProxy.admit(member),
        options,
        onMapped: (mapped) => this.#map(address, mapped),
        onDestroy: () => {
          this.#pods.delete(address);
          this.#forwardProxy.expel(address);
          this.#writeTable();
          rmSync(sockets, { recursive: true, force: true });
          this.#addresses.release(address);
        },
      });
      this.#pods.set(address, { sandbox, entry: { captured: options.capture } });
      this.#writeTable();
      return sandbox;
    } catch (error) {
      this.#pods.delete(address);
      rmSync(sockets, { recursive: true, force: true });
      this.#addresses.release(address);
      throw error;
    }
  }

  /** What services there are, and where their connections go, from now on. */
  setServices(services: ServicePart): void {
    this.#services = services;
    this.#writeTable();
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled([...this.#pods.values()].map(({ sandbox }) => sandbox.destroy()));
    this.#forwardProxy.close();
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    if (failures.length > 0) throw new AggregateError(failures, failures.join('; '));
  }

  /** Linux lets everybody listen on all of 127.0.0.0/8; others have one address. */
  #nativeHost(address: string): string {
    if (process.platform !== 'linux') return '127.0.0.1';
    const [, , third, fourth] = address.split('.');
    return `127.${this.#nativeNetwork}.${third}.${fourth}`;
  }

  #map(address: string, mapped: Readonly<Record<string, Endpoint>>): void {
    const pod = this.#pods.get(address);
    if (pod === undefined) return;
    pod.entry = { ...pod.entry, mapped: { ...pod.entry.mapped, ...mapped } };
    this.#writeTable();
  }

  /** In one step, so that no reader sees half of it. */
  #writeTable(): void {
    const pods = Object.fromEntries([...this.#pods].map(([address, { entry }]) => [address, entry]));
    const path = join(this.#options.directory, TABLE_FILE);
    writeFileSync(`${path}.new`, JSON.stringify({ ...this.#layout, ...this.#services, pods }));
    renameSync(`${path}.new`, path);
  }
}

// Cluster IPs for all traffic that no sidecar has taken to an endpoint itself (Kubernetes: kube-proxy).
import { type Clock, systemClock, type Timer } from '@varka/kube/client/clock.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import type { Logger } from '@varka/kube/log.ts';
import { forgetFlows } from '../../netlink/conntrack.ts';
import type { NetlinkSocket } from '../../netlink/netlink.ts';
import { IPPROTO_UDP } from '../../netlink/nft-expressions.ts';
import { openNetfilter } from '../../netlink/nftables.ts';
import { orUnavailable } from '../../sandbox/errors.ts';
import type { NetnsNetwork } from '../netns-network.ts';
import { endedUdpPairs, NO_RULES, type ServiceRules, serviceRules } from './service-rules.ts';
import { ServiceTable } from './service-table.ts';

/** Changes that come together (a rollout writes Pods, EndpointSlices, Services) are made together. */
const GATHER_MS = 10;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 30_000;

export interface ServiceProxyOptions {
  /** They stay the caller's. */
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly network: NetnsNetwork;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface ServiceProxy {
  /** What is in force stays so: it goes with the network namespace. */
  stop(): void;
}

/** The process must be in the cluster's network namespace. Resolves when what exists now is in force. */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<ServiceProxy> {
  const { services, endpointSlices, network } = options;
  const socket = openNetfilter();
  try {
    const table = orUnavailable('services', () => new ServiceTable(socket, network.nodeAddress));
    await Promise.all([services.synced, endpointSlices.synced]);
    const keeper = new RuleKeeper(options, socket, table);
    keeper.bringUpToDate();
    const unsubscribes = [services, endpointSlices].map((informer) => informer.onEvent(() => keeper.changed()));
    return {
      stop: () => {
        for (const unsubscribe of unsubscribes) unsubscribe();
        keeper.stop();
        socket.close();
      },
    };
  } catch (error) {
    socket.close();
    throw error;
  }
}

class RuleKeeper {
  readonly #options: ServiceProxyOptions;
  readonly #clock: Clock;
  readonly #socket: NetlinkSocket;
  readonly #table: ServiceTable;
  #inForce: ServiceRules = NO_RULES;
  #timer: Timer | undefined;
  #retryMs = RETRY_FIRST_MS;

  constructor(options: ServiceProxyOptions, socket: NetlinkSocket, table: ServiceTable) {
    this.#options = options;
    this.#socket = socket;
    this.#clock = options.clock ?? systemClock;
    this.#table = table;
  }

  changed(): void {
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.bringUpToDate());
  }

  bringUpToDate(): void {
    this.#timer = undefined;
    const { services, endpointSlices, network, log } = this.#options;
    try {
      const wanted = serviceRules(services.list(), endpointSlices.list(), network);
      orUnavailable('services', () => this.#table.apply(wanted));
      this.#forgetEnded(wanted);
      this.#inForce = wanted;
      this.#retryMs = RETRY_FIRST_MS;
    } catch (error) {
      log.error('cluster IPs are not up to date in the kernel, trying again', { error: (error as Error).message });
      this.#timer = this.#clock.after(this.#retryMs, () => this.bringUpToDate());
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** A UDP flow has no end of its own: as long as its client sends, it would go where it first went. */
  #forgetEnded(wanted: ServiceRules): void {
    const ended = new Set(endedUdpPairs(this.#inForce, wanted).map(({ frontend, target }) => `${frontend} ${target}`));
    if (ended.size === 0) return;
    forgetFlows(this.#socket, ({ protocol, destination, answeredBy }) => {
      if (protocol !== IPPROTO_UDP) return false;
      const [address, port] = destination.split(':');
      return ended.has(`${address} . udp . ${port} ${answeredBy.replace(':', ' . ')}`);
    });
  }
}

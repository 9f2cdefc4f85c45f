// Keeps the fabric's table in step with Services and EndpointSlices, as kube-proxy keeps the kernel's.
import { type Clock, systemClock, type Timer } from '@varka/kube/client/clock.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { DnsView } from '../dns/answer.ts';
import { servicePart } from './fabric-table.ts';
import type { LoopbackNetwork } from './loopback-network.ts';

/** Changes that come together (a rollout writes Pods, EndpointSlices, Services) are written together. */
const GATHER_MS = 10;
const RETRY_MS = 1_000;

export interface TableKeeperOptions {
  /** They stay the caller's. */
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** What names mean; read at every change. */
  readonly view: DnsView;
  readonly network: LoopbackNetwork;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Resolves when what exists now is in the table. */
export async function startTableKeeper(options: TableKeeperOptions): Promise<{ stop(): void }> {
  const { services, endpointSlices, view, network, log, clock = systemClock } = options;
  await Promise.all([services.synced, endpointSlices.synced]);
  let timer: Timer | undefined;
  const write = (): void => {
    timer = undefined;
    try {
      network.setServices(servicePart(services.list(), endpointSlices.list(), view, network));
    } catch (error) {
      log.error('the network’s table is not up to date, trying again', { error: (error as Error).message });
      timer = clock.after(RETRY_MS, write);
    }
  };
  const changed = (): void => {
    timer ??= clock.after(GATHER_MS, write);
  };
  write();
  const unsubscribes = [services.onEvent(changed), endpointSlices.onEvent(changed)];
  return {
    stop: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      timer?.cancel();
    },
  };
}

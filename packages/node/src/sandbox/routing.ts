// How the cluster's own network namespace passes packets on between pods, and what it refuses.
import { writeFileSync } from 'node:fs';
import { type BaseChain, createTable, type Rule } from '../netlink/nftables.ts';
import { isTcp, outputInterfaceIs, rejectPort, rejectWithReset } from '../netlink/nft-expressions.ts';
import { SandboxUnavailableError } from './errors.ts';

const TABLE = 'varka-routing';

/** Settings of this network namespace alone, whatever the machine's are. */
const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  // A pod that reaches itself through a service leaves and enters by one link; it must not be told of a shorter way.
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
};

export function enableForwarding(): void {
  for (const [name, value] of Object.entries(SETTINGS)) {
    try {
      writeFileSync(`/proc/sys/${name}`, value);
    } catch (error) {
      throw new SandboxUnavailableError(
        `cannot set ${name.replaceAll('/', '.')} = ${value} in the cluster’s network`,
        (error as Error).message,
        'In a container, /proc/sys must be writable: start it with --privileged, or run Varka outside',
        error,
      );
    }
  }
}

/**
 * The node's own interface is where the routes of pod and service networks as a whole lead. What a pod's own route or
 * a service's rule has not led elsewhere arrives there, and nothing is behind it: a pod that is gone, a service without
 * endpoints, a port that no service has. Refused at once, as by a machine on which nothing listens, where a bridge
 * would ask around for three seconds. TCP by a reset: the kernel sends ICMP errors only so many a second.
 */
export function refuseWhatLeadsTo(interfaceIndex: number): void {
  const rules: Rule[] = [
    {
      text: 'tcp to nowhere: reset',
      expressions: [...outputInterfaceIs(interfaceIndex), ...isTcp(), ...rejectWithReset()],
    },
    { text: 'to nowhere: reject', expressions: [...outputInterfaceIs(interfaceIndex), ...rejectPort()] },
  ];
  const chains: BaseChain[] = (['forward', 'output'] as const).map((hook) => ({
    name: hook,
    type: 'filter',
    hook,
    rules,
  }));
  createTable(TABLE, chains);
}

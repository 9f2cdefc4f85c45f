// How the cluster's own network namespace passes packets on between pods, and what it refuses.
import { writeFileSync } from 'node:fs';
import {
  accept,
  isTcp,
  isTranslated,
  outputInterfaceIs,
  rejectPort,
  rejectWithReset,
} from '../netlink/nft-expressions.ts';
import { type BaseChain, createTable, type Rule } from '../netlink/nftables.ts';
import { SandboxUnavailableError } from '../sandbox/errors.ts';

const TABLE = 'varka-routing';

/** Settings of this network namespace alone, whatever the machine's are. */
const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  // A pod that reaches itself through a service leaves and enters by one link; it must not be told of a shorter way.
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
};

export function enableForwarding(): void {
  change(SETTINGS);
}

/**
 * In the network namespace the thread is in: packets from and to 127.0.0.0/8 may come and go over any interface, which
 * the addresses of load balancers need. What is bound to 127.0.0.1 is then kept apart by the routes alone: they lead
 * the load balancers' network out of a pod and nothing else of 127.0.0.0/8.
 */
export function allowLoopbackAddressesOnLinks(): void {
  change({ 'net/ipv4/conf/all/route_localnet': '1' });
}

function change(settings: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(settings)) {
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
  // A packet of the supervisor's own keeps the interface it had before its translation, until after this hook.
  const translated: Rule = { text: 'ct status dnat accept', expressions: [...isTranslated(), ...accept()] };
  const chains: BaseChain[] = [
    { name: 'forward', type: 'filter', hook: 'forward', rules },
    { name: 'output', type: 'filter', hook: 'output', rules: [translated, ...rules] },
  ];
  createTable(TABLE, chains);
  shortenMemory();
}

/**
 * Every connection between pods is remembered here, and one that has ended for two minutes more: at 2,000 connections a
 * second the usual table of 262,144 would be full, and new ones be dropped. Ten seconds let 26,000 a second through.
 */
function shortenMemory(): void {
  try {
    writeFileSync('/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait', '10');
  } catch (error) {
    // Kernels before 5.13 show it to the machine's own root only.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

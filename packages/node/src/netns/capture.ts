// The rules that lead a pod's TCP traffic through its sidecar, as istio-init's iptables rules do.

import {
  accept,
  destinationIn,
  destinationIsNot,
  destinationPortIs,
  isNotTcp,
  markIs,
  outputInterfaceIs,
  redirectTo,
  sourceIs,
  sourceIsNot,
} from '../netlink/nft-expressions.ts';
import { type BaseChain, createTable, type Rule } from '../netlink/nftables.ts';
import { LOOPBACK_INDEX } from '../netlink/route.ts';
import type { Cidr } from '../sandbox/address-pool.ts';

export const TABLE = 'varka';
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
/**
 * Sockets of the sidecar carry this mark. Istio knows the proxy by its uid (1337); a rootless user namespace maps one
 * uid only, so here the same number is the mark.
 */
export const PROXY_MARK = 1337;
/** The source address of what the sidecar passes to its own application (Istio's InboundPassthroughClusterIpv4). */
const INBOUND_SOURCE = '127.0.0.6';
/** Prometheus, health and merged-metrics ports of the sidecar itself (istio-init: "-d 15090,15021,15020"). */
const SIDECAR_PORTS = [15090, 15021, 15020];

export interface CaptureOptions {
  /** Where the kubelet's probes come from; they go straight to the application, as in Istio's ambient mode. */
  readonly probeSource: string;
  /** Addresses that are never captured: API server, DNS, control plane. */
  readonly nodeLocal: Cidr;
  /** Part of 127.0.0.0/8, and yet not the pod's own. */
  readonly loadBalancers: Cidr;
}

export function captureChains({ probeSource, nodeLocal, loadBalancers }: CaptureOptions): BaseChain[] {
  const prerouting: Rule[] = [
    { text: 'not tcp: accept', expressions: [...isNotTcp(), ...accept()] },
    { text: `from ${probeSource}: accept`, expressions: [...sourceIs(probeSource), ...accept()] },
    ...SIDECAR_PORTS.map((port) => ({
      text: `to port ${port}: accept`,
      expressions: [...destinationPortIs(port), ...accept()],
    })),
    { text: `redirect to ${INBOUND_PORT}`, expressions: redirectTo(INBOUND_PORT) },
  ];
  const output: Rule[] = [
    { text: 'not tcp: accept', expressions: [...isNotTcp(), ...accept()] },
    // A sidecar that calls its own pod's address meets its own inbound side, as any other caller would; but what its
    // inbound side hands to the application (from 127.0.0.6) must not come round again.
    {
      text: `the proxy to its own pod: redirect to ${INBOUND_PORT}`,
      expressions: [
        ...markIs(PROXY_MARK),
        ...outputInterfaceIs(LOOPBACK_INDEX),
        ...destinationIsNot('127.0.0.1'),
        ...sourceIsNot(INBOUND_SOURCE),
        ...redirectTo(INBOUND_PORT),
      ],
    },
    { text: 'the proxy: accept', expressions: [...markIs(PROXY_MARK), ...accept()] },
    { text: 'loopback: accept', expressions: [...outputInterfaceIs(LOOPBACK_INDEX), ...accept()] },
    {
      text: `to ${loadBalancers.address}/${loadBalancers.prefixLength}: redirect to ${OUTBOUND_PORT}`,
      expressions: [...destinationIn(loadBalancers.address, loadBalancers.prefixLength), ...redirectTo(OUTBOUND_PORT)],
    },
    { text: 'to 127.0.0.0/8: accept', expressions: [...destinationIn('127.0.0.0', 8), ...accept()] },
    {
      text: `to ${nodeLocal.address}/${nodeLocal.prefixLength}: accept`,
      expressions: [...destinationIn(nodeLocal.address, nodeLocal.prefixLength), ...accept()],
    },
    { text: `redirect to ${OUTBOUND_PORT}`, expressions: redirectTo(OUTBOUND_PORT) },
  ];
  return [
    { name: 'prerouting', type: 'nat', hook: 'prerouting', rules: prerouting },
    { name: 'output', type: 'nat', hook: 'output', rules: output },
  ];
}

/** In the pod's network namespace. */
export function installCapture(options: CaptureOptions): void {
  createTable(TABLE, captureChains(options));
}

// Which filter chain a connection gets. Criteria are looked at in Envoy's order, and each keeps only its most specific
// match: there is no way back to a less specific one when a later criterion fails (FilterChainManagerImpl).
import { BlockList, isIPv6 } from 'node:net';
import type { FilterChain, ListenerTable } from '../runtime/tables.ts';
import type { Inspection } from './protocol-inspector.ts';

export interface ConnectionFacts extends Inspection {
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

/** Those that `specific` accepts, or else those that ask for nothing in particular. */
function narrow(
  chains: readonly FilterChain[],
  asks: (chain: FilterChain) => boolean,
  specific: (chain: FilterChain) => boolean,
): readonly FilterChain[] {
  const matching = chains.filter((chain) => asks(chain) && specific(chain));
  return matching.length > 0 ? matching : chains.filter((chain) => !asks(chain));
}

export function matchFilterChain(table: ListenerTable, facts: ConnectionFacts): FilterChain | undefined {
  let chains = narrow(
    table.chains,
    ({ match }) => match.destinationPort !== undefined,
    ({ match }) => match.destinationPort === facts.destinationPort,
  );
  chains = byDestination(chains, facts.destinationAddress);
  chains = byServerName(chains, facts.serverName);
  chains = narrow(
    chains,
    ({ match }) => match.transportProtocol !== '',
    ({ match }) => match.transportProtocol === facts.transportProtocol,
  );
  chains = byApplicationProtocol(chains, facts.applicationProtocols);
  return chains[0] ?? table.defaultChain;
}

/** The longest prefix that holds the address. */
function byDestination(chains: readonly FilterChain[], address: string): readonly FilterChain[] {
  if (chains.every(({ match }) => match.destinationRanges.length === 0)) return chains;
  const lengths = chains.map(({ match }) =>
    Math.max(-1, ...match.destinationRanges.map((range) => covers(range, address))),
  );
  const longest = Math.max(...lengths);
  if (longest === -1) return chains.filter(({ match }) => match.destinationRanges.length === 0);
  return chains.filter((_chain, i) => lengths[i] === longest);
}

/** The prefix's length when it holds the address, else -1. */
function covers([prefix, length]: readonly [string, number], address: string): number {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (isIPv6(prefix) !== (family === 'ipv6')) return -1;
  if (length === 0) return 0;
  const list = new BlockList();
  list.addSubnet(prefix, length, family);
  return list.check(address, family) ? length : -1;
}

/** The name itself, then `*.` and ever shorter suffixes of it, then chains that name none. */
function byServerName(chains: readonly FilterChain[], name: string | undefined): readonly FilterChain[] {
  const candidates: string[] = [];
  if (name !== undefined && name !== '') {
    candidates.push(name);
    for (let dot = name.indexOf('.', 1); dot !== -1; dot = name.indexOf('.', dot + 1))
      candidates.push(`*${name.slice(dot)}`);
  }
  for (const candidate of candidates) {
    const matching = chains.filter(({ match }) => match.serverNames.includes(candidate));
    if (matching.length > 0) return matching;
  }
  return chains.filter(({ match }) => match.serverNames.length === 0);
}

/** The client's order of preference decides. */
function byApplicationProtocol(chains: readonly FilterChain[], protocols: readonly string[]): readonly FilterChain[] {
  for (const protocol of protocols) {
    const matching = chains.filter(({ match }) => match.applicationProtocols.includes(protocol));
    if (matching.length > 0) return matching;
  }
  return chains.filter(({ match }) => match.applicationProtocols.length === 0);
}

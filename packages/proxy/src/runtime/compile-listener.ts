// From a listener.v3.Listener to the table that the data path reads. Accepted without effect: stat_prefix,
// drain_type, connection_balance_config, socket tuning (reuse_port, backlog, fast open), metadata, transport_socket_connect_timeout.

import { isIP } from 'node:net';
import { toBinary } from '@bufbuild/protobuf';
import { typeName, unpack } from '@varka/decide/any.ts';
import { durationMs } from '@varka/decide/duration.ts';
import type { Problems } from '@varka/decide/problems.ts';
import { TrafficDirection } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import {
  type Filter,
  type FilterChain as FilterChainProto,
  FilterChainSchema,
  type FilterChainMatch as MatchProto,
} from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener as ListenerProto } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { HttpConnectionManagerSchema } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { TcpProxySchema } from '@varka/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { readAddress } from './addresses.ts';
import type { CompileContext } from './compile-context.ts';
import { compileHttpConnectionManager } from './compile-http-filter-chain.ts';
import { compileListenerFilters } from './compile-listener-filters.ts';
import { compileTcpProxy } from './compile-tcp-proxy.ts';
import type { FilterChain, FilterChainMatch, ListenerTable, NetworkFilter } from './tables.ts';

/** Listener.per_connection_buffer_limit_bytes. */
const DEFAULT_BUFFER_BYTES = 1024 * 1024;

const DIRECTION: Readonly<Record<number, ListenerTable['direction']>> = {
  [TrafficDirection.INBOUND]: 'inbound',
  [TrafficDirection.OUTBOUND]: 'outbound',
};

export function compileListener(
  proto: ListenerProto,
  context: CompileContext,
  problems: Problems,
): ListenerTable | undefined {
  refuseUnsupported(proto, problems);
  const address = readAddress(proto.address, problems.at('address'));
  if (address !== undefined && isIP(address.address) === 0)
    problems.at('address').add(`malformed IP address: ${address.address}`);
  const bufferLimit = proto.perConnectionBufferLimitBytes ?? DEFAULT_BUFFER_BYTES;
  const chains = proto.filterChains.flatMap((chain, i) => {
    const at = problems.at(`filter_chains[${chain.name === '' ? i : chain.name}]`);
    return compileChain(chain, bufferLimit, context, at) ?? [];
  });
  refuseRepeated(chains, problems);
  const { defaultFilterChain } = proto;
  const defaultChain =
    defaultFilterChain && compileChain(defaultFilterChain, bufferLimit, context, problems.at('default_filter_chain'));
  if (proto.filterChains.length === 0 && defaultFilterChain === undefined) problems.add('there is no filter chain');
  const filters = compileListenerFilters(proto.listenerFilters, problems);
  if (address === undefined) return undefined;
  return {
    name: proto.name === '' ? `${address.address}_${address.port}` : proto.name,
    ...address,
    bindToPort: proto.bindToPort ?? proto.deprecatedV1?.bindToPort ?? true,
    useOriginalDst: proto.useOriginalDst ?? false,
    ...filters,
    // Envoy adds the original_dst listener filter itself to a listener that hands connections over by destination.
    originalDst: filters.originalDst || (proto.useOriginalDst ?? false),
    inspectTimeoutMs: proto.listenerFiltersTimeout === undefined ? 15_000 : durationMs(proto.listenerFiltersTimeout),
    continueOnInspectTimeout: proto.continueOnListenerFiltersTimeout,
    direction: DIRECTION[proto.trafficDirection] ?? 'unspecified',
    chains,
    defaultChain,
  };
}

function refuseUnsupported(proto: ListenerProto, problems: Problems): void {
  problems.unsupported('additional_addresses', proto.additionalAddresses.length > 0);
  problems.unsupported('filter_chain_matcher', proto.filterChainMatcher !== undefined);
  problems.unsupported('transparent', proto.transparent === true);
  problems.unsupported('freebind', proto.freebind === true);
  problems.unsupported('socket_options', proto.socketOptions.length > 0);
  problems.unsupported('udp_listener_config', proto.udpListenerConfig !== undefined);
  problems.unsupported('api_listener', proto.apiListener !== undefined);
  problems.unsupported('internal_listener', proto.listenerSpecifier.case !== undefined);
  problems.unsupported('access_log', proto.accessLog.length > 0);
}

function compileChain(
  proto: FilterChainProto,
  bufferLimit: number,
  context: CompileContext,
  problems: Problems,
): FilterChain | undefined {
  problems.unsupported('use_proxy_proto', proto.useProxyProto === true);
  problems.unsupported('on_demand_configuration', proto.onDemandConfiguration !== undefined);
  const socket = proto.transportSocket?.name;
  problems.unsupported(
    `transport_socket ${JSON.stringify(socket)}`,
    socket !== undefined && socket !== 'envoy.transport_sockets.raw_buffer',
  );
  const match = compileMatch(proto.filterChainMatch, problems.at('filter_chain_match'));
  const filter = compileFilters(proto.filters, bufferLimit, context, problems);
  if (filter === undefined) return undefined;
  return { name: proto.name, fingerprint: Buffer.from(toBinary(FilterChainSchema, proto)), match, filter };
}

function compileMatch(proto: MatchProto | undefined, problems: Problems): FilterChainMatch {
  problems.unsupported('address_suffix', (proto?.addressSuffix ?? '') !== '');
  problems.unsupported('direct_source_prefix_ranges', (proto?.directSourcePrefixRanges.length ?? 0) > 0);
  problems.unsupported('source_type', (proto?.sourceType ?? 0) !== 0);
  problems.unsupported('source_prefix_ranges', (proto?.sourcePrefixRanges.length ?? 0) > 0);
  problems.unsupported('source_ports', (proto?.sourcePorts.length ?? 0) > 0);
  const ranges = proto?.prefixRanges.map((range): readonly [string, number] => {
    const version = isIP(range.addressPrefix);
    const length = range.prefixLen ?? 0;
    if (version === 0) problems.at('prefix_ranges').add(`malformed IP address: ${range.addressPrefix}`);
    if (length > (version === 6 ? 128 : 32)) problems.at('prefix_ranges').add(`prefix length ${length} is too long`);
    return [range.addressPrefix, length];
  });
  for (const name of proto?.serverNames ?? [])
    if (name === '*' || name.slice(1).includes('*'))
      problems.at('server_names').add(`partial wildcards are not supported: ${JSON.stringify(name)}`);
  return {
    destinationPort: proto?.destinationPort,
    destinationRanges: ranges ?? [],
    serverNames: proto?.serverNames.map((name) => name.toLowerCase()) ?? [],
    transportProtocol: proto?.transportProtocol ?? '',
    applicationProtocols: proto?.applicationProtocols ?? [],
  };
}

/** One terminal filter; nothing is there that could come before it. */
function compileFilters(
  filters: readonly Filter[],
  bufferLimit: number,
  context: CompileContext,
  problems: Problems,
): NetworkFilter | undefined {
  if (filters.length === 0) problems.add('filters is empty');
  let found: NetworkFilter | undefined;
  for (const [i, filter] of filters.entries()) {
    const at = problems.at(`filters[${filter.name}]`);
    if (i < filters.length - 1 || filter.configType.case !== 'typedConfig') {
      at.add('only one filter with a typed_config is supported: http_connection_manager or tcp_proxy');
      continue;
    }
    const any = filter.configType.value;
    if (typeName(any) === HttpConnectionManagerSchema.typeName) {
      const proto = unpack(any, HttpConnectionManagerSchema, at);
      const config = proto && compileHttpConnectionManager(proto, bufferLimit, context, at);
      if (config !== undefined) found = { kind: 'http', config };
    } else if (typeName(any) === TcpProxySchema.typeName) {
      const proto = unpack(any, TcpProxySchema, at);
      if (proto !== undefined) found = { kind: 'tcp', config: compileTcpProxy(proto, context, at) };
    } else at.add(`the filter ${typeName(any)} is not supported`);
  }
  return found;
}

/** Envoy: "multiple filter chains with the same matching rules are defined". */
function refuseRepeated(chains: readonly FilterChain[], problems: Problems): void {
  const seen = new Map<string, string>();
  for (const { name, match } of chains) {
    const key = JSON.stringify(match);
    const other = seen.get(key);
    if (other !== undefined)
      problems.add(`filter chains ${JSON.stringify(other)} and ${JSON.stringify(name)} have the same matching rules`);
    seen.set(key, name);
  }
}

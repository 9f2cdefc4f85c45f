// From a cluster.v3.Cluster to what the proxy carries out. Accepted without effect for now, because their absence only
// makes the proxy send more than it would: common_lb_config but its panic threshold, per_connection_buffer_limit_bytes, alt_stat_name, track_timeout_budgets, preconnect_policy, respect_dns_ttl.

import { isIP } from 'node:net';
import { toBinary } from '@bufbuild/protobuf';
import { unpack } from '@varka/decide/any.ts';
import { durationMs } from '@varka/decide/duration.ts';
import type { Problems } from '@varka/decide/problems.ts';
import {
  type Cluster as ClusterProto,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as Family,
  Cluster_LbPolicy as LbPolicy,
} from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { BindConfig } from '@varka/xds/gen/envoy/config/core/v3/address_pb.ts';
import { RoutingPriority } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { HttpProtocolOptions as CommonOptions } from '@varka/xds/gen/envoy/config/core/v3/protocol_pb.ts';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@varka/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { type CircuitBreakerLimits, DEFAULT_LIMITS } from '../upstream/circuit-breakers.ts';
import type { ClusterSpec, ConnectionSpec, Discovery, DnsFamily, LoadBalancing } from '../upstream/cluster-spec.ts';
import { compileEndpoints } from './compile-endpoints.ts';
import { compileOutlierDetection } from './compile-outlier-detection.ts';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const SECOND = 1000;
const HOUR = 3600 * SECOND;

const SO_MARK = { level: 1n, name: 36n };

export function compileCluster(proto: ClusterProto, problems: Problems): ClusterSpec | undefined {
  if (proto.name === '') problems.add('name is empty');
  refuseUnsupported(proto, problems);
  const discovery = compileDiscovery(proto, problems);
  const loadBalancing = compileLoadBalancing(proto, problems);
  const options = httpOptions(proto, problems);
  const connection = compileConnection(proto, options, problems);
  if (discovery === undefined || loadBalancing === undefined) return undefined;
  return {
    name: proto.name,
    discovery,
    loadBalancing,
    connection,
    http2: asksForHttp2(proto, options, problems),
    panicThreshold: proto.commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    limits: compileLimits(proto, problems.at('circuit_breakers')),
    outlierDetection:
      proto.outlierDetection && compileOutlierDetection(proto.outlierDetection, problems.at('outlier_detection')),
    fingerprint: Buffer.from(toBinary(ClusterSchema, proto)),
  };
}

function refuseUnsupported(proto: ClusterProto, problems: Problems): void {
  problems.unsupported('transport_socket_matches', proto.transportSocketMatches.length > 0);
  const socket = proto.transportSocket?.name;
  problems.unsupported(
    `transport_socket ${JSON.stringify(socket)}`,
    socket !== undefined && socket !== 'envoy.transport_sockets.raw_buffer',
  );
  problems.unsupported('health_checks', proto.healthChecks.length > 0);
  problems.unsupported('lb_subset_config', (proto.lbSubsetConfig?.subsetSelectors.length ?? 0) > 0);
  problems.unsupported('filters', proto.filters.length > 0);
  problems.unsupported('load_balancing_policy', proto.loadBalancingPolicy !== undefined);
  problems.unsupported('dns_resolvers', proto.dnsResolvers.length > 0);
  problems.unsupported('upstream_config', proto.upstreamConfig !== undefined);
  problems.unsupported('connection_pool_per_downstream_connection', proto.connectionPoolPerDownstreamConnection);
}

function compileDiscovery(proto: ClusterProto, problems: Problems): Discovery | undefined {
  const type = proto.clusterDiscoveryType;
  if (type.case === 'clusterType') {
    problems.add(`cluster_type ${JSON.stringify(type.value.name)} is not supported`);
    return undefined;
  }
  const at = problems.at('load_assignment');
  switch (type.value ?? DiscoveryType.STATIC) {
    case DiscoveryType.STATIC:
      return {
        kind: 'static',
        endpoints: proto.loadAssignment ? compileEndpoints(proto.loadAssignment, 'ip', at) : [],
      };
    case DiscoveryType.STRICT_DNS:
    case DiscoveryType.LOGICAL_DNS:
      return compileDns(proto, type.value === DiscoveryType.LOGICAL_DNS, problems);
    case DiscoveryType.EDS:
      return compileEds(proto, problems);
    case DiscoveryType.ORIGINAL_DST:
      return compileOriginalDst(proto, problems);
    default:
      problems.add(`type ${type.value} is not known`);
      return undefined;
  }
}

function compileEds(proto: ClusterProto, problems: Problems): Discovery {
  const config = proto.edsClusterConfig;
  const source = config?.edsConfig;
  if (source?.configSourceSpecifier.case !== 'ads') problems.add('eds_cluster_config.eds_config must be {"ads": {}}');
  return {
    kind: 'eds',
    serviceName: config?.serviceName ? config.serviceName : proto.name,
    fetchTimeoutMs: source?.initialFetchTimeout === undefined ? 15 * SECOND : durationMs(source.initialFetchTimeout),
  };
}

function compileDns(proto: ClusterProto, logical: boolean, problems: Problems): Discovery {
  const endpoints = proto.loadAssignment
    ? compileEndpoints(proto.loadAssignment, 'name', problems.at('load_assignment'))
    : [];
  if (logical && endpoints.length !== 1)
    problems.add('LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint');
  const refreshMs = proto.dnsRefreshRate === undefined ? 5 * SECOND : durationMs(proto.dnsRefreshRate);
  if (refreshMs < 1) problems.add('dns_refresh_rate must be at least 1ms');
  const base = proto.dnsFailureRefreshRate?.baseInterval;
  return {
    kind: 'dns',
    endpoints,
    logical,
    family: familyOf(proto.dnsLookupFamily),
    refreshMs,
    failureRefreshMs: base === undefined ? refreshMs : durationMs(base),
  };
}

function familyOf(family: number): DnsFamily {
  if (family === Family.V4_ONLY) return 'v4';
  return family === Family.V6_ONLY ? 'v6' : 'any';
}

function compileOriginalDst(proto: ClusterProto, problems: Problems): Discovery {
  if (proto.lbPolicy !== LbPolicy.CLUSTER_PROVIDED)
    problems.add('an ORIGINAL_DST cluster needs lb_policy CLUSTER_PROVIDED');
  if (proto.loadAssignment !== undefined) problems.add('an ORIGINAL_DST cluster must have no load_assignment');
  const config = proto.lbConfig.case === 'originalDstLbConfig' ? proto.lbConfig.value : undefined;
  problems.unsupported('original_dst_lb_config.use_http_header', config?.useHttpHeader === true);
  problems.unsupported('original_dst_lb_config.metadata_key', config?.metadataKey !== undefined);
  const cleanupMs = proto.cleanupInterval === undefined ? 5 * SECOND : durationMs(proto.cleanupInterval);
  if (cleanupMs < 1) problems.add('cleanup_interval must be more than zero');
  return { kind: 'original-dst', portOverride: config?.upstreamPortOverride, cleanupMs };
}

function compileLoadBalancing(proto: ClusterProto, problems: Problems): LoadBalancing | undefined {
  switch (proto.lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return { kind: 'round-robin' };
    case LbPolicy.LEAST_REQUEST: {
      const config = proto.lbConfig.case === 'leastRequestLbConfig' ? proto.lbConfig.value : undefined;
      const choices = config?.choiceCount ?? 2;
      if (choices < 2) problems.add('least_request_lb_config.choice_count must be at least 2');
      return { kind: 'least-request', choices };
    }
    case LbPolicy.RANDOM:
      return { kind: 'random' };
    case LbPolicy.CLUSTER_PROVIDED:
      if (proto.clusterDiscoveryType.value !== DiscoveryType.ORIGINAL_DST)
        problems.add('lb_policy CLUSTER_PROVIDED is for ORIGINAL_DST clusters only');
      return { kind: 'round-robin' };
    default:
      problems.add(`lb_policy ${lbPolicyName(proto.lbPolicy)} is not supported`);
      return undefined;
  }
}

function lbPolicyName(policy: number): string {
  return Object.entries(LbPolicy).find(([, value]) => value === policy)?.[0] ?? String(policy);
}

/**
 * HTTP/2 is accepted although requests go as HTTP/1.1: a refusal would hold up every other cluster, and TCP through it
 * works. The log says so.
 */
function asksForHttp2(proto: ClusterProto, options: HttpProtocolOptions | undefined, problems: Problems): boolean {
  const specifier = options?.upstreamProtocolOptions;
  const kind = specifier?.case === 'explicitHttpConfig' ? specifier.value.protocolConfig.case : specifier?.case;
  problems.unsupported('HTTP/3 to the upstream', kind === 'http3ProtocolOptions');
  problems.unsupported('auto_config', kind === 'autoConfig');
  return kind === 'http2ProtocolOptions' || proto.http2ProtocolOptions !== undefined;
}

function compileConnection(
  proto: ClusterProto,
  options: HttpProtocolOptions | undefined,
  problems: Problems,
): ConnectionSpec {
  const common: CommonOptions | undefined = options?.commonHttpProtocolOptions ?? proto.commonHttpProtocolOptions;
  const connectTimeoutMs = proto.connectTimeout === undefined ? 5 * SECOND : durationMs(proto.connectTimeout);
  if (connectTimeoutMs <= 0) problems.add('connect_timeout must be more than zero');
  problems.unsupported(
    'common_http_protocol_options.max_stream_duration',
    common?.maxStreamDuration !== undefined && durationMs(common.maxStreamDuration) > 0,
  );
  return {
    connectTimeoutMs,
    ...compileBind(proto.upstreamBindConfig, problems.at('upstream_bind_config')),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? proto.maxRequestsPerConnection ?? 0,
    idleTimeoutMs: common?.idleTimeout === undefined ? HOUR : durationMs(common.idleTimeout),
  };
}

function httpOptions(proto: ClusterProto, problems: Problems): HttpProtocolOptions | undefined {
  let found: HttpProtocolOptions | undefined;
  for (const [name, any] of Object.entries(proto.typedExtensionProtocolOptions)) {
    const at = problems.at(`typed_extension_protocol_options[${name}]`);
    if (name === HTTP_OPTIONS) found = unpack(any, HttpProtocolOptionsSchema, at);
    else at.add('the extension is not supported');
  }
  return found;
}

function compileBind(
  bind: BindConfig | undefined,
  problems: Problems,
): Pick<ConnectionSpec, 'sourceAddress' | 'socketMark'> {
  if (bind === undefined) return { sourceAddress: undefined, socketMark: 0 };
  problems.unsupported('additional_source_addresses', bind.additionalSourceAddresses.length > 0);
  problems.unsupported('extra_source_addresses', bind.extraSourceAddresses.length > 0);
  problems.unsupported('local_address_selector', bind.localAddressSelector !== undefined);
  let socketMark = 0;
  for (const [i, option] of bind.socketOptions.entries()) {
    if (option.level === SO_MARK.level && option.name === SO_MARK.name && option.value.case === 'intValue')
      socketMark = Number(option.value.value);
    else problems.at(`socket_options[${i}]`).add('only SO_MARK (level 1, name 36, int_value) is supported');
  }
  const address = bind.sourceAddress?.address ?? '';
  if (bind.sourceAddress?.portSpecifier.case === 'portValue' && bind.sourceAddress.portSpecifier.value !== 0)
    problems.at('source_address').add('a fixed source port is not supported');
  if (address !== '' && isIP(address) === 0) problems.at('source_address').add(`malformed IP address: ${address}`);
  // The wildcard address leaves the choice to the kernel.
  return { sourceAddress: ['', '0.0.0.0', '::'].includes(address) ? undefined : address, socketMark };
}

/** The default priority's; requests of high priority are not told apart here. */
function compileLimits({ circuitBreakers }: ClusterProto, problems: Problems): CircuitBreakerLimits {
  problems.unsupported('per_host_thresholds', (circuitBreakers?.perHostThresholds.length ?? 0) > 0);
  const limits = circuitBreakers?.thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT);
  problems.unsupported('retry_budget', limits?.retryBudget !== undefined);
  problems.unsupported('max_connection_pools', limits?.maxConnectionPools !== undefined);
  return {
    maxConnections: limits?.maxConnections ?? DEFAULT_LIMITS.maxConnections,
    maxPendingRequests: limits?.maxPendingRequests ?? DEFAULT_LIMITS.maxPendingRequests,
    maxRequests: limits?.maxRequests ?? DEFAULT_LIMITS.maxRequests,
    maxRetries: limits?.maxRetries ?? DEFAULT_LIMITS.maxRetries,
  };
}

// The TcpProxy network filter.
import { durationMs } from '@varka/decide/duration.ts';
import type { Problems } from '@varka/decide/problems.ts';
import type { TcpProxy } from '@varka/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { compileAccessLogs } from './compile-access-log.ts';
import type { CompileContext } from './compile-context.ts';
import type { TcpProxyConfig } from './tables.ts';

const HOUR_MS = 3_600_000;

/** hash_policy is without effect: no cluster may ask for a hashing balancer yet. */
export function compileTcpProxy(proto: TcpProxy, context: CompileContext, problems: Problems): TcpProxyConfig {
  if (proto.statPrefix === '') problems.add('stat_prefix is empty');
  problems.unsupported('on_demand', proto.onDemand !== undefined);
  problems.unsupported('metadata_match', proto.metadataMatch !== undefined);
  problems.unsupported('tunneling_config', proto.tunnelingConfig !== undefined);
  problems.unsupported('downstream_idle_timeout', proto.downstreamIdleTimeout !== undefined);
  problems.unsupported('upstream_idle_timeout', proto.upstreamIdleTimeout !== undefined);
  problems.unsupported('max_downstream_connection_duration', proto.maxDownstreamConnectionDuration !== undefined);
  problems.unsupported('flush_access_log_on_connected', proto.flushAccessLogOnConnected);
  problems.unsupported('access_log_options', proto.accessLogOptions !== undefined);
  const max = proto.maxConnectAttempts ?? 1;
  problems.unsupported('max_connect_attempts other than 1', max !== 1);
  return {
    statPrefix: proto.statPrefix,
    clusters: compileClusters(proto, problems),
    idleTimeoutMs: proto.idleTimeout === undefined ? HOUR_MS : durationMs(proto.idleTimeout),
    accessLogs: compileAccessLogs(proto.accessLog, context.openLog, problems),
    stats: context.stats.tcpPrefix(proto.statPrefix),
  };
}

function compileClusters(proto: TcpProxy, problems: Problems): TcpProxyConfig['clusters'] {
  const specifier = proto.clusterSpecifier;
  if (specifier.case === 'cluster') return [{ name: specifier.value, weight: 1 }];
  if (specifier.case === undefined) {
    problems.add('cluster_specifier is missing');
    return [];
  }
  const { clusters } = specifier.value;
  if (clusters.length === 0) problems.add('weighted_clusters.clusters is empty');
  for (const [i, cluster] of clusters.entries()) {
    const at = problems.at(`weighted_clusters.clusters[${i}]`);
    if (cluster.weight < 1) at.add('weight must be at least 1');
    at.unsupported('metadata_match', cluster.metadataMatch !== undefined);
  }
  return clusters.map(({ name, weight }) => ({ name, weight }));
}

// Every counter and gauge as name and number, in Envoy's words; /stats and /stats/prometheus write them out.
import type { ProxyInstance } from '../runtime/proxy-instance.ts';

export interface Stat {
  readonly kind: 'counter' | 'gauge';
  /** Envoy's dotted name with the tag's value in it: `cluster.NAME.upstream_rq_total`. */
  readonly name: string;
  /** Name and labels as Prometheus has them, the tag's value moved into a label. */
  readonly family: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const CLASSES = ['1', '2', '3', '4', '5'];

type Numbers = readonly (readonly [name: string, kind: Stat['kind'], value: number])[];

/** `scope.TAG.name` with the tag as a label: Envoy's tag extraction. */
function* tagged(scope: string, label: string, tag: string, numbers: Numbers): Generator<Stat> {
  for (const [name, kind, value] of numbers) {
    const labels = { [label]: tag };
    const family = `envoy_${scope}_${name.replaceAll('.', '_')}`;
    yield { kind, name: `${scope}.${tag}.${name}`, family, labels, value };
  }
}

function* byClass(scope: string, label: string, tag: string, name: string, counts: readonly number[]): Generator<Stat> {
  for (const [i, value] of counts.entries()) {
    const code = CLASSES[i]!;
    yield {
      kind: 'counter',
      name: `${scope}.${tag}.${name}_${code}xx`,
      family: `envoy_${scope}_${name}_xx`,
      labels: { envoy_response_code_class: code, [label]: tag },
      value,
    };
  }
}

export function* stats(proxy: ProxyInstance): Generator<Stat> {
  yield* clusterStats(proxy);
  yield* httpStats(proxy);
  for (const [prefix, tcp] of proxy.stats.tcp)
    yield* tagged('tcp', 'envoy_tcp_prefix', prefix, [
      ['downstream_cx_total', 'counter', tcp.downstreamCxTotal],
      ['downstream_cx_no_route', 'counter', tcp.downstreamCxNoRoute],
      ['downstream_cx_rx_bytes_total', 'counter', tcp.downstreamCxRxBytesTotal],
      ['downstream_cx_tx_bytes_total', 'counter', tcp.downstreamCxTxBytesTotal],
      ['idle_timeout', 'counter', tcp.idleTimeout],
    ]);
  for (const listener of proxy.listeners.listeners) {
    const { address, port } = proxy.listeners.boundTo(listener.table);
    yield* tagged('listener', 'envoy_listener_address', `${address}_${port}`, [
      ['downstream_cx_total', 'counter', listener.stats.downstreamCxTotal],
      ['downstream_cx_active', 'gauge', listener.stats.downstreamCxActive],
      ['downstream_cx_destroy', 'counter', listener.stats.downstreamCxDestroy],
      ['downstream_cx_overflow', 'counter', listener.stats.downstreamCxOverflow],
      ['downstream_pre_cx_timeout', 'counter', listener.stats.downstreamPreCxTimeout],
      ['no_filter_chain_match', 'counter', listener.stats.noFilterChainMatch],
    ]);
  }
  yield* serverStats(proxy);
}

function* clusterStats(proxy: ProxyInstance): Generator<Stat> {
  for (const cluster of proxy.clusters.active) {
    const { name, stats: numbers, hosts } = cluster;
    yield* tagged('cluster', 'envoy_cluster_name', name, [
      ['upstream_cx_total', 'counter', numbers.upstreamCxTotal],
      ['upstream_cx_active', 'gauge', numbers.upstreamCxActive],
      ['upstream_cx_connect_fail', 'counter', numbers.upstreamCxConnectFail],
      ['upstream_cx_connect_timeout', 'counter', numbers.upstreamCxConnectTimeout],
      ['upstream_cx_none_healthy', 'counter', numbers.upstreamCxNoneHealthy],
      ['upstream_rq_total', 'counter', numbers.upstreamRqTotal],
      ['upstream_rq_active', 'gauge', numbers.upstreamRqActive],
      ['upstream_rq_timeout', 'counter', numbers.upstreamRqTimeout],
      ['upstream_rq_retry', 'counter', numbers.upstreamRqRetry],
      ['upstream_cx_overflow', 'counter', numbers.upstreamCxOverflow],
      ['upstream_rq_pending_total', 'counter', numbers.upstreamRqPendingTotal],
      ['upstream_rq_pending_active', 'gauge', numbers.upstreamRqPendingActive],
      ['upstream_rq_pending_overflow', 'counter', numbers.upstreamRqPendingOverflow],
      ['upstream_rq_retry_overflow', 'counter', numbers.upstreamRqRetryOverflow],
      ['outlier_detection.ejections_active', 'gauge', numbers.outlierEjectionsActive],
      ['outlier_detection.ejections_enforced_total', 'counter', numbers.outlierEjectionsEnforcedTotal],
      ['outlier_detection.ejections_overflow', 'counter', numbers.outlierEjectionsOverflow],
      ['membership_total', 'gauge', hosts.length],
      ['membership_healthy', 'gauge', hosts.filter(({ healthy, host }) => healthy && !host.ejected).length],
    ]);
    yield* byClass('cluster', 'envoy_cluster_name', name, 'upstream_rq', numbers.upstreamRqByClass);
  }
}

function* httpStats(proxy: ProxyInstance): Generator<Stat> {
  const label = 'envoy_http_conn_manager_prefix';
  for (const [prefix, http] of proxy.stats.http) {
    yield* tagged('http', label, prefix, [
      ['downstream_cx_total', 'counter', http.downstreamCxTotal],
      ['downstream_cx_active', 'gauge', http.downstreamCxActive],
      ['downstream_cx_protocol_error', 'counter', http.downstreamCxProtocolError],
      ['downstream_rq_total', 'counter', http.downstreamRqTotal],
      ['downstream_rq_active', 'gauge', http.downstreamRqActive],
    ]);
    yield* byClass('http', label, prefix, 'downstream_rq', http.downstreamRqByClass);
  }
}

function* serverStats(proxy: ProxyInstance): Generator<Stat> {
  const plain = (name: string, kind: Stat['kind'], value: number): Stat => ({
    kind,
    name,
    family: `envoy_${name.replaceAll('.', '_')}`,
    labels: {},
    value,
  });
  yield plain('cluster_manager.active_clusters', 'gauge', [...proxy.clusters.active].length);
  yield plain('cluster_manager.warming_clusters', 'gauge', [...proxy.clusters.warming].length);
  yield plain('listener_manager.total_listeners_active', 'gauge', proxy.listeners.listeners.length);
  yield plain('control_plane.connected_state', 'gauge', proxy.stats.controlPlaneConnected);
  for (const [scope, update] of proxy.stats.updates) {
    yield plain(`${scope}.update_attempt`, 'counter', update.updateAttempt);
    yield plain(`${scope}.update_success`, 'counter', update.updateSuccess);
    yield plain(`${scope}.update_rejected`, 'counter', update.updateRejected);
  }
  // Envoy: 0 LIVE, 1 DRAINING, 2 PRE_INITIALIZING.
  const state = ['LIVE', 'DRAINING', 'PRE_INITIALIZING'].indexOf(proxy.state);
  yield plain('server.state', 'gauge', state);
  yield plain('server.live', 'gauge', state === 0 ? 1 : 0);
  yield plain('server.uptime', 'gauge', Math.floor((proxy.now() - proxy.startedAt) / 1000));
  yield plain('server.memory_allocated', 'gauge', process.memoryUsage.rss());
}

// xDS resources for tests, in Envoy's JSON: short ways to say a cluster, its endpoints, a listener and routes.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

const TYPE = 'type.googleapis.com/envoy.extensions.';
export const HCM = `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`;
export const TCP_PROXY = `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`;
const ROUTER = `${TYPE}filters.http.router.v3.Router`;

export function address(port: number, host = '127.0.0.1'): JsonObject {
  return { socket_address: { address: host, port_value: port } };
}

export function edsCluster(name: string, more: JsonObject = {}): JsonObject {
  const eds_config = { ads: {}, resource_api_version: 'V3' };
  return { name, type: 'EDS', eds_cluster_config: { eds_config }, connect_timeout: '1s', ...more };
}

export function endpoints(cluster: string, ports: readonly number[], more: JsonObject = {}): JsonObject {
  const lb_endpoints = ports.map((port) => ({ endpoint: { address: address(port) }, ...more }));
  return { cluster_name: cluster, endpoints: [{ lb_endpoints }] };
}

export function staticCluster(name: string, ports: readonly number[], more: JsonObject = {}): JsonObject {
  return { name, type: 'STATIC', connect_timeout: '1s', load_assignment: endpoints(name, ports), ...more };
}

export function originalDstCluster(name: string, more: JsonObject = {}): JsonObject {
  return { name, type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', connect_timeout: '1s', ...more };
}

export function tcpProxy(cluster: string, more: JsonObject = {}): JsonObject {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: { '@type': TCP_PROXY, stat_prefix: cluster, cluster, ...more },
  };
}

/** Routes by RDS when given a name, inline when given a route configuration. */
export function http(routes: string | JsonObject, more: JsonObject = {}): JsonObject {
  const specifier: JsonObject =
    typeof routes === 'string'
      ? { rds: { config_source: { ads: {}, resource_api_version: 'V3' }, route_config_name: routes } }
      : { route_config: routes };
  const http_filters = [{ name: 'envoy.filters.http.router', typed_config: { '@type': ROUTER } }];
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: { '@type': HCM, stat_prefix: 'test', http_filters, ...specifier, ...more },
  };
}

export function chain(filter: JsonObject, more: JsonObject = {}): JsonObject {
  return { filters: [filter], ...more };
}

export function listener(name: string, chains: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return { name, address: address(0), filter_chains: chains as JsonValue[], ...more };
}

/** Everything to one cluster. */
export function routesTo(name: string, cluster: string, more: JsonObject = {}): JsonObject {
  const routes = [{ match: { prefix: '/' }, route: { cluster, timeout: '0s', ...more } }];
  return { name, virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
}

const LISTENER_FILTER = `${TYPE}filters.listener.`;

export const ORIGINAL_DST_FILTER: JsonObject = {
  name: 'envoy.filters.listener.original_dst',
  typed_config: { '@type': `${LISTENER_FILTER}original_dst.v3.OriginalDst` },
};
export const HTTP_INSPECTOR: JsonObject = {
  name: 'envoy.filters.listener.http_inspector',
  typed_config: { '@type': `${LISTENER_FILTER}http_inspector.v3.HttpInspector` },
};
export const TLS_INSPECTOR: JsonObject = {
  name: 'envoy.filters.listener.tls_inspector',
  typed_config: { '@type': `${LISTENER_FILTER}tls_inspector.v3.TlsInspector` },
};

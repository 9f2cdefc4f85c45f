// /clusters: each cluster with its hosts and their counts, as text or as JSON (admin.v3.Clusters).
import type { ProxyInstance } from '../runtime/proxy-instance.ts';
import type { Host } from '../upstream/host.ts';

export function clustersText(proxy: ProxyInstance): string {
  let text = '';
  for (const cluster of proxy.clusters.active) {
    text += `${cluster.name}::observability_name::${cluster.name}\n`;
    text += `${cluster.name}::added_via_api::${proxy.updates.clusterRecord.entries.has(cluster.name)}\n`;
    const service = cluster.spec.discovery.kind === 'eds' ? cluster.spec.discovery.serviceName : undefined;
    if (service !== undefined) text += `${cluster.name}::eds_service_name::${service}\n`;
    for (const { host, healthy, priority } of cluster.hosts) {
      const at = `${cluster.name}::${host.label}`;
      text += `${at}::rq_active::${host.active}\n${at}::health_flags::${healthFlags(healthy, host)}\n`;
      text += `${at}::weight::${host.weight}\n${at}::priority::${priority}\n`;
    }
  }
  return text;
}

/** Envoy's words, one after another. */
function healthFlags(healthy: boolean, host: Host): string {
  const flags = `${host.ejected ? '/failed_outlier_check' : ''}${healthy ? '' : '/failed_eds_health'}`;
  return flags === '' ? 'healthy' : flags;
}

export function clustersJson(proxy: ProxyInstance): string {
  const statuses = [...proxy.clusters.active].map((cluster) => ({
    name: cluster.name,
    added_via_api: proxy.updates.clusterRecord.entries.has(cluster.name),
    observability_name: cluster.name,
    ...(cluster.spec.discovery.kind === 'eds' ? { eds_service_name: cluster.spec.discovery.serviceName } : {}),
    host_statuses: cluster.hosts.map(({ host, healthy, priority }) => ({
      address: { socket_address: { address: host.address, port_value: host.port } },
      stats: [{ name: 'rq_active', value: String(host.active), type: 'GAUGE' }],
      health_status: {
        eds_health_status: healthy ? 'HEALTHY' : 'UNHEALTHY',
        ...(host.ejected ? { failed_outlier_check: true } : {}),
      },
      weight: host.weight,
      ...(priority === 0 ? {} : { priority }),
    })),
  }));
  return JSON.stringify({ cluster_statuses: statuses }, undefined, 1);
}

// /config_dump: the configuration in force in the shape of admin.v3.ConfigDump, as Envoy and istioctl show it.
import { type DescMessage, type JsonValue, type Message, toJson } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@varka/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '@varka/xds/type-urls.ts';
import type { ConfigRecord, Recorded } from '../runtime/config-record.ts';
import { extensionRegistry } from '../runtime/extensions.ts';
import type { ProxyInstance } from '../runtime/proxy-instance.ts';

const ADMIN = 'type.googleapis.com/envoy.admin.v3.';

/** proto3 JSON with field names as in the .proto files, which is what Envoy prints. */
function json(schema: DescMessage, message: Message, typeUrl?: string): JsonValue {
  const value = toJson(schema, message as never, { registry: extensionRegistry(), useProtoFieldName: true });
  return typeUrl === undefined ? value : { '@type': typeUrl, ...(value as Record<string, JsonValue>) };
}

function dated(at: number): string {
  return new Date(at).toISOString();
}

function dynamicEntries<T extends Message>(
  record: ConfigRecord<T>,
  field: string,
  schema: DescMessage,
  typeUrl: string,
): JsonValue[] {
  return [...record.entries.values()].map((entry: Recorded<T>) => ({
    version_info: entry.version,
    [field]: json(schema, entry.resource, typeUrl),
    last_updated: dated(entry.updatedAt),
  }));
}

export interface DumpOptions {
  readonly includeEds: boolean;
  /** Only sections whose "@type" ends in this: `BootstrapConfigDump`, `ClustersConfigDump`, … (Envoy: ?mask, ?resource). */
  readonly resource: string | undefined;
}

export function configDump(proxy: ProxyInstance, options: DumpOptions): JsonValue {
  const configs = [bootstrapDump(proxy), clustersDump(proxy)];
  if (options.includeEds) configs.push(endpointsDump(proxy));
  configs.push(listenersDump(proxy), routesDump(proxy));
  if (options.resource === undefined) return { configs };
  const wanted = options.resource;
  return { configs: configs.flatMap((config) => (config[wanted] as JsonValue[] | undefined) ?? []) };
}

type Section = Record<string, JsonValue>;

function bootstrapDump(proxy: ProxyInstance): Section {
  return {
    '@type': `${ADMIN}BootstrapConfigDump`,
    bootstrap: json(BootstrapSchema, proxy.bootstrap.proto),
    last_updated: dated(proxy.startedAt),
  };
}

function clustersDump(proxy: ProxyInstance): Section {
  const record = proxy.updates.clusterRecord;
  const warming = new Set([...proxy.clusters.warming].map((cluster) => cluster.name));
  const entries = dynamicEntries(record, 'cluster', ClusterSchema, CLUSTER);
  const isWarming = (i: number): boolean => warming.has([...record.entries.keys()][i]!);
  return {
    '@type': `${ADMIN}ClustersConfigDump`,
    version_info: record.version,
    static_clusters: proxy.bootstrap.clusters.map((cluster) => ({
      cluster: json(ClusterSchema, cluster, CLUSTER),
      last_updated: dated(proxy.startedAt),
    })),
    dynamic_active_clusters: entries.filter((_entry, i) => !isWarming(i)),
    dynamic_warming_clusters: entries.filter((_entry, i) => isWarming(i)),
  };
}

function endpointsDump(proxy: ProxyInstance): Section {
  return {
    '@type': `${ADMIN}EndpointsConfigDump`,
    dynamic_endpoint_configs: dynamicEntries(
      proxy.updates.endpointRecord,
      'endpoint_config',
      ClusterLoadAssignmentSchema,
      ENDPOINTS,
    ),
  };
}

function listenersDump(proxy: ProxyInstance): Section {
  const record = proxy.updates.listenerRecord;
  const dynamic = [...record.entries].map(([name, entry]) => ({
    name,
    active_state: {
      version_info: entry.version,
      listener: json(ListenerSchema, entry.resource, LISTENER),
      last_updated: dated(entry.updatedAt),
    },
  }));
  const { rejection } = record;
  return {
    '@type': `${ADMIN}ListenersConfigDump`,
    version_info: record.version,
    static_listeners: proxy.bootstrap.listeners.map((listener) => ({
      listener: json(ListenerSchema, listener, LISTENER),
      last_updated: dated(proxy.startedAt),
    })),
    dynamic_listeners:
      rejection === undefined
        ? dynamic
        : [
            ...dynamic,
            {
              error_state: {
                version_info: rejection.version,
                details: rejection.details,
                last_update_attempt: dated(rejection.at),
              },
            },
          ],
  };
}

function routesDump(proxy: ProxyInstance): Section {
  return {
    '@type': `${ADMIN}RoutesConfigDump`,
    dynamic_route_configs: dynamicEntries(proxy.updates.routeRecord, 'route_config', RouteConfigurationSchema, ROUTES),
  };
}

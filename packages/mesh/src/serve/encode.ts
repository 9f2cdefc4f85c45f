// Compiled messages as the bytes that go out. What several proxies share is encoded once and shared as bytes.
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { ProxyResources } from '@varka/xds/ads-connection.ts';
import { type Cluster, ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '@varka/xds/type-urls.ts';
import type { Resource } from '@varka/xds/type-watch.ts';
import type { CompiledProxy } from '../compile/compile.ts';

const encoded = new WeakMap<object, Resource>();

export function encodeProxy(compiled: CompiledProxy, version: string): ProxyResources {
  return {
    version,
    types: {
      [CLUSTER]: encodeAll(ClusterSchema, compiled.clusters, describeCluster),
      [ENDPOINTS]: encodeAll(ClusterLoadAssignmentSchema, compiled.endpoints, ({ clusterName }) => ({
        name: clusterName,
      })),
      [LISTENER]: encodeAll(ListenerSchema, compiled.listeners, ({ name }) => ({ name })),
      [ROUTES]: encodeAll(RouteConfigurationSchema, compiled.routes, ({ name }) => ({ name })),
    },
  };
}

function describeCluster({ name, edsClusterConfig }: Cluster): Omit<Resource, 'body'> {
  return edsClusterConfig === undefined ? { name } : { name, endpoints: edsClusterConfig.serviceName || name };
}

function encodeAll<Desc extends DescMessage>(
  schema: Desc,
  messages: readonly MessageShape<Desc>[],
  describe: (message: MessageShape<Desc>) => Omit<Resource, 'body'>,
): Map<string, Resource> {
  const resources = new Map<string, Resource>();
  for (const message of messages) {
    let resource = encoded.get(message);
    if (resource === undefined) {
      resource = { ...describe(message), body: toBinary(schema, message) };
      encoded.set(message, resource);
    }
    resources.set(resource.name, resource);
  }
  return resources;
}

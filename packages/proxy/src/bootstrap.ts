// Reads Envoy's bootstrap from JSON text: who this proxy is, where its management server is, and what is static.
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { Problems } from '@varka/decide/problems.ts';
import { type Bootstrap, BootstrapSchema } from '@varka/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Cluster as ClusterProto } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ApiConfigSource_ApiType as ApiType } from '@varka/xds/gen/envoy/config/core/v3/config_source_pb.ts';
import type { Listener as ListenerProto } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { readAddress, type SocketEndpoint } from './runtime/addresses.ts';
import { extensionRegistry } from './runtime/extensions.ts';

export interface ManagementServer {
  /** Name of the static cluster that leads there. */
  readonly cluster: string;
  readonly host: string;
  readonly port: number;
}

export interface BootstrapConfig {
  readonly proto: Bootstrap;
  readonly admin: SocketEndpoint | undefined;
  /** Undefined without dynamic resources: only what is static is served. */
  readonly ads: ManagementServer | undefined;
  readonly dynamicClusters: boolean;
  readonly dynamicListeners: boolean;
  readonly clusters: readonly ClusterProto[];
  readonly listeners: readonly ListenerProto[];
}

/** The bootstrap is wrong; the message says everything that is. */
export class BootstrapError extends Error {
  override readonly name = 'BootstrapError';
}

/** `origin` names the text in messages: the flag or the file it came from. */
export function parseBootstrap(text: string, origin: string): BootstrapConfig {
  const proto = decode(parseJson(text, origin), origin);
  const problems = new Problems();
  const admin =
    proto.admin?.address === undefined ? undefined : readAddress(proto.admin.address, problems.at('admin.address'));
  const config: BootstrapConfig = {
    proto,
    admin,
    ads: readAds(proto, problems),
    dynamicClusters: usesAds(proto.dynamicResources?.cdsConfig, problems.at('dynamic_resources.cds_config')),
    dynamicListeners: usesAds(proto.dynamicResources?.ldsConfig, problems.at('dynamic_resources.lds_config')),
    clusters: proto.staticResources?.clusters ?? [],
    listeners: proto.staticResources?.listeners ?? [],
  };
  if (config.ads === undefined && (config.dynamicClusters || config.dynamicListeners))
    problems.add('dynamic_resources: lds_config and cds_config ask for ADS, but there is no ads_config');
  if (config.ads !== undefined && (proto.node?.id ?? '') === '') problems.add('node.id is needed to use xDS');
  if (problems.list.length > 0) throw new BootstrapError(`${origin}: ${problems.list.join('; ')}`);
  return config;
}

function parseJson(text: string, origin: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    const hint = /^\s*[{[]/.test(text) ? '' : ' (the bootstrap must be JSON; YAML is not read)';
    throw new BootstrapError(`${origin}: not valid JSON: ${(error as Error).message}${hint}`);
  }
}

function decode(json: JsonValue, origin: string): Bootstrap {
  try {
    return fromJson(BootstrapSchema, json, { registry: extensionRegistry() });
  } catch (error) {
    throw new BootstrapError(`${origin}: not an Envoy bootstrap: ${(error as Error).message}`);
  }
}

function usesAds(
  source: { readonly configSourceSpecifier: { readonly case: string | undefined } } | undefined,
  problems: Problems,
): boolean {
  if (source === undefined) return false;
  const kind = source.configSourceSpecifier.case;
  if (kind !== 'ads') problems.add(`only {"ads": {}} is supported, found ${kind ?? 'nothing'}`);
  return kind === 'ads';
}

/** ads_config names a static cluster, and that cluster's first endpoint is where the management server is. */
function readAds(proto: Bootstrap, problems: Problems): ManagementServer | undefined {
  const ads = proto.dynamicResources?.adsConfig;
  if (ads === undefined) return undefined;
  const at = problems.at('dynamic_resources.ads_config');
  if (ads.apiType !== ApiType.GRPC) {
    at.add('api_type must be GRPC (state of the world)');
    return undefined;
  }
  const target = ads.grpcServices[0]?.targetSpecifier;
  if (target?.case !== 'envoyGrpc') {
    at.add('grpc_services[0].envoy_grpc is needed');
    return undefined;
  }
  const name = target.value.clusterName;
  const cluster = proto.staticResources?.clusters.find((candidate) => candidate.name === name);
  if (cluster === undefined) {
    at.add(`static_resources has no cluster ${JSON.stringify(name)}`);
    return undefined;
  }
  const identifier = cluster.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
  const address = identifier?.case === 'endpoint' ? identifier.value.address : undefined;
  const where = problems.at(`static_resources.clusters[${name}]`);
  if (cluster.transportSocket !== undefined) where.add('transport_socket is not supported');
  if (address === undefined) {
    where.add('load_assignment has no endpoint');
    return undefined;
  }
  const endpoint = readAddress(address, where);
  return endpoint && { cluster: name, host: endpoint.address, port: endpoint.port };
}

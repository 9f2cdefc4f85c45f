// CDS: every service port and subset a proxy can reach, and what stands for everything else.
import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { HttpProtocolOptionsSchema } from '@varka/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import type { DestinationRule } from '../config/destination-rule.ts';
import type { ConnectionPool, Subset } from '../config/istio-types.ts';
import type { Protocol } from '../registry/protocol.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import type { Snapshot } from '../snapshot.ts';
import { inboundPorts } from './inbound-ports.ts';
import { configUri, duration, FROM_ADS, type Init, istioMetadata, pack, upstreamBind } from './messages.ts';
import {
  BLACK_HOLE_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  inboundCluster,
  outboundCluster,
  PASSTHROUGH_CLUSTER,
} from './names.ts';
import type { MeshProxy } from './proxy.ts';
import { sharedBy } from './shared.ts';
import { commonHttpOptions, policyFor, trafficPolicyFields } from './traffic-policy.ts';
import { tcpPorts, type View, visibleServices } from './visible-services.ts';

export interface OutboundScope extends View {
  /** A sidecar's own connections carry the mark that lets them past its capture. */
  readonly marked: boolean;
}

/** Istio binds what a sidecar sends to its own application to this, so that it is told from outside traffic. */
const INBOUND_SOURCE = '127.0.0.6';

export function outboundClusters(snapshot: Snapshot, scope: OutboundScope): Cluster[] {
  const shared = sharedBy(snapshot);
  const { http2, marked } = scope;
  const clusters = visibleServices(snapshot, scope).flatMap((service) => {
    const rule = snapshot.destinationRule(service, scope.namespace);
    const key = ['clusters of', service.hostname, rule?.id, http2, marked];
    return shared(key, () => serviceClusters(snapshot, marked, service, rule));
  });
  return [...clusters, passthrough(snapshot, PASSTHROUGH_CLUSTER, marked), blackHole()];
}

function serviceClusters(
  snapshot: Snapshot,
  marked: boolean,
  service: Service,
  rule: DestinationRule | undefined,
): Cluster[] {
  return tcpPorts(service).flatMap((port) =>
    [undefined, ...(rule?.subsets ?? [])].map((subset) =>
      serviceCluster(snapshot, marked, service, port, rule, subset),
    ),
  );
}

export function inboundClusters(snapshot: Snapshot, proxy: MeshProxy): Cluster[] {
  const clusters = inboundPorts(snapshot, proxy).map(({ number, protocol, service }) =>
    create(ClusterSchema, {
      name: inboundCluster(number),
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      connectTimeout: duration(snapshot.mesh.connectTimeout)!,
      upstreamBindConfig: upstreamBind(snapshot.mesh.marksSockets, INBOUND_SOURCE)!,
      metadata: istioMetadata({ services: [serviceReference(service)] }),
      ...httpOptions(protocol, undefined),
    }),
  );
  return [...clusters, passthrough(snapshot, INBOUND_PASSTHROUGH_CLUSTER, true, INBOUND_SOURCE)];
}

function serviceCluster(
  snapshot: Snapshot,
  marked: boolean,
  service: Service,
  port: ServicePort,
  rule: DestinationRule | undefined,
  subset: Subset | undefined,
): Cluster {
  const policy = policyFor(rule?.trafficPolicy, subset?.trafficPolicy, port.number);
  return create(ClusterSchema, {
    name: outboundCluster(port.number, subset?.name ?? '', service.hostname),
    ...trafficPolicyFields(policy, snapshot.mesh),
    ...discovery(service, port, subset, marked),
    ...bind(snapshot, marked),
    ...httpOptions(port.protocol, policy.connectionPool),
    metadata: istioMetadata({
      services: [serviceReference(service)],
      ...(subset === undefined ? {} : { subset: subset.name }),
      ...(rule === undefined ? {} : { config: configUri('destination-rule', rule.namespace, rule.name) }),
    }),
  });
}

function discovery(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  sidecar: boolean,
): Init<typeof ClusterSchema> {
  // A headless service's client has chosen a pod already, by its address. A gateway's client has not: the address it
  // called is the gateway's own [istio cluster_builder.go convertResolution].
  if (service.headless && sidecar)
    return {
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    };
  return {
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: FROM_ADS,
      serviceName: outboundCluster(port.number, subset?.name ?? '', service.hostname),
    },
  };
}

function bind({ mesh }: Snapshot, marked: boolean): Init<typeof ClusterSchema> {
  const upstreamBindConfig = upstreamBind(marked && mesh.marksSockets);
  return upstreamBindConfig === undefined ? {} : { upstreamBindConfig };
}

function serviceReference(service: Service) {
  return { host: service.hostname, name: service.name, namespace: service.namespace };
}

function passthrough(snapshot: Snapshot, name: string, marked: boolean, source?: string): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    ...trafficPolicyFields({}, snapshot.mesh),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...(source === undefined
      ? bind(snapshot, marked)
      : { upstreamBindConfig: upstreamBind(marked && snapshot.mesh.marksSockets, source)! }),
    ...httpOptions('auto', undefined),
  });
}

function blackHole(): Cluster {
  return create(ClusterSchema, {
    name: BLACK_HOLE_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: { seconds: 10n, nanos: 0 },
  });
}

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** HTTP/2 where the port says so; what is sniffed goes on as it came; else Envoy's HTTP/1.1 default. */
function httpOptions(protocol: Protocol, pool: ConnectionPool | undefined): Init<typeof ClusterSchema> {
  const common = commonHttpOptions(pool);
  const version = protocolConfig(protocol);
  if (version === undefined && common === undefined) return {};
  return {
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: pack(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: version ?? {
          case: 'explicitHttpConfig',
          value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } },
        },
        ...(common === undefined ? {} : { commonHttpProtocolOptions: common }),
      }),
    },
  };
}

function protocolConfig(
  protocol: Protocol,
): Init<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions'] | undefined {
  if (protocol === 'http2' || protocol === 'grpc')
    return { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } } };
  if (protocol === 'auto')
    return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } };
  return undefined;
}

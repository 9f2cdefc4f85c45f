// The bootstrap that a proxy starts with: who it is, where its control plane is, and the two listeners it has before
// any configuration reaches it. It is plain Envoy (envoy.config.bootstrap.v3.Bootstrap as JSON) and valid for Envoy.
import { CLUSTER_DOMAIN, ISTIOD_GRPC_PORT, ISTIOD_HOST, PROXY_PORTS } from '../install/addresses.ts';

export interface ProxyIdentity {
  /** `router` is a gateway: a proxy of its own, beside no application. */
  readonly type: 'sidecar' | 'router';
  /** What Istio calls the workload: the Deployment's name, for a pod of one. */
  readonly workloadName: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `kubernetes://apis/apps/v1/namespaces/NS/deployments/NAME`. */
  readonly owner?: string;
  /** The application's containers, beside the proxy. */
  readonly appContainers?: readonly string[];
}

/** Expanded by the kubelet in a container's args, from the container's env (Kubernetes: "Define a dependent
 * environment variable"); only at the pod's start are they known. */
const POD_NAME = '$(POD_NAME)';
const POD_NAMESPACE = '$(POD_NAMESPACE)';
const INSTANCE_IP = '$(INSTANCE_IP)';

export const PROXY_ENV = [
  { name: 'POD_NAME', fieldPath: 'metadata.name' },
  { name: 'POD_NAMESPACE', fieldPath: 'metadata.namespace' },
  { name: 'INSTANCE_IP', fieldPath: 'status.podIP' },
  { name: 'SERVICE_ACCOUNT', fieldPath: 'spec.serviceAccountName' },
].map(({ name, fieldPath }) => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } }));

const XDS_CLUSTER = 'xds-grpc';
const ADMIN_CLUSTER = 'prometheus_stats';

const TYPE = {
  manager: 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  router: 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
  httpOptions: 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
} as const;

const fromAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };

export function bootstrap(identity: ProxyIdentity): Record<string, unknown> {
  return {
    node: node(identity),
    admin: { address: socketAddress('127.0.0.1', PROXY_PORTS.admin) },
    dynamic_resources: {
      lds_config: fromAds,
      cds_config: fromAds,
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: XDS_CLUSTER } }],
      },
    },
    static_resources: {
      clusters: [xdsCluster(), adminCluster()],
      listeners: [
        adminListener(PROXY_PORTS.ready, '/healthz/ready', '/ready'),
        adminListener(PROXY_PORTS.metrics, '/stats/prometheus', '/stats/prometheus'),
      ],
    },
  };
}

/** The node id and the metadata keys are Istio's (pilot/pkg/model/context.go): a control plane reads them. */
function node(identity: ProxyIdentity): Record<string, unknown> {
  return {
    id: `${identity.type}~${INSTANCE_IP}~${POD_NAME}.${POD_NAMESPACE}~${POD_NAMESPACE}.svc.${CLUSTER_DOMAIN}`,
    cluster: `${identity.workloadName}.${POD_NAMESPACE}`,
    metadata: {
      NAME: POD_NAME,
      NAMESPACE: POD_NAMESPACE,
      INSTANCE_IPS: INSTANCE_IP,
      WORKLOAD_NAME: identity.workloadName,
      SERVICE_ACCOUNT: identity.serviceAccount,
      LABELS: identity.labels,
      CLUSTER_ID: 'Kubernetes',
      MESH_ID: CLUSTER_DOMAIN,
      ...(identity.type === 'sidecar' ? { INTERCEPTION_MODE: 'REDIRECT' } : {}),
      ...(identity.owner === undefined ? {} : { OWNER: identity.owner }),
      ...(identity.appContainers === undefined ? {} : { APP_CONTAINERS: identity.appContainers.join(',') }),
    },
  };
}

function xdsCluster(): Record<string, unknown> {
  return {
    name: XDS_CLUSTER,
    type: 'STRICT_DNS',
    dns_lookup_family: 'V4_ONLY',
    connect_timeout: '1s',
    load_assignment: loadAssignment(XDS_CLUSTER, ISTIOD_HOST, ISTIOD_GRPC_PORT),
    // A control plane that has gone without a FIN (killed machine) is noticed, and the stream opened anew.
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 300 } },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': TYPE.httpOptions,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

function adminCluster(): Record<string, unknown> {
  return {
    name: ADMIN_CLUSTER,
    type: 'STATIC',
    connect_timeout: '0.250s',
    load_assignment: loadAssignment(ADMIN_CLUSTER, '127.0.0.1', PROXY_PORTS.admin),
  };
}

/** The admin interface is on loopback only: these listeners let out one path of it each. */
function adminListener(port: number, path: string, adminPath: string): Record<string, unknown> {
  return {
    name: `admin_${port}`,
    address: socketAddress('0.0.0.0', port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': TYPE.manager,
              codec_type: 'AUTO',
              stat_prefix: `admin_${port}`,
              route_config: {
                name: `admin_${port}`,
                virtual_hosts: [
                  {
                    name: 'backend',
                    domains: ['*'],
                    routes: [
                      { match: { path }, route: { cluster: ADMIN_CLUSTER, prefix_rewrite: adminPath, timeout: '3s' } },
                    ],
                  },
                ],
              },
              http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': TYPE.router } }],
            },
          },
        ],
      },
    ],
  };
}

function loadAssignment(cluster: string, address: string, port: number): Record<string, unknown> {
  return {
    cluster_name: cluster,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address, port) } }] }],
  };
}

function socketAddress(address: string, port: number): Record<string, unknown> {
  return { socket_address: { address, port_value: port } };
}

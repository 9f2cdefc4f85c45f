// The two network filters a filter chain can end in: HTTP, or bytes to a cluster.

import type { FilterSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import type { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CorsSchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { RouterSchema } from '@varka/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
} from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { TcpProxySchema } from '@varka/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { MeshConfig } from '../config/mesh-config.ts';
import { accessLogs } from './access-log.ts';
import { FROM_ADS, type Init, pack, ZERO_DURATION } from './messages.ts';
import { CORS_FILTER, FAULT_FILTER } from './names.ts';

type FilterInit = Init<typeof FilterSchema>;

export type HttpRoutes =
  | { readonly kind: 'rds'; readonly name: string }
  | { readonly kind: 'inline'; readonly config: Init<typeof RouteConfigurationSchema> };

export interface HttpConnectionManagerOptions {
  readonly statPrefix: string;
  readonly routes: HttpRoutes;
  /** Which side of the mesh's edge this is; it decides what of a request is believed. */
  readonly side: 'outbound' | 'inbound' | 'gateway';
}

/** In Istio's order. Faults and cross-origin sharing say nothing here: routes configure them. */
const HTTP_FILTERS: NonNullable<Init<typeof HttpConnectionManagerSchema>['httpFilters']> = [
  { name: FAULT_FILTER, configType: { case: 'typedConfig', value: pack(HTTPFaultSchema, {}) } },
  { name: CORS_FILTER, configType: { case: 'typedConfig', value: pack(CorsSchema, {}) } },
  { name: 'envoy.filters.http.router', configType: { case: 'typedConfig', value: pack(RouterSchema, {}) } },
];

export function httpConnectionManager(mesh: MeshConfig, options: HttpConnectionManagerOptions): FilterInit {
  const { side } = options;
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: {
      case: 'typedConfig',
      value: pack(HttpConnectionManagerSchema, {
        statPrefix: options.statPrefix,
        routeSpecifier: routeSpecifier(options.routes),
        // A client outside sees `istio-envoy`; a client inside sees its own sidecar's, which keeps Envoy's name.
        ...(side === 'outbound'
          ? {}
          : {
              serverName: 'istio-envoy',
              serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.OVERWRITE,
            }),
        // Only a gateway stands at an edge: it notes the peer's address, sidecars believe what is there.
        useRemoteAddress: side === 'gateway',
        generateRequestId: true,
        normalizePath: true,
        pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
        upgradeConfigs: [{ upgradeType: 'websocket' }],
        streamIdleTimeout: ZERO_DURATION,
        proxy100Continue: true,
        accessLog: accessLogs(mesh),
        httpFilters: HTTP_FILTERS,
      }),
    },
  };
}

function routeSpecifier(routes: HttpRoutes): NonNullable<Init<typeof HttpConnectionManagerSchema>['routeSpecifier']> {
  if (routes.kind === 'inline') return { case: 'routeConfig', value: routes.config };
  return {
    case: 'rds',
    value: {
      routeConfigName: routes.name,
      configSource: FROM_ADS,
    },
  };
}

export function tcpProxy(mesh: MeshConfig, cluster: string): FilterInit {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    configType: {
      case: 'typedConfig',
      value: pack(TcpProxySchema, {
        statPrefix: cluster,
        clusterSpecifier: { case: 'cluster', value: cluster },
        accessLog: accessLogs(mesh),
      }),
    },
  };
}

// The HttpConnectionManager network filter. Accepted without effect, because what they would do needs something that
// is refused or not there (TLS, tracing providers, HTTP/2), or is about limits the codec sets itself: http_protocol_options but for accept_http_10,
// http2_protocol_options, tracing without a provider, forward_client_cert_details and its kin, request_id_extension,
// stream_idle_timeout 0, drain_timeout, delayed_close_timeout, internal_address_config, via,
// path_with_escaped_slashes_action KEEP_UNCHANGED, proxy_100_continue (interim responses are always passed on).

import { typeName, unpack } from '@varka/decide/any.ts';
import { durationMs } from '@varka/decide/duration.ts';
import { compileFault } from '@varka/decide/fault.ts';
import type { Problems } from '@varka/decide/problems.ts';
import { CorsSchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { RouterSchema } from '@varka/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  type HttpConnectionManager,
  type HttpFilter,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { corsFilter } from '../filters/cors.ts';
import { FaultFilter } from '../filters/fault.ts';
import type { HttpFilter as Filter } from '../filters/http-filter.ts';
import { compileAccessLogs } from './compile-access-log.ts';
import type { CompileContext } from './compile-context.ts';
import type { HttpConnectionManagerConfig, RouteSource } from './tables.ts';

const ROUTER = 'envoy.filters.http.router';
const HOUR_MS = 3_600_000;

const SERVER_HEADER: Readonly<Record<number, HttpConnectionManagerConfig['serverHeader']>> = {
  [ServerHeader.OVERWRITE]: 'overwrite',
  [ServerHeader.APPEND_IF_ABSENT]: 'append-if-absent',
  [ServerHeader.PASS_THROUGH]: 'pass-through',
};

export function compileHttpConnectionManager(
  proto: HttpConnectionManager,
  bufferLimit: number,
  context: CompileContext,
  problems: Problems,
): HttpConnectionManagerConfig | undefined {
  refuseUnsupported(proto, problems);
  const filters = compileFilters(proto.httpFilters, problems);
  const routes = compileRoutes(proto, context, problems);
  const common = proto.commonHttpProtocolOptions;
  const max = common?.maxStreamDuration;
  problems.unsupported('common_http_protocol_options.max_stream_duration', max !== undefined && durationMs(max) > 0);
  if (proto.statPrefix === '') problems.add('stat_prefix is empty');
  const accessLogs = compileAccessLogs(proto.accessLog, context.openLog, problems);
  const serverHeader = SERVER_HEADER[proto.serverHeaderTransformation] ?? 'overwrite';
  if (routes === undefined) return undefined;
  return {
    statPrefix: proto.statPrefix,
    routes,
    filters,
    accessLogs,
    serverName: serverHeader === 'pass-through' ? undefined : proto.serverName || 'envoy',
    serverHeader,
    useRemoteAddress: proto.useRemoteAddress ?? false,
    generateRequestId: proto.generateRequestId ?? true,
    websocketUpgrade: compileUpgrades(proto, problems),
    idleTimeoutMs: common?.idleTimeout === undefined ? HOUR_MS : durationMs(common.idleTimeout),
    maxRequestHeaderBytes: (proto.maxRequestHeadersKb ?? 60) * 1024,
    maxRequestHeaders: common?.maxHeadersCount ?? 100,
    requestHeadersTimeoutMs: proto.requestHeadersTimeout === undefined ? 0 : durationMs(proto.requestHeadersTimeout),
    normalizePath: proto.normalizePath ?? false,
    acceptHttp10: proto.httpProtocolOptions?.acceptHttp10 ?? false,
    perConnectionBufferLimit: bufferLimit,
    stats: context.stats.httpPrefix(proto.statPrefix),
  };
}

function refuseUnsupported(proto: HttpConnectionManager, problems: Problems): void {
  problems.unsupported('codec_type HTTP2', proto.codecType === Codec.HTTP2);
  problems.unsupported('codec_type HTTP3', proto.codecType === Codec.HTTP3);
  problems.unsupported('add_user_agent', proto.addUserAgent === true);
  problems.unsupported('tracing.provider', proto.tracing?.provider !== undefined);
  const idle = proto.streamIdleTimeout;
  problems.unsupported('a stream_idle_timeout other than 0', idle !== undefined && durationMs(idle) > 0);
  const request = proto.requestTimeout;
  problems.unsupported('request_timeout', request !== undefined && durationMs(request) > 0);
  problems.unsupported('xff_num_trusted_hops', proto.xffNumTrustedHops > 0);
  problems.unsupported('skip_xff_append', proto.skipXffAppend);
  problems.unsupported('original_ip_detection_extensions', proto.originalIpDetectionExtensions.length > 0);
  problems.unsupported('early_header_mutation_extensions', proto.earlyHeaderMutationExtensions.length > 0);
  problems.unsupported('preserve_external_request_id', proto.preserveExternalRequestId);
  problems.unsupported('always_set_request_id_in_response', proto.alwaysSetRequestIdInResponse);
  problems.unsupported('local_reply_config', proto.localReplyConfig !== undefined);
  problems.unsupported('strip_matching_host_port', proto.stripMatchingHostPort);
  problems.unsupported('strip_any_host_port', proto.stripPortMode.value === true);
  problems.unsupported('strip_trailing_host_dot', proto.stripTrailingHostDot);
  problems.unsupported('append_x_forwarded_port', proto.appendXForwardedPort);
  problems.unsupported('merge_slashes', proto.mergeSlashes);
  const slashes = proto.pathWithEscapedSlashesAction;
  const kept: readonly number[] = [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT, EscapedSlashes.KEEP_UNCHANGED];
  problems.unsupported('path_with_escaped_slashes_action', !kept.includes(slashes));
  problems.unsupported('path_normalization_options', proto.pathNormalizationOptions !== undefined);
  problems.unsupported('scheme_header_transformation', proto.schemeHeaderTransformation !== undefined);
  problems.unsupported('proxy_status_config', proto.proxyStatusConfig !== undefined);
  problems.unsupported('typed_header_validation_config', proto.typedHeaderValidationConfig !== undefined);
}

/** The filters before the router, which Envoy wants last. */
function compileFilters(filters: readonly HttpFilter[], problems: Problems): readonly Filter[] {
  const compiled: Filter[] = [];
  const active = filters.filter((filter) => !filter.disabled);
  for (const [i, filter] of active.entries()) {
    const at = problems.at(`http_filters[${filter.name}]`);
    const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    const type = any === undefined ? '' : typeName(any);
    if (type === RouterSchema.typeName || (type === '' && filter.name === ROUTER)) {
      if (i !== active.length - 1) at.add('the router must be the last filter');
    } else if (any !== undefined && type === HTTPFaultSchema.typeName) {
      const fault = unpack(any, HTTPFaultSchema, at);
      if (fault !== undefined) compiled.push(new FaultFilter(compileFault(fault, at)));
    } else if (type === CorsSchema.typeName) compiled.push(corsFilter);
    // HttpFilter.is_optional: a proxy that does not know the filter leaves it out.
    else if (!filter.isOptional) at.add(`the filter ${type === '' ? filter.name : type} is not supported`);
  }
  if (active.length === 0) problems.add('http_filters: the router is missing');
  return compiled;
}

function compileRoutes(
  proto: HttpConnectionManager,
  context: CompileContext,
  problems: Problems,
): RouteSource | undefined {
  const specifier = proto.routeSpecifier;
  switch (specifier.case) {
    case 'rds': {
      const { configSource, routeConfigName } = specifier.value;
      const at = problems.at('rds');
      if (configSource?.configSourceSpecifier.case !== 'ads') at.add('config_source must be {"ads": {}}');
      if (routeConfigName === '') at.add('route_config_name is empty');
      return context.routes(routeConfigName);
    }
    case 'routeConfig': {
      const compiled = context.inlineRoutes(specifier.value);
      if (compiled.kind === 'source') return compiled.source;
      const at = problems.at(`route_config[${specifier.value.name}]`);
      for (const error of compiled.errors) at.add(error);
      return undefined;
    }
    default:
      problems.add(specifier.case === undefined ? 'route_specifier is missing' : 'scoped_routes is not supported');
      return undefined;
  }
}

function compileUpgrades(proto: HttpConnectionManager, problems: Problems): boolean {
  let websocket = false;
  for (const [i, upgrade] of proto.upgradeConfigs.entries()) {
    const at = problems.at(`upgrade_configs[${i}]`);
    at.unsupported('filters', upgrade.filters.length > 0);
    if (upgrade.upgradeType.toLowerCase() === 'websocket') websocket = upgrade.enabled ?? true;
    else at.add(`upgrade_type ${JSON.stringify(upgrade.upgradeType)} is not supported`);
  }
  return websocket;
}

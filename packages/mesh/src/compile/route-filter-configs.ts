// What a rule says to HTTP filters: faults and cross-origin sharing [istio route.go TranslateFault, TranslateCORSPolicy].
import type { Any } from '@bufbuild/protobuf/wkt';
import { CorsPolicySchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import type { StringMatcherSchema } from '@varka/xds/gen/envoy/type/matcher/v3/string_pb.ts';
import type { CorsPolicy, HttpFault, HttpRoute, StringMatch } from '../config/istio-types.ts';
import { duration, type Init, pack } from './messages.ts';
import { CORS_FILTER, FAULT_FILTER } from './names.ts';
import { fractionOf, fractionOfWhole } from './percent.ts';

export function routeFilterConfigs(http: HttpRoute): Record<string, Any> {
  const configs: Record<string, Any> = {};
  const fault = http.fault === undefined ? undefined : faultConfig(http.fault);
  if (fault !== undefined) configs[FAULT_FILTER] = pack(HTTPFaultSchema, fault);
  if (http.corsPolicy !== undefined) configs[CORS_FILTER] = pack(CorsPolicySchema, corsConfig(http.corsPolicy));
  return configs;
}

/** Without a percentage nothing is injected [istio/api HTTPFaultInjection]. */
function faultConfig({ delay, abort }: HttpFault): Init<typeof HTTPFaultSchema> | undefined {
  const fixed = duration(delay?.fixedDelay);
  const delayShare =
    delay?.percentage != null
      ? fractionOf(delay.percentage)
      : delay?.percent
        ? fractionOfWhole(delay.percent)
        : undefined;
  const error = abort === undefined ? undefined : abortType(abort);
  const config: Init<typeof HTTPFaultSchema> = {
    ...(fixed === undefined || delayShare === undefined
      ? {}
      : { delay: { faultDelaySecifier: { case: 'fixedDelay', value: fixed }, percentage: delayShare } }),
    ...(abort?.percentage == null || error === undefined
      ? {}
      : { abort: { errorType: error, percentage: fractionOf(abort.percentage) } }),
  };
  return Object.keys(config).length === 0 ? undefined : config;
}

/** gRPC's status codes by the names that `grpcStatus` takes; a number does as well. */
const GRPC_STATUS: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

type AbortType = NonNullable<NonNullable<Init<typeof HTTPFaultSchema>['abort']>['errorType']>;

function abortType(abort: NonNullable<HttpFault['abort']>): AbortType | undefined {
  if (abort.httpStatus !== undefined) return { case: 'httpStatus', value: abort.httpStatus };
  if (abort.grpcStatus === undefined) return undefined;
  const named = GRPC_STATUS.indexOf(abort.grpcStatus.toUpperCase());
  const code = named >= 0 ? named : Number(abort.grpcStatus);
  return Number.isInteger(code) ? { case: 'grpcStatus', value: code } : undefined;
}

function corsConfig(cors: CorsPolicy): Init<typeof CorsPolicySchema> {
  const origins = [
    ...(cors.allowOrigins ?? []).map(originMatch),
    // The older form: exact texts.
    ...(cors.allowOrigins?.length ? [] : (cors.allowOrigin ?? []).map((exact) => originMatch({ exact }))),
  ];
  const maxAge = duration(cors.maxAge);
  return {
    allowOriginStringMatch: origins,
    allowMethods: (cors.allowMethods ?? []).join(','),
    allowHeaders: (cors.allowHeaders ?? []).join(','),
    exposeHeaders: (cors.exposeHeaders ?? []).join(','),
    ...(maxAge === undefined ? {} : { maxAge: String(maxAge.seconds) }),
    ...(cors.allowCredentials == null ? {} : { allowCredentials: cors.allowCredentials }),
    ...(cors.unmatchedPreflights === undefined || cors.unmatchedPreflights === 'UNSPECIFIED'
      ? {}
      : { forwardNotMatchingPreflights: cors.unmatchedPreflights === 'FORWARD' }),
  };
}

function originMatch({ exact, prefix, regex }: StringMatch): Init<typeof StringMatcherSchema> {
  if (exact !== undefined && exact !== '') {
    // "*" in the older form is every origin.
    return exact === '*'
      ? { matchPattern: { case: 'safeRegex', value: { regex: '.*' } } }
      : { matchPattern: { case: 'exact', value: exact } };
  }
  if (prefix !== undefined && prefix !== '') return { matchPattern: { case: 'prefix', value: prefix } };
  return { matchPattern: { case: 'safeRegex', value: { regex: regex ?? '' } } };
}

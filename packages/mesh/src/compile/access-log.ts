// The access log in Istio's default text format [istio telemetry_logging.go EnvoyTextLogFormat].
import type { AccessLogSchema } from '@varka/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import { FileAccessLogSchema } from '@varka/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import type { MeshConfig } from '../config/mesh-config.ts';
import { type Init, pack } from './messages.ts';

export const ACCESS_LOG_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

export function accessLogs(mesh: MeshConfig): Init<typeof AccessLogSchema>[] {
  if (mesh.accessLogFile === '') return [];
  const typedConfig = pack(FileAccessLogSchema, {
    path: mesh.accessLogFile,
    accessLogFormat: {
      case: 'logFormat',
      value: {
        format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: ACCESS_LOG_FORMAT } } },
      },
    },
  });
  return [{ name: 'envoy.access_loggers.file', configType: { case: 'typedConfig', value: typedConfig } }];
}

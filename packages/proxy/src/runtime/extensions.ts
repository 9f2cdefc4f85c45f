// The extensions (google.protobuf.Any types) that Varka knows; anything else in a resource is refused by its type's name.
import { createRegistry, type Registry } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@varka/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { FileAccessLogSchema } from '@varka/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import { CorsPolicySchema, CorsSchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { RouterSchema } from '@varka/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { HttpInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { OriginalDstSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { HttpConnectionManagerSchema } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { TcpProxySchema } from '@varka/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { PreviousHostsPredicateSchema } from '@varka/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts';
import { HttpProtocolOptionsSchema } from '@varka/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';

let known: Registry | undefined;

/** For reading and writing Envoy's JSON, in which an Any is spelt out by its "@type". Made when first needed. */
export function extensionRegistry(): Registry {
  known ??= createRegistry(
    BootstrapSchema,
    HttpConnectionManagerSchema,
    TcpProxySchema,
    RouterSchema,
    CorsSchema,
    CorsPolicySchema,
    HTTPFaultSchema,
    OriginalDstSchema,
    HttpInspectorSchema,
    TlsInspectorSchema,
    FileAccessLogSchema,
    HttpProtocolOptionsSchema,
    PreviousHostsPredicateSchema,
  );
  return known;
}

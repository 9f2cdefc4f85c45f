// What looks at a connection before a filter chain is chosen.
import type {
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import { HttpInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { OriginalDstSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { type Init, pack } from './messages.ts';

type ListenerFilterInit = Init<typeof ListenerFilterSchema>;

export const ORIGINAL_DST: ListenerFilterInit = {
  name: 'envoy.filters.listener.original_dst',
  configType: { case: 'typedConfig', value: pack(OriginalDstSchema, {}) },
};

/** `exceptPorts`: where a server may speak first, so waiting for the client's first bytes would wait for ever. */
export function inspectors(exceptPorts: readonly number[] = []): ListenerFilterInit[] {
  const disabled = exceptPorts.length === 0 ? {} : { filterDisabled: anyPort(exceptPorts) };
  return [
    {
      name: 'envoy.filters.listener.tls_inspector',
      configType: { case: 'typedConfig', value: pack(TlsInspectorSchema, {}) },
      ...disabled,
    },
    {
      name: 'envoy.filters.listener.http_inspector',
      configType: { case: 'typedConfig', value: pack(HttpInspectorSchema, {}) },
      ...disabled,
    },
  ];
}

function anyPort(ports: readonly number[]): Init<typeof ListenerFilterChainMatchPredicateSchema> {
  const rules = ports.map(
    (port): Init<typeof ListenerFilterChainMatchPredicateSchema> => ({
      rule: { case: 'destinationPortRange', value: { start: port, end: port + 1 } },
    }),
  );
  // An or_match needs two rules at least (its validation says so).
  return rules.length === 1 ? rules[0]! : { rule: { case: 'orMatch', value: { rules } } };
}

/** What the HTTP inspector reports for HTTP/1.1 and for HTTP/2 in the clear, the latter for those who can take it. */
export function plaintextHttp(http2: boolean) {
  return { transportProtocol: 'raw_buffer', applicationProtocols: http2 ? ['http/1.1', 'h2c'] : ['http/1.1'] };
}

// Listener filters: what is found out about a connection before its filter chain is chosen.

import { typeName } from '@varka/decide/any.ts';
import type { Problems } from '@varka/decide/problems.ts';
import type {
  ListenerFilter,
  ListenerFilterChainMatchPredicate as Predicate,
} from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import { HttpInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { OriginalDstSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@varka/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import type { ListenerTable } from './tables.ts';

type Filters = Required<
  Pick<ListenerTable, 'originalDst' | 'inspectHttp' | 'inspectTls' | 'httpInspectionDisabled' | 'tlsInspectionDisabled'>
>;

/** For a destination port: whether the filter stays out. */
type Disabled = (port: number) => boolean;

const never: Disabled = () => false;

export function compileListenerFilters(filters: readonly ListenerFilter[], problems: Problems): Filters {
  const found = new Map<string, Disabled>();
  for (const filter of filters) {
    const at = problems.at(`listener_filters[${filter.name}]`);
    if (filter.configType.case !== 'typedConfig') {
      at.add('typed_config is missing');
      continue;
    }
    const type = typeName(filter.configType.value);
    found.set(type, compilePredicate(filter.filterDisabled, at.at('filter_disabled')));
    const known = [OriginalDstSchema, HttpInspectorSchema, TlsInspectorSchema].some(
      ({ typeName }) => typeName === type,
    );
    if (!known) at.add(`the filter ${type} is not supported`);
  }
  const originalDst = found.get(OriginalDstSchema.typeName);
  if (originalDst !== undefined && originalDst !== never)
    problems.add('filter_disabled is not supported on original_dst: it is what tells the port');
  return {
    originalDst: originalDst !== undefined,
    inspectHttp: found.has(HttpInspectorSchema.typeName),
    inspectTls: found.has(TlsInspectorSchema.typeName),
    httpInspectionDisabled: found.get(HttpInspectorSchema.typeName) ?? never,
    tlsInspectionDisabled: found.get(TlsInspectorSchema.typeName) ?? never,
  };
}

function compilePredicate(predicate: Predicate | undefined, problems: Problems): Disabled {
  const rule = predicate?.rule;
  switch (rule?.case) {
    case undefined:
      return never;
    case 'anyMatch':
      return () => rule.value;
    case 'destinationPortRange':
      return (port) => port >= rule.value.start && port < rule.value.end;
    case 'notMatch': {
      const inner = compilePredicate(rule.value, problems);
      return (port) => !inner(port);
    }
    case 'orMatch':
    case 'andMatch': {
      const inner = rule.value.rules.map((each) => compilePredicate(each, problems));
      return rule.case === 'orMatch'
        ? (port) => inner.some((test) => test(port))
        : (port) => inner.every((test) => test(port));
    }
  }
}

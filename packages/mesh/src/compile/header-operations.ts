// Headers.request and Headers.response of a rule as Envoy's header edits [istio route.go translateHeadersOperations].
import {
  HeaderValueOption_HeaderAppendAction as Append,
  type HeaderValueOptionSchema,
} from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { HeaderOperations, Headers } from '../config/istio-types.ts';
import type { Init } from './messages.ts';

export interface HeaderEdits {
  readonly requestHeadersToAdd: Init<typeof HeaderValueOptionSchema>[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: Init<typeof HeaderValueOptionSchema>[];
  readonly responseHeadersToRemove: string[];
  /** The Host header cannot be edited like others; it becomes a host rewrite. */
  readonly host: string | undefined;
}

export function headerEdits(headers: Headers | undefined): HeaderEdits {
  return {
    requestHeadersToAdd: additions(headers?.request),
    requestHeadersToRemove: (headers?.request?.remove ?? []).filter((name) => !isHost(name)),
    responseHeadersToAdd: additions(headers?.response),
    responseHeadersToRemove: headers?.response?.remove ?? [],
    host: hostOf(headers?.request?.set) ?? hostOf(headers?.request?.add),
  };
}

/** The edits of a rule's only destination come after the rule's own. */
export function joinEdits(outer: HeaderEdits, inner: HeaderEdits): HeaderEdits {
  return {
    requestHeadersToAdd: [...outer.requestHeadersToAdd, ...inner.requestHeadersToAdd],
    requestHeadersToRemove: [...outer.requestHeadersToRemove, ...inner.requestHeadersToRemove],
    responseHeadersToAdd: [...outer.responseHeadersToAdd, ...inner.responseHeadersToAdd],
    responseHeadersToRemove: [...outer.responseHeadersToRemove, ...inner.responseHeadersToRemove],
    host: inner.host ?? outer.host,
  };
}

function additions(operations: HeaderOperations | undefined): Init<typeof HeaderValueOptionSchema>[] {
  const edits = (values: Record<string, string> | undefined, appendAction: Append) =>
    Object.entries(values ?? {})
      .filter(([name]) => !isHost(name))
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, value]) => ({ header: { key, value }, appendAction }));
  return [
    ...edits(operations?.set, Append.OVERWRITE_IF_EXISTS_OR_ADD),
    ...edits(operations?.add, Append.APPEND_IF_EXISTS_OR_ADD),
  ];
}

function isHost(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}

function hostOf(values: Record<string, string> | undefined): string | undefined {
  return Object.entries(values ?? {}).find(([name]) => isHost(name))?.[1];
}

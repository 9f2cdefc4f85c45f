// typed_per_filter_config: what a virtual host, a route or a weighted cluster says to the HTTP filters of its listener.
import type { Any } from '@bufbuild/protobuf/wkt';
import { CorsPolicySchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { typeName, unpack } from './any.ts';
import { type CorsPolicy, compileCors } from './cors.ts';
import { compileFault, type FaultPolicy } from './fault.ts';
import type { Problems } from './problems.ts';

/** By filter; the most specific level that names a filter decides for it alone. */
export interface FilterConfigs {
  readonly fault?: FaultPolicy | undefined;
  readonly cors?: CorsPolicy | undefined;
}

export const FAULT_FILTER = 'envoy.filters.http.fault';
export const CORS_FILTER = 'envoy.filters.http.cors';

export const NO_FILTER_CONFIGS: FilterConfigs = {};

/** A filter that is not known here is refused: what it was to do (to authorize, say) would silently not be done. */
export function compileFilterConfigs(configs: Readonly<Record<string, Any>>, problems: Problems): FilterConfigs {
  const names = Object.keys(configs);
  if (names.length === 0) return NO_FILTER_CONFIGS;
  const compiled: { fault?: FaultPolicy | undefined; cors?: CorsPolicy | undefined } = {};
  for (const name of names) {
    const any = configs[name]!;
    const at = problems.at(`typed_per_filter_config[${JSON.stringify(name)}]`);
    if (name === FAULT_FILTER) {
      const fault = unpack(any, HTTPFaultSchema, at);
      compiled.fault = fault && compileFault(fault, at);
    } else if (name === CORS_FILTER) {
      const cors = unpack(any, CorsPolicySchema, at);
      compiled.cors = cors && compileCors(cors, at);
    } else at.add(`the filter is not supported (its configuration is a ${typeName(any)})`);
  }
  return compiled;
}

/** Levels come most specific first. */
export function joinFilterConfigs(levels: readonly FilterConfigs[]): FilterConfigs {
  const told = levels.filter((level) => level !== NO_FILTER_CONFIGS);
  return told.length === 0 ? NO_FILTER_CONFIGS : Object.assign({}, ...[...told].reverse());
}

// What the decision tests share: route tables from Envoy's JSON, and requests.
import assert from 'node:assert/strict';
import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CorsPolicySchema } from '@varka/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@varka/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { compileRouteTable } from '../src/compile-route-table.ts';
import type { RequestView } from '../src/request-view.ts';
import type { ForwardDecision, RouteDecision, RouteTable } from '../src/route-table.ts';

/** The filters' own messages, and one that is no filter's. */
const registry = createRegistry(HTTPFaultSchema, CorsPolicySchema, DurationSchema);

export function compile(config: JsonObject) {
  return compileRouteTable(fromJson(RouteConfigurationSchema, { name: 'test', ...config }, { registry }));
}

export function tableOf(config: JsonObject): RouteTable {
  const compiled = compile(config);
  assert.equal(compiled.kind, 'table', compiled.kind === 'errors' ? compiled.errors.join('\n') : '');
  return (compiled as Extract<typeof compiled, { kind: 'table' }>).table;
}

export function errorsOf(config: JsonObject): readonly string[] {
  const compiled = compile(config);
  assert.equal(compiled.kind, 'errors', 'expected the configuration to be refused');
  return (compiled as Extract<typeof compiled, { kind: 'errors' }>).errors;
}

/** One virtual host for everything. */
export function routes(list: JsonObject[], host: JsonObject = {}, config: JsonObject = {}): JsonObject {
  return { virtual_hosts: [{ name: 'all', domains: ['*'], routes: list, ...host }], ...config };
}

export interface RequestParts {
  readonly method?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function request(parts: RequestParts = {}): RequestView {
  const { method = 'GET', authority = 'example.com', path = '/', scheme = 'http', headers = {} } = parts;
  return { method, authority, path, scheme, header: (name) => headers[name] };
}

export function decide(table: RouteTable, parts: RequestParts = {}, draw: () => number = () => 0): RouteDecision {
  return table.decide(request(parts), draw);
}

export function forward(table: RouteTable, parts: RequestParts = {}, draw: () => number = () => 0): ForwardDecision {
  const decision = decide(table, parts, draw);
  assert.equal(decision.kind, 'forward');
  return decision as ForwardDecision;
}

/** The chosen cluster, or the kind of decision when nothing is forwarded. */
export function clusterFor(table: RouteTable, parts: RequestParts = {}): string {
  const decision = decide(table, parts);
  return decision.kind === 'forward' ? decision.cluster : decision.kind;
}

/** The same numbers in [0, 1) for the same seed (mulberry32). */
export function seededDraw(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

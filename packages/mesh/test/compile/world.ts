// A small cluster for compiler tests, from YAML as people write it. Pods and endpoint slices follow from one line a pod.
import assert from 'node:assert/strict';
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import type { RequestView } from '@varka/decide/request-view.ts';
import type { RouteDecision } from '@varka/decide/route-table.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { FilterChain } from '@varka/xds/gen/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { HttpConnectionManagerSchema } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { TcpProxySchema } from '@varka/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { parseAllDocuments } from 'yaml';
import { type CompiledProxy, compile } from '../../src/compile/compile.ts';
import type { MeshConfig } from '../../src/config/mesh-config.ts';
import { Snapshot, type SnapshotInput } from '../../src/snapshot.ts';

export interface PodLine {
  name: string;
  namespace?: string;
  ip: string;
  labels: Record<string, string>;
  ready?: boolean;
  ports?: { name: string; containerPort: number }[];
}

/** Objects without a namespace get `default`; ages follow the order in which they stand. */
export function parse(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
    .map((object, index) => ({
      ...object,
      metadata: {
        namespace: 'default',
        creationTimestamp: new Date(1_700_000_000_000 + index * 1000).toISOString() as never,
        ...object.metadata,
      },
    }));
}

export function podObject(line: PodLine): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: line.name, namespace: line.namespace ?? 'default', labels: line.labels },
    spec: { containers: [{ name: 'app', image: 'x', ports: line.ports ?? [] }] },
    status: { podIP: line.ip, phase: 'Running' },
  };
}

type SpecOfService = {
  selector?: Record<string, string>;
  ports?: { name?: string; port: number; targetPort?: number | string }[];
};

/** What the endpoint slice controller would make of a service and these pods. */
export function sliceObject(service: KubeObject, pods: readonly PodLine[]): KubeObject {
  const { name = '', namespace = 'default' } = service.metadata ?? {};
  const spec = service['spec'] as SpecOfService;
  const chosen = pods.filter(
    (pod) =>
      (pod.namespace ?? 'default') === namespace &&
      Object.entries(spec.selector ?? { none: 'none' }).every(([key, value]) => pod.labels[key] === value),
  );
  const portOf = (target: number | string | undefined, port: number) =>
    typeof target === 'string'
      ? chosen[0]?.ports?.find((named) => named.name === target)?.containerPort
      : (target ?? port);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: (spec.ports ?? []).map((port) => ({ name: port.name ?? '', port: portOf(port.targetPort, port.port) })),
    endpoints: chosen.map((pod) => ({ addresses: [pod.ip], conditions: { ready: pod.ready ?? true } })),
  };
}

export function snapshotOf(
  yaml: string,
  pods: readonly PodLine[] = [],
  meshConfig: Partial<MeshConfig> = {},
): Snapshot {
  const objects = parse(yaml);
  const of = (kind: string) => objects.filter((object) => object.kind === kind);
  return new Snapshot({
    revision: '1',
    services: of('Service'),
    endpointSlices: of('Service').map((service) => sliceObject(service, pods)),
    pods: pods.map(podObject),
    gateways: of('Gateway'),
    ingresses: of('Ingress'),
    routes: of('Route'),
    virtualServices: of('VirtualService'),
    routeRules: of('RouteRule'),
    destinationRules: of('DestinationRule'),
    controlPlanes: of('ServiceMeshControlPlane'),
    meshConfig,
  } as unknown as SnapshotInput);
}

export function compileFor(
  snapshot: Snapshot,
  pod: string,
  namespace = 'default',
  type: 'sidecar' | 'router' = 'sidecar',
  http2 = false,
): CompiledProxy {
  const workload = snapshot.workload(namespace, pod);
  assert.ok(workload, `no pod ${pod}.${namespace}`);
  return compile(snapshot, { type, workload, http2 });
}

export function named<T extends { name: string }>(items: readonly T[], name: string): T {
  const item = items.find((candidate) => candidate.name === name);
  assert.ok(item, `no ${name} among ${items.map((candidate) => candidate.name).join(', ')}`);
  return item;
}

export function unpack<Desc extends DescMessage>(schema: Desc, any: Any | undefined): MessageShape<Desc> {
  assert.ok(any, `no ${schema.typeName}`);
  assert.equal(any.typeUrl, `type.googleapis.com/${schema.typeName}`);
  return fromBinary(schema, any.value);
}

function typedConfig(chain: FilterChain | undefined): Any | undefined {
  const config = chain?.filters[0]?.configType;
  return config?.case === 'typedConfig' ? config.value : undefined;
}

export function managerOf(chain: FilterChain | undefined) {
  return unpack(HttpConnectionManagerSchema, typedConfig(chain));
}

/** Where a chain's bytes go. */
export function tcpClusterOf(chain: FilterChain | undefined): string {
  const specifier = unpack(TcpProxySchema, typedConfig(chain)).clusterSpecifier;
  assert.equal(specifier.case, 'cluster');
  return specifier.value as string;
}

export function chainsOf(listener: Listener): FilterChain[] {
  return listener.defaultFilterChain === undefined
    ? listener.filterChains
    : [...listener.filterChains, listener.defaultFilterChain];
}

export interface RequestLine {
  host: string;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  draw?: number;
}

/** What our proxy would do with a request under a compiled route configuration, by the very code it uses. */
export function decide(compiled: CompiledProxy, routes: string, line: RequestLine): RouteDecision {
  const table = compileRouteTable(named(compiled.routes, routes));
  assert.equal(table.kind, 'table', table.kind === 'errors' ? table.errors.join('\n') : '');
  const request: RequestView = {
    method: line.method ?? 'GET',
    authority: line.host,
    path: line.path ?? '/',
    scheme: 'http',
    header: (name) => line.headers?.[name],
  };
  assert.ok(table.kind === 'table');
  return table.table.decide(request, () => line.draw ?? 0);
}

/** The cluster a request goes to, or how it is answered: the short form for tables. */
export function outcome(compiled: CompiledProxy, routes: string, line: RequestLine): string {
  const decision = decide(compiled, routes, line);
  switch (decision.kind) {
    case 'forward':
      return decision.cluster;
    case 'redirect':
      return `${decision.status} ${decision.location}`;
    case 'direct':
      return `${decision.status} "${decision.body}"`;
    default:
      return 'none';
  }
}

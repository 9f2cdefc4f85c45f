// A running control plane over an in-memory API, and proxies connected to it over real gRPC.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import * as kinds from '@varka/kube/kinds/refs.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { AdsClient, type Verdict } from '@varka/xds/ads-client.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { type RouteConfiguration, RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { HttpConnectionManagerSchema } from '@varka/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '@varka/xds/type-urls.ts';
import type { MeshInformers } from '../../src/registry/registry.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../../src/serve/control-plane.ts';
import { type PodLine, parse, podObject, sliceObject, unpack } from '../compile/world.ts';
import { type FakeApi, fakeApi } from '../fake-client.ts';
import { silent } from '../fake-informer.ts';

export async function eventually(holds: () => boolean, what: string | (() => string), withinMs = 3000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline)
      assert.fail(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const KINDS: Readonly<Record<string, KindRef>> = {
  Service: kinds.Service,
  Gateway: kinds.Gateway,
  VirtualService: kinds.VirtualService,
  DestinationRule: kinds.DestinationRule,
  ServiceMeshControlPlane: kinds.ServiceMeshControlPlane,
};

export class World {
  readonly api: FakeApi = fakeApi();
  readonly #pods: PodLine[] = [];
  #generation = 0;

  apply(yaml: string): void {
    for (const object of parse(yaml)) {
      const kind = KINDS[object.kind ?? ''];
      assert.ok(kind, `no kind ${object.kind}`);
      this.#generation += 1;
      const before = this.api.object(kind, object.metadata?.name ?? '', object.metadata?.namespace);
      this.api.put(kind, {
        ...object,
        metadata: { ...object.metadata, generation: this.#generation },
        ...(before?.['status'] === undefined ? {} : { status: before['status'] }),
      });
      if (object.kind === 'Service') this.api.put(kinds.EndpointSlice, sliceObject(object, this.#pods));
    }
  }

  pods(lines: readonly PodLine[]): void {
    this.#pods.push(...lines);
    for (const line of lines) this.api.put(kinds.Pod, podObject(line));
  }

  remove(kind: KindRef, name: string, namespace = 'default'): void {
    this.api.remove(kind, name, namespace);
  }

  conditions(kind: KindRef, name: string): { type: string; status: string; reason: string; message: string }[] {
    const status = this.api.object(kind, name, 'default')?.['status'] as { conditions?: [] } | undefined;
    return status?.conditions ?? [];
  }

  informers(): MeshInformers {
    const of = <T extends KubeObject>(kind: KindRef) =>
      this.api.informer(kind) as unknown as import('@varka/kube/client/informer.ts').Informer<T>;
    return {
      services: of(kinds.Service),
      endpointSlices: of(kinds.EndpointSlice),
      pods: of(kinds.Pod),
      gateways: of(kinds.Gateway),
      ingresses: of(kinds.Ingress),
      routes: of(kinds.Route),
      virtualServices: of(kinds.VirtualService),
      routeRules: of(kinds.RouteRule),
      destinationRules: of(kinds.DestinationRule),
      controlPlanes: of(kinds.ServiceMeshControlPlane),
    };
  }

  async start(t: TestContext, options: Partial<ControlPlaneOptions> = {}): Promise<ControlPlane> {
    const plane = await startControlPlane({
      client: this.api.client,
      informers: this.informers(),
      listen: { host: '127.0.0.1', port: 0 },
      log: silent,
      ...options,
    });
    t.after(() => plane.stop());
    return plane;
  }
}

/** A proxy that takes what it is given, asks for the endpoints and routes this needs, and remembers all of it. */
export function connectProxy(
  t: TestContext,
  plane: ControlPlane,
  pod: string,
  namespace = 'default',
  type = 'sidecar',
) {
  const events: string[] = [];
  const clusters = new Set<string>();
  const assigned = new Map<string, string[]>();
  const routes = new Map<string, RouteConfiguration>();
  const judge: { routes: (configs: readonly RouteConfiguration[]) => Verdict } = { routes: () => undefined };
  const client = new AdsClient({
    target: `127.0.0.1:${plane.port}`,
    node: {
      id: `${type}~10.244.0.1~${pod}.${namespace}~${namespace}.svc.cluster.local`,
      metadata: { ISTIO_VERSION: '0.1.0' },
    },
    backoff: { baseMs: 10, maxMs: 50 },
  });
  const eds = client.subscribe(
    {
      typeUrl: ENDPOINTS,
      schema: ClusterLoadAssignmentSchema,
      onResources(assignments) {
        for (const { clusterName, endpoints } of assignments)
          assigned.set(
            clusterName,
            endpoints.flatMap(({ lbEndpoints }) =>
              lbEndpoints.map(({ hostIdentifier }) => {
                const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
                return address?.case === 'socketAddress' ? address.value.address : '';
              }),
            ),
          );
        events.push(
          `eds ${assignments
            .map(({ clusterName }) => clusterName)
            .sort()
            .join(' ')}`,
        );
        return undefined;
      },
    },
    [],
  );
  client.subscribe(
    {
      typeUrl: CLUSTER,
      schema: ClusterSchema,
      onResources(list) {
        clusters.clear();
        for (const { name } of list) clusters.add(name);
        eds.setNames(list.filter(({ edsClusterConfig }) => edsClusterConfig !== undefined).map(({ name }) => name));
        events.push('cds');
        return undefined;
      },
    },
    'wildcard',
  );
  const rds = client.subscribe(
    {
      typeUrl: ROUTES,
      schema: RouteConfigurationSchema,
      onResources(configs) {
        events.push(
          `rds ${configs
            .map(({ name }) => name)
            .sort()
            .join(' ')}`,
        );
        const verdict = judge.routes(configs);
        if (verdict === undefined) for (const config of configs) routes.set(config.name, config);
        return verdict;
      },
    },
    [],
  );
  client.subscribe(
    {
      typeUrl: LISTENER,
      schema: ListenerSchema,
      onResources(listeners) {
        const names: string[] = [];
        for (const { filterChains, defaultFilterChain } of listeners)
          for (const chain of [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])])
            for (const { configType } of chain.filters) {
              if (configType.case !== 'typedConfig' || !configType.value.typeUrl.endsWith('HttpConnectionManager'))
                continue;
              const { routeSpecifier } = unpack(HttpConnectionManagerSchema, configType.value);
              if (routeSpecifier.case === 'rds') names.push(routeSpecifier.value.routeConfigName);
            }
        rds.setNames([...new Set(names)]);
        events.push('lds');
        return undefined;
      },
    },
    'wildcard',
  );
  t.after(() => client.stop());
  client.start();
  return { client, events, clusters, assigned, routes, judge };
}

export function statusOf(plane: ControlPlane, proxy: string) {
  return plane.proxyStatus().find((row) => row.proxy === proxy);
}

export async function synced(plane: ControlPlane, ...proxies: string[]): Promise<void> {
  await eventually(
    () =>
      proxies.every((proxy) => {
        const row = statusOf(plane, proxy);
        return row !== undefined && [row.cds, row.lds, row.eds, row.rds].every((state) => state === 'SYNCED');
      }),
    () => `${proxies.join(', ')} synced: ${JSON.stringify(plane.proxyStatus())}`,
  );
}

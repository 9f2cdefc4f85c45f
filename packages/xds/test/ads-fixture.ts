// An ADS server on a free port, resources by hand, and a wait that is bounded.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { ClusterSchema } from '../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../gen/envoy/config/route/v3/route_pb.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { DiscoveryRequestSchema } from '../gen/envoy/service/discovery/v3/discovery_pb.ts';
import type { AdsConnection, ProxyResources } from '../src/ads-connection.ts';
import { AdsServer, type AdsServerOptions, AGGREGATED_DISCOVERY_SERVICE } from '../src/ads-server.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, type TypeUrl } from '../src/type-urls.ts';
import type { Resource } from '../src/type-watch.ts';

export async function eventually(holds: () => boolean, what: string, withinMs = 3000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const resource = (name: string, body: Uint8Array): [string, Resource] => [name, { name, body }];

/** `tag` distinguishes two versions of a resource of one name. */
export const cluster = (name: string, tag = '') =>
  resource(name, toBinary(ClusterSchema, create(ClusterSchema, { name, altStatName: tag })));
export const listener = (name: string, tag = '') =>
  resource(name, toBinary(ListenerSchema, create(ListenerSchema, { name, statPrefix: tag })));
export const routes = (name: string, domain = '*') =>
  resource(
    name,
    toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name, virtualHosts: [{ name: domain }] })),
  );
export const endpoints = (clusterName: string, port = 80) =>
  resource(
    clusterName,
    toBinary(
      ClusterLoadAssignmentSchema,
      create(ClusterLoadAssignmentSchema, { clusterName, policy: { overprovisioningFactor: port } }),
    ),
  );

export function resources(
  version: string,
  types: {
    clusters?: [string, Resource][];
    endpoints?: [string, Resource][];
    listeners?: [string, Resource][];
    routes?: [string, Resource][];
  },
): ProxyResources {
  return {
    version,
    types: {
      [CLUSTER]: new Map(types.clusters),
      [ENDPOINTS]: new Map(types.endpoints),
      [LISTENER]: new Map(types.listeners),
      [ROUTES]: new Map(types.routes),
    },
  };
}

export interface TestServer {
  readonly server: AdsServer;
  readonly port: number;
  readonly target: string;
  /** Connections in the order they came. */
  readonly connections: AdsConnection[];
  /** What was reported, as short lines. */
  readonly log: string[];
  /** Publishes to everyone, and to whoever connects later. */
  publish(resources: ProxyResources): void;
}

export async function startServer(
  t: TestContext,
  options: Partial<AdsServerOptions> & { port?: number } = {},
): Promise<TestServer> {
  const connections: AdsConnection[] = [];
  const log: string[] = [];
  let current: ProxyResources | undefined;
  const short = (typeUrl: string) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
  const server = new AdsServer({
    onConnect(connection) {
      connections.push(connection);
      if (current !== undefined) connection.publish(current);
    },
    onDisconnect: (connection) => log.push(`disconnect ${connection.node.id}`),
    onAck: (_, typeUrl, version) => log.push(`ack ${short(typeUrl)} ${version}`),
    onNack: (_, typeUrl, version, message) => log.push(`nack ${short(typeUrl)} ${version} ${message}`),
    onApplied: (_, version) => log.push(`applied ${version}`),
    onSlow: (_, typeUrl) => log.push(`slow ${short(typeUrl)}`),
    onError: (message) => log.push(`error ${message}`),
    ...options,
  });
  t.after(() => server.stop());
  const port = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  return {
    server,
    port,
    target: `127.0.0.1:${port}`,
    connections,
    log,
    publish(next) {
      current = next;
      for (const connection of server.connections) connection.publish(next);
    },
  };
}

/** A stream driven by hand through grpc-js, to say things a well-behaved client would not. */
export function rawStream(t: TestContext, target: string) {
  const client = new Client(target, credentials.createInsecure());
  const method = AGGREGATED_DISCOVERY_SERVICE.StreamAggregatedResources;
  const call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  const responses: DiscoveryResponse[] = [];
  const state: { error: { code: number; details: string } | undefined } = { error: undefined };
  call.on('data', (response: DiscoveryResponse) => responses.push(response));
  call.on('error', (error: unknown) => {
    state.error = error as { code: number; details: string };
  });
  t.after(() => {
    call.cancel();
    client.close();
  });
  return {
    call,
    responses,
    state,
    send(
      typeUrl: TypeUrl | string,
      request: { names?: string[]; nonce?: string; node?: string; nack?: string } = {},
    ): void {
      const message: DiscoveryRequest = create(DiscoveryRequestSchema, {
        typeUrl,
        resourceNames: request.names ?? [],
        responseNonce: request.nonce ?? '',
        ...(request.node === undefined ? {} : { node: { id: request.node } }),
        ...(request.nack === undefined ? {} : { errorDetail: { message: request.nack } }),
      });
      call.write(message);
    },
    of: (typeUrl: TypeUrl) => responses.filter((response) => response.typeUrl === typeUrl),
    async next(typeUrl: TypeUrl, count: number): Promise<DiscoveryResponse> {
      await eventually(
        () => responses.filter((response) => response.typeUrl === typeUrl).length >= count,
        `response ${count} of ${typeUrl}`,
      );
      return responses.filter((response) => response.typeUrl === typeUrl)[count - 1]!;
    },
  };
}

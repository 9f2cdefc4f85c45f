// A control plane for tests: the real ADS server, with resources by hand and a record of what was said to them.
import type { TestContext } from 'node:test';
import { type DescMessage, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import type { AdsConnection, ProxyResources } from '@varka/xds/ads-connection.ts';
import { AdsServer } from '@varka/xds/ads-server.ts';
import { ClusterSchema } from '@varka/xds/gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@varka/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, type TypeUrl } from '@varka/xds/type-urls.ts';
import { extensionRegistry } from '../../src/runtime/extensions.ts';
import { eventually } from './backends.ts';

export interface Resources {
  readonly clusters?: readonly JsonObject[];
  readonly endpoints?: readonly JsonObject[];
  readonly listeners?: readonly JsonObject[];
  readonly routes?: readonly JsonObject[];
}

function encode(schema: DescMessage, list: readonly JsonObject[] | undefined) {
  return new Map(
    (list ?? []).map((json) => {
      const name = String(json['name'] ?? json['cluster_name']);
      return [
        name,
        { name, body: toBinary(schema, fromJson(schema, json, { registry: extensionRegistry() })) },
      ] as const;
    }),
  );
}

export class ControlPlane {
  readonly port: number;
  readonly #server: AdsServer;
  readonly #connections = new Set<AdsConnection>();
  #target: ProxyResources | undefined = undefined;
  #version = 0;
  readonly applied: string[] = [];
  readonly nacks: { readonly typeUrl: TypeUrl; readonly message: string }[] = [];

  private constructor(server: AdsServer, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(t: TestContext, port = 0): Promise<ControlPlane> {
    let plane: ControlPlane | undefined;
    const server = new AdsServer({
      onConnect(connection) {
        plane!.#connections.add(connection);
        if (plane!.#target !== undefined) connection.publish(plane!.#target);
      },
      onDisconnect: (connection) => plane!.#connections.delete(connection),
      onNack: (_connection, typeUrl, _version, message) => plane!.nacks.push({ typeUrl, message }),
      onApplied: (_connection, version) => plane!.applied.push(version),
    });
    plane = new ControlPlane(server, await server.listen({ host: '127.0.0.1', port }));
    t.after(() => server.stop());
    return plane;
  }

  get connected(): number {
    return this.#connections.size;
  }

  /** Makes this all there is; returns its version. */
  publish(resources: Resources): string {
    this.#version++;
    const version = `v${this.#version}`;
    this.#target = {
      version,
      types: {
        [CLUSTER]: encode(ClusterSchema, resources.clusters),
        [ENDPOINTS]: encode(ClusterLoadAssignmentSchema, resources.endpoints),
        [LISTENER]: encode(ListenerSchema, resources.listeners),
        [ROUTES]: encode(RouteConfigurationSchema, resources.routes),
      },
    };
    for (const connection of this.#connections) connection.publish(this.#target);
    return version;
  }

  /** Publishes, and waits until the proxy has taken it over. */
  async apply(resources: Resources): Promise<void> {
    const version = this.publish(resources);
    await eventually(
      () => this.applied.includes(version),
      `${version} applied; refused: ${JSON.stringify(this.nacks)}`,
    );
  }

  /** Publishes what the proxy is to refuse; returns its words. */
  async refused(resources: Resources): Promise<string> {
    const before = this.nacks.length;
    this.publish(resources);
    await eventually(() => this.nacks.length > before, 'a NACK');
    return this.nacks[before]!.message;
  }

  stop(): void {
    this.#server.stop();
  }
}

// A proxy in the test's process, from a bootstrap in Envoy's JSON.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { parseBootstrap } from '../../src/bootstrap.ts';
import { Logger } from '../../src/observe/logger.ts';
import { ProxyInstance, type ProxyInstanceOptions } from '../../src/runtime/proxy-instance.ts';
import { address } from './resources.ts';

export interface TestProxy {
  readonly instance: ProxyInstance;
  /** What the proxy's own log says. */
  readonly log: string[];
  /** Lines of access logs by path. */
  readonly accessLog: (path: string) => readonly string[];
  /** Where a listener is. */
  port(listener: string): number;
}

export interface Statics {
  readonly clusters?: readonly JsonObject[];
  readonly listeners?: readonly JsonObject[];
}

/** `managementPort` adds ADS, for clusters and listeners. */
export function bootstrapJson(statics: Statics, managementPort?: number): JsonObject {
  const ads = { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' };
  const clusters = [...(statics.clusters ?? [])] as JsonValue[];
  if (managementPort !== undefined)
    clusters.push({
      name: 'xds-grpc',
      type: 'STRICT_DNS',
      connect_timeout: '1s',
      http2_protocol_options: {},
      load_assignment: {
        cluster_name: 'xds-grpc',
        endpoints: [{ lb_endpoints: [{ endpoint: { address: address(managementPort) } }] }],
      },
    });
  return {
    node: { id: 'sidecar~127.0.0.1~pod.ns~ns.svc.cluster.local', cluster: 'test' },
    static_resources: { clusters, listeners: [...(statics.listeners ?? [])] },
    ...(managementPort === undefined
      ? {}
      : {
          dynamic_resources: {
            lds_config: ads,
            cds_config: ads,
            ads_config: {
              api_type: 'GRPC',
              transport_api_version: 'V3',
              grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
            },
          },
        }),
  };
}

export async function startProxy(
  t: TestContext,
  statics: Statics,
  options: Partial<ProxyInstanceOptions> & { readonly managementPort?: number } = {},
): Promise<TestProxy> {
  const log: string[] = [];
  const lines = new Map<string, string[]>();
  const linesOf = (path: string): string[] => {
    if (!lines.has(path)) lines.set(path, []);
    return lines.get(path)!;
  };
  const { managementPort, ...rest } = options;
  const instance = new ProxyInstance({
    bootstrap: parseBootstrap(JSON.stringify(bootstrapJson(statics, managementPort)), 'test'),
    logger: new Logger('debug', (line) => log.push(line)),
    openLog: (path) => ({ write: (line) => linesOf(path).push(line), flushSync: () => linesOf(path) }),
    ...rest,
  });
  t.after(() => instance.stop());
  await instance.start();
  return {
    instance,
    log,
    accessLog: linesOf,
    port(name) {
      const found = instance.listeners.listeners.find((listener) => listener.table.name === name);
      assert.ok(found, `no listener ${name}`);
      return instance.listeners.boundTo(found.table).port;
    },
  };
}

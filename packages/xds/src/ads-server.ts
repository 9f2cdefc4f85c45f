// The ADS server: gRPC streams in, one AdsConnection each. It knows nothing of what it serves; its owner publishes
// each connection's resources.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type handleBidiStreamingCall,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { AdsConnection, type ConnectionEvents, type OutgoingResponse } from './ads-connection.ts';
import { isServed } from './type-urls.ts';

export interface AdsServerOptions extends ConnectionEvents {
  /** A proxy has named itself; what it is to have is up to the owner, now or later (`connection.publish`). */
  onConnect(connection: AdsConnection): void;
  onDisconnect?(connection: AdsConnection): void;
  /** Something went wrong on one stream; the others go on. */
  onError?(message: string, fields: Record<string, unknown>): void;
  /** Shown to proxies in DiscoveryResponse.control_plane. */
  readonly identifier?: string;
  readonly maxConnections?: number;
  readonly maxRequestBytes?: number;
  /** Time a new stream has to say who it is. */
  readonly firstRequestWithinMs?: number;
  /** Time an unanswered response may hold up the ones that depend on it. */
  readonly ackWaitMs?: number;
  readonly keepaliveMs?: number;
}

// What goes wrong reaches us as errors; grpc-js would print some of it to stderr besides.
setLogVerbosity(logVerbosity.NONE);

type Call = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

const serializeResponse = (response: DiscoveryResponse): Buffer =>
  Buffer.from(toBinary(DiscoveryResponseSchema, response));
const deserializeRequest = (bytes: Buffer): DiscoveryRequest => fromBinary(DiscoveryRequestSchema, bytes);

/** envoy.service.discovery.v3.AggregatedDiscoveryService, by hand: protobuf-es makes messages, not gRPC stubs. */
export const AGGREGATED_DISCOVERY_SERVICE = {
  StreamAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    requestStream: true,
    responseStream: true,
    requestSerialize: (request: DiscoveryRequest) => Buffer.from(toBinary(DiscoveryRequestSchema, request)),
    requestDeserialize: deserializeRequest,
    responseSerialize: serializeResponse,
    responseDeserialize: (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
  },
} as const satisfies ServiceDefinition;

export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<AdsConnection>();
  #streams = 0;
  #streamIds = 0;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    const keepaliveMs = options.keepaliveMs ?? 30_000;
    this.#server = new Server({
      'grpc.max_receive_message_length': options.maxRequestBytes ?? 4 * 1024 * 1024,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': Math.min(keepaliveMs, 10_000),
      'grpc.max_concurrent_streams': 100,
    });
    const handler: handleBidiStreamingCall<DiscoveryRequest, DiscoveryResponse> = (call) => this.#accept(call);
    this.#server.addService(AGGREGATED_DISCOVERY_SERVICE, { StreamAggregatedResources: handler });
  }

  /** Listens in plaintext; resolves with the port that was bound. */
  listen(address: { host: string; port: number }): Promise<number> {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:${address.port}`, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(new Error(`xDS cannot listen on ${host}:${address.port}: ${error.message}`, { cause: error }));
      });
    });
  }

  get connections(): ReadonlySet<AdsConnection> {
    return this.#connections;
  }

  /** Ends every stream and stops listening. */
  stop(): void {
    this.#server.forceShutdown();
  }

  #accept(call: Call): void {
    const { maxConnections = 5000, firstRequestWithinMs = 10_000 } = this.#options;
    if (this.#streams >= maxConnections) {
      this.#options.onError?.('xDS stream refused: too many connections', { peer: call.getPeer(), maxConnections });
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `over ${maxConnections} xDS streams` });
      return;
    }
    this.#streams += 1;
    this.#streamIds += 1;
    const id = this.#streamIds.toString(36);
    let connection: AdsConnection | undefined;
    const refuse = (code: status, details: string): void => {
      clearTimeout(greeting);
      this.#options.onError?.(`xDS stream ended: ${details}`, { peer: call.getPeer(), node: connection?.node.id });
      call.emit('error', { code, details });
    };
    const greeting = setTimeout(
      () => refuse(status.DEADLINE_EXCEEDED, `no request within ${firstRequestWithinMs} ms`),
      firstRequestWithinMs,
    );
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      this.#streams -= 1;
      clearTimeout(greeting);
      if (connection === undefined) return;
      connection.ended();
      this.#connections.delete(connection);
      this.#options.onDisconnect?.(connection);
    };
    call.on('data', (request: DiscoveryRequest) => {
      if (over) return;
      try {
        if (connection === undefined) {
          clearTimeout(greeting);
          if (!request.node?.id) return refuse(status.INVALID_ARGUMENT, 'the first request names no node.id');
          connection = this.#connection(id, call, request.node, refuse);
          this.#connections.add(connection);
          this.#options.onConnect(connection);
        }
        this.#request(connection, request);
      } catch (error) {
        refuse(status.INTERNAL, error instanceof Error ? error.message : String(error));
      }
    });
    call.on('end', () => {
      call.end();
      end();
    });
    call.on('cancelled', end);
    call.on('close', end);
    call.on('error', end);
  }

  #connection(
    id: string,
    call: Call,
    node: NonNullable<DiscoveryRequest['node']>,
    refuse: (code: status, details: string) => void,
  ): AdsConnection {
    const connection = new AdsConnection(
      { id, node, peer: call.getPeer() },
      {
        send: (response) => {
          // Requests of a proxy that does not read its answers are not read either: nothing piles up on our side.
          const writable = call.write(this.#response(response));
          if (!writable) call.pause();
          return writable;
        },
        close: (reason) => refuse(status.UNAVAILABLE, reason),
      },
      this.#options,
      this.#options.ackWaitMs ?? 5000,
    );
    call.on('drain', () => {
      call.resume();
      connection.resume();
    });
    return connection;
  }

  #request(connection: AdsConnection, request: DiscoveryRequest): void {
    // Envoy asks for types only when configured to; one we do not serve stays unanswered, as with Istio.
    if (!isServed(request.typeUrl)) {
      this.#options.onError?.('xDS request for a type that is not served', {
        node: connection.node.id,
        typeUrl: request.typeUrl,
      });
      return;
    }
    connection.receive(request.typeUrl, {
      names: request.resourceNames,
      nonce: request.responseNonce,
      error: request.errorDetail?.message,
    });
  }

  #response(response: OutgoingResponse): DiscoveryResponse {
    const { typeUrl, version, nonce, resources } = response;
    return create(DiscoveryResponseSchema, {
      typeUrl,
      versionInfo: version,
      nonce,
      resources: resources.map((resource) => ({ typeUrl, value: resource.body as Uint8Array<ArrayBuffer> })),
      controlPlane: { identifier: this.#options.identifier ?? 'varka' },
    });
  }
}

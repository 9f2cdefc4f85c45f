// One proxy's ADS stream as the server sees it. Whatever happens (a request, a publication, an ACK), `#advance` looks at
// what the proxy should have and at what it has, and sends what may be sent now: make before break.
import type { Node } from '../gen/envoy/config/core/v3/base_pb.ts';
import { CLUSTER, ENDPOINTS, isWildcard, LISTENER, PUSH_ORDER, ROUTES, type TypeUrl } from './type-urls.ts';
import { type Resource, type ResourceMap, type TypeStatus, TypeWatch, type WatchRequest } from './type-watch.ts';

/** Everything one proxy may ask for, at one version. */
export interface ProxyResources {
  readonly version: string;
  readonly types: Readonly<Record<TypeUrl, ResourceMap>>;
}

export interface OutgoingResponse {
  readonly typeUrl: TypeUrl;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly Resource[];
}

/** What a connection tells its owner. */
export interface ConnectionEvents {
  onAck?(connection: AdsConnection, typeUrl: TypeUrl, version: string): void;
  onNack?(connection: AdsConnection, typeUrl: TypeUrl, version: string, message: string): void;
  /** The proxy has accepted everything of this version that it asked for. */
  onApplied?(connection: AdsConnection, version: string): void;
  /** A response was not answered in time; what waited for it goes on without. */
  onSlow?(connection: AdsConnection, typeUrl: TypeUrl, waitedMs: number): void;
}

export interface ConnectionTransport {
  /** Returns false when the stream can take no more; `resume` is to be called once it can. */
  send(response: OutgoingResponse): boolean;
  close(reason: string): void;
}

export class AdsConnection {
  readonly id: string;
  readonly node: Node;
  readonly peer: string;
  readonly #transport: ConnectionTransport;
  readonly #events: ConnectionEvents;
  readonly #ackWaitMs: number;
  readonly #watches = new Map<TypeUrl, TypeWatch>();
  /** Types whose unanswered response no longer holds others up. */
  readonly #overdue = new Set<TypeUrl>();
  readonly #ackTimers = new Map<TypeUrl, NodeJS.Timeout>();
  #target: ProxyResources | undefined;
  #appliedVersion: string | undefined;
  #writable = true;
  #closed = false;
  #nonces = 0;

  constructor(
    identity: { id: string; node: Node; peer: string },
    transport: ConnectionTransport,
    events: ConnectionEvents,
    ackWaitMs: number,
  ) {
    this.id = identity.id;
    this.node = identity.node;
    this.peer = identity.peer;
    this.#transport = transport;
    this.#events = events;
    this.#ackWaitMs = ackWaitMs;
  }

  /** The version last accepted as a whole, if any. */
  get appliedVersion(): string | undefined {
    return this.#appliedVersion;
  }

  /** Sets what the proxy should have; a state not yet sent is superseded, so a slow proxy gets only the newest. */
  publish(target: ProxyResources): void {
    this.#target = target;
    this.#advance();
  }

  status(typeUrl: TypeUrl): TypeStatus {
    return this.#watches.get(typeUrl)?.status() ?? { kind: 'NOT SENT' };
  }

  /** Names subscribed to, or 'wildcard'; undefined when the type was never asked for. */
  subscribed(typeUrl: TypeUrl): readonly string[] | 'wildcard' | undefined {
    const watch = this.#watches.get(typeUrl);
    if (watch === undefined) return undefined;
    return watch.wildcard ? 'wildcard' : [...watch.names];
  }

  close(reason: string): void {
    this.#transport.close(reason);
  }

  /** From the transport: a request has come. */
  receive(typeUrl: TypeUrl, request: WatchRequest): void {
    const outcome = this.#watches.get(typeUrl)?.request(request) ?? { kind: 'first' };
    if (outcome.kind === 'stale') return;
    this.#settle(typeUrl);
    if (outcome.kind === 'first') this.#watches.set(typeUrl, new TypeWatch(isWildcard(typeUrl), request.names));
    else if (outcome.kind === 'ack') this.#events.onAck?.(this, typeUrl, outcome.version);
    else this.#events.onNack?.(this, typeUrl, outcome.version, outcome.message);
    this.#advance();
  }

  /** From the transport: it can take more. */
  resume(): void {
    this.#writable = true;
    this.#advance();
  }

  /** From the transport: the stream is over. */
  ended(): void {
    this.#closed = true;
    for (const timer of this.#ackTimers.values()) clearTimeout(timer);
    this.#ackTimers.clear();
  }

  #advance(): void {
    const target = this.#target;
    if (target === undefined || this.#closed) return;
    // Clusters the proxy has and should lose stay until the listeners and routes that used them are gone: see below.
    this.#bring(CLUSTER, this.#withLingering(target.types[CLUSTER]), target.version);
    this.#bring(ENDPOINTS, target.types[ENDPOINTS], target.version);
    // A route to a cluster that is still without its endpoints would be answered 503 by the proxy, so listeners and
    // routes wait for the clusters' ACK (Envoy gives it once they are warm) and for their endpoints'.
    if (!this.#inPlace(CLUSTER) || !this.#inPlace(ENDPOINTS)) return;
    this.#bring(LISTENER, target.types[LISTENER], target.version);
    this.#bring(ROUTES, target.types[ROUTES], target.version);
    if (!this.#inPlace(LISTENER) || !this.#inPlace(ROUTES)) return;
    // A proxy that refused something goes on with what it had, and may need the old clusters for that.
    if (!([CLUSTER, LISTENER, ROUTES] as const).some((typeUrl) => this.#refused(typeUrl)))
      this.#bring(CLUSTER, target.types[CLUSTER], target.version);
    this.#noteApplied(target);
  }

  #withLingering(clusters: ResourceMap): ResourceMap {
    const watch = this.#watches.get(CLUSTER);
    if (watch === undefined || watch.difference(clusters) === undefined) return clusters;
    const leaving = [...watch.accepted].filter(([name]) => !clusters.has(name));
    if (leaving.length === 0) return clusters;
    return new Map([...clusters, ...leaving.map(([name, body]) => [name, { name, body }] as const)]);
  }

  /** Sends what is missing of a type, unless the proxy still owes an answer for the last response of that type. */
  #bring(typeUrl: TypeUrl, resources: ResourceMap, version: string): void {
    const watch = this.#watches.get(typeUrl);
    if (watch === undefined || !this.#writable || watch.outstanding) return;
    const missing = watch.difference(resources);
    if (missing === undefined) return;
    this.#nonces += 1;
    const nonce = `${this.id}-${this.#nonces}`;
    if (typeUrl === CLUSTER) this.#expectWarming(watch, missing);
    watch.recordSent(missing, version, nonce);
    this.#ackTimers.set(
      typeUrl,
      setTimeout(() => {
        this.#overdue.add(typeUrl);
        this.#events.onSlow?.(this, typeUrl, this.#ackWaitMs);
        this.#advance();
      }, this.#ackWaitMs),
    );
    this.#writable = this.#transport.send({ typeUrl, version, nonce, resources: missing });
  }

  /** Envoy makes a changed cluster anew, and waits for its endpoints as if it had never had them. */
  #expectWarming(clusters: TypeWatch, sending: readonly Resource[]): void {
    const changed = sending.filter((resource) => !clusters.has(resource));
    const names = changed.map(({ endpoints }) => endpoints).filter((name) => name !== undefined);
    this.#watches.get(ENDPOINTS)?.forget(names);
  }

  #inPlace(typeUrl: TypeUrl): boolean {
    const watch = this.#watches.get(typeUrl);
    return watch === undefined || !watch.outstanding || this.#overdue.has(typeUrl);
  }

  #refused(typeUrl: TypeUrl): boolean {
    return this.#watches.get(typeUrl)?.refused ?? false;
  }

  #settle(typeUrl: TypeUrl): void {
    clearTimeout(this.#ackTimers.get(typeUrl));
    this.#ackTimers.delete(typeUrl);
    this.#overdue.delete(typeUrl);
  }

  #noteApplied(target: ProxyResources): void {
    if (this.#appliedVersion === target.version || this.#watches.size === 0) return;
    for (const typeUrl of PUSH_ORDER) {
      const watch = this.#watches.get(typeUrl);
      if (watch === undefined) continue;
      if (watch.outstanding || watch.refused || watch.difference(target.types[typeUrl]) !== undefined) return;
    }
    this.#appliedVersion = target.version;
    this.#events.onApplied?.(this, target.version);
  }
}

// The control plane at work: changes are gathered, a snapshot is taken, every connected proxy gets its part of it, and
// what the proxies say to it is kept.

import { setImmediate } from 'node:timers/promises';
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, systemClock } from '@varka/kube/client/clock.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { AdsConnection } from '@varka/xds/ads-connection.ts';
import { AdsServer } from '@varka/xds/ads-server.ts';
import { compile } from '../compile/compile.ts';
import { type NodeId, parseNodeId } from '../compile/proxy.ts';
import type { MeshConfig } from '../config/mesh-config.ts';
import { type MeshInformers, Registry } from '../registry/registry.ts';
import type { Snapshot } from '../snapshot.ts';
import { ConditionWriter } from './conditions.ts';
import { type Burst, DEFAULT_DEBOUNCE, type DebounceOptions, Debouncer } from './debouncer.ts';
import { encodeProxy } from './encode.ts';
import { type ProxyStatus, proxyStatusOf } from './proxy-status.ts';
import { configsUsed } from './usage.ts';

export interface ControlPlaneOptions {
  /** For the conditions on the users' objects. */
  readonly client: KubeClient;
  readonly informers: MeshInformers;
  readonly listen: { readonly host: string; readonly port: number };
  readonly log: Logger;
  readonly clock?: Clock;
  readonly debounce?: DebounceOptions;
  /** Overrides what the cluster's objects say about the mesh. */
  readonly meshConfig?: Partial<MeshConfig>;
  /** Name of this control plane in `proxy-status`. */
  readonly name?: string;
}

/** How long one version took to reach everybody. */
export interface Convergence {
  readonly version: string;
  /** Changes that led to it. */
  readonly events: number;
  /** From the first change to the last ACK, and from the push to the last ACK. */
  readonly sinceChangeMs: number;
  readonly sincePushMs: number;
  readonly proxies: number;
}

export interface ControlPlane {
  readonly port: number;
  proxyStatus(): ProxyStatus[];
  /** undefined until the first complete lists are in. */
  snapshot(): Snapshot | undefined;
  /** The last version that every proxy accepted, and how long that took. */
  convergence(): Convergence | undefined;
  stop(): Promise<void>;
}

interface Connected {
  readonly id: NodeId;
  readonly name: string;
}

/** A version on its way; `waiting` are those who were there when it set out. */
interface Push {
  readonly version: string;
  readonly events: number;
  readonly changedAt: number;
  readonly pushedAt: number;
  readonly proxies: number;
  readonly waiting: Set<AdsConnection>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const plane = new RunningControlPlane(options);
  await plane.listen();
  return plane;
}

class RunningControlPlane implements ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #clock: Clock;
  readonly #registry: Registry;
  readonly #debouncer: Debouncer;
  readonly #server: AdsServer;
  readonly #conditions: ConditionWriter;
  readonly #connected = new Map<AdsConnection, Connected>();
  /** Proxies that have not been given the current snapshot's configuration yet. */
  readonly #behind = new Set<AdsConnection>();
  #catchingUp: Promise<void> | undefined;
  #snapshot: Snapshot | undefined;
  #port = 0;
  #versions = 0;
  #stopped = false;
  #push: Push | undefined;
  #convergence: Convergence | undefined;

  constructor(options: ControlPlaneOptions) {
    const { log, informers } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#conditions = new ConditionWriter({ client: options.client, informers, log, clock: this.#clock });
    this.#debouncer = new Debouncer(this.#clock, options.debounce ?? DEFAULT_DEBOUNCE, (burst) => this.#pushAll(burst));
    this.#server = new AdsServer({
      identifier: this.#name,
      onConnect: (connection) => this.#connect(connection),
      onDisconnect: (connection) => this.#disconnect(connection),
      onNack: (connection, typeUrl, version, message) => {
        const proxy = this.#connected.get(connection)?.name ?? connection.node.id;
        log.warn('proxy refused configuration', { proxy, typeUrl, version, message });
        this.#conditions.refused(connection, proxy, typeUrl, message);
      },
      onAck: (connection, typeUrl) => this.#conditions.accepted(connection, typeUrl),
      onApplied: (connection, version) => this.#applied(connection, version),
      onSlow: (connection, typeUrl, waitedMs) =>
        log.warn('proxy has not answered; going on without', { proxy: connection.node.id, typeUrl, waitedMs }),
      onError: (message, fields) => log.warn(message, fields),
    });
    this.#registry = new Registry(informers, options.meshConfig ?? {}, () => {
      // Changes before the first complete lists are part of these.
      if (this.#snapshot !== undefined) this.#debouncer.event();
    });
    this.#registry.synced().then(
      () => this.#pushAll({ events: 0, startedAt: this.#clock.now() }),
      (error: unknown) => log.error('control plane has no view of the cluster', { error: String(error) }),
    );
  }

  get #name(): string {
    return this.#options.name ?? 'istiod.istio-system';
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<void> {
    try {
      this.#port = await this.#server.listen(this.#options.listen);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  convergence(): Convergence | undefined {
    return this.#convergence;
  }

  proxyStatus(): ProxyStatus[] {
    return [...this.#connected]
      .map(([connection, { id, name }]) => proxyStatusOf(connection, { name, type: id.type }, this.#name))
      .toSorted((a, b) => (a.proxy < b.proxy ? -1 : 1));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#debouncer.stop();
    this.#registry.stop();
    this.#server.stop();
    await this.#catchingUp;
    await this.#conditions.stop();
  }

  #connect(connection: AdsConnection): void {
    const id = parseNodeId(connection.node.id);
    if (id === undefined) {
      connection.close(`node id "${connection.node.id}" is not type~address~pod.namespace~domain`);
      return;
    }
    const name = `${id.pod}.${id.namespace}`;
    this.#options.log.debug('proxy connected', { proxy: name, type: id.type, peer: connection.peer });
    this.#connected.set(connection, { id, name });
    this.#publish(connection);
  }

  #disconnect(connection: AdsConnection): void {
    const connected = this.#connected.get(connection);
    if (connected === undefined) return;
    this.#connected.delete(connection);
    this.#behind.delete(connection);
    this.#options.log.debug('proxy disconnected', { proxy: connected.name });
    this.#conditions.gone(connection);
    this.#arrived(connection);
  }

  #pushAll(burst: Burst): void {
    if (this.#stopped) return;
    this.#versions += 1;
    const pushedAt = this.#clock.now();
    // Istio's form: when, and which in turn.
    const version = `${new Date(pushedAt).toISOString()}/${this.#versions}`;
    this.#snapshot = this.#registry.snapshot(version);
    this.#push = {
      version,
      events: burst.events,
      changedAt: burst.startedAt,
      pushedAt,
      proxies: this.#connected.size,
      waiting: new Set(this.#connected.keys()),
    };
    for (const connection of this.#connected.keys()) this.#behind.add(connection);
    this.#catchingUp ??= this.#catchUp().finally(() => {
      this.#catchingUp = undefined;
    });
  }

  /**
   * One proxy after another, each from the newest snapshot there is when its turn comes. The API server and DNS live in
   * the same process, and have theirs in between.
   */
  async #catchUp(): Promise<void> {
    const startedAt = this.#clock.now();
    let proxies = 0;
    // A set is walked in the order of insertion, what is added on the way included.
    for (const connection of this.#behind) {
      if (this.#stopped) return;
      this.#behind.delete(connection);
      this.#publish(connection);
      proxies += 1;
      await setImmediate();
    }
    this.#conditions.changed();
    const version = this.#snapshot?.revision;
    this.#options.log.debug('configuration pushed', { version, proxies, ms: this.#clock.now() - startedAt });
  }

  /** A proxy whose pod the registry does not know yet waits: the pod's arrival is a change like any other. */
  #publish(connection: AdsConnection): void {
    const snapshot = this.#snapshot;
    const { id, name } = this.#connected.get(connection) ?? {};
    if (snapshot === undefined || id === undefined) return;
    const workload = snapshot.workload(id.namespace, id.pod);
    if (workload === undefined) {
      this.#arrived(connection);
      return;
    }
    try {
      const compiled = compile(snapshot, { type: id.type, workload, http2: speaksHttp2(connection) });
      this.#conditions.uses(connection, configsUsed(compiled));
      connection.publish(encodeProxy(compiled, snapshot.revision));
    } catch (error) {
      // The others still get theirs, and this one keeps what it has.
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error('configuration could not be compiled', { proxy: name, error: text });
    }
  }

  #applied(connection: AdsConnection, version: string): void {
    this.#conditions.applied(connection);
    if (this.#push?.version === version) this.#arrived(connection);
  }

  /** Notes how long a version took once the last of those who were waiting for it has it, or has gone. */
  #arrived(connection: AdsConnection): void {
    const push = this.#push;
    if (!push?.waiting.delete(connection) || push.waiting.size > 0) return;
    const now = this.#clock.now();
    this.#convergence = {
      version: push.version,
      events: push.events,
      sinceChangeMs: now - push.changedAt,
      sincePushMs: now - push.pushedAt,
      proxies: push.proxies,
    };
    this.#options.log.debug('configuration is live', { ...this.#convergence });
  }
}

/** Envoy names itself in its node; our own proxy carries HTTP/2 as bytes. */
function speaksHttp2({ node }: AdsConnection): boolean {
  return node.userAgentName === 'envoy';
}

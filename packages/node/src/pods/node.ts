// The node agent (Kubernetes: the kubelet, and the part of a scheduler that one node needs).
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, sleep, systemClock, timestamp } from '@varka/kube/client/clock.ts';
import { EventRecorder } from '@varka/kube/client/event-recorder.ts';
import type { Informer } from '@varka/kube/client/informer.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { PersistentVolumeClaim, Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import type { PodBackend } from '@varka/kube/server/pod-backend.ts';
import { isStatus, StatusError } from '@varka/kube/status-error.ts';
import { ApiConfigSource } from '../config/config-source.ts';
import type { ImageResolver } from '../images/image-resolver.ts';
import type { PodNetwork } from '../sandbox/pod-network.ts';
import { reapOrphans } from '../sandbox/processes.ts';
import { claimDirectory } from '../volumes/pod-volumes.ts';
import { nodeLabels, registerNode } from './node-object.ts';
import { podLogs } from './pod-logs.ts';
import { unschedulable } from './pod-policy.ts';
import { mergeConditions } from './pod-status.ts';
import { directoryOf, type NodeContext, PodWorker } from './pod-worker.ts';
import { attachToContainer, execInContainer } from './remote-commands.ts';
import { UsageMeter } from './usage.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Under the state directory: what claims hold. */
const CLAIMS = 'claims';
const BIND_RETRY_FIRST_MS = 100;
const BIND_RETRY_MAX_MS = 10_000;

export interface NodeOptions {
  readonly client: KubeClient;
  /** All pods of the cluster; it stays the caller's. */
  readonly pods: Informer<Pod>;
  readonly nodeName: string;
  readonly stateDir: string;
  readonly images: ImageResolver;
  readonly network: PodNetwork;
  /** cluster.local */
  readonly clusterDomain: string;
  /** Where pods send their DNS questions. */
  readonly dnsAddress: string;
  /** Where pods find the API server; told to them as KUBERNETES_SERVICE_HOST and _PORT. */
  readonly api: { readonly address: string; readonly port: number };
  readonly log: Logger;
  readonly clock?: Clock;
  /** Given to every container beside PATH, HOME and HOSTNAME (NODE_COMPILE_CACHE, for one). */
  readonly baseEnv?: Readonly<Record<string, string>>;
}

export interface NodeAgent {
  readonly backend: PodBackend;
  /** Ends every pod's processes, with this much time for SIGTERM; the objects stay as they are. */
  stop(graceMs?: number): Promise<void>;
}

export async function startNode(options: NodeOptions): Promise<NodeAgent> {
  const { client, network, nodeName, log, pods } = options;
  const clock = options.clock ?? systemClock;
  await registerNode(client, nodeName, network.nodeAddress, network.podCidr, clock);
  if (network.warning !== undefined) log.warn(network.warning);
  const reaper = process.pid === 1 ? reapOrphans() : undefined;
  const node = new PodManager(options, clock);
  const meter = new UsageMeter(() => clock.now());
  meter.start();
  await pods.synced;
  node.sweep(pods.list());
  await sweepClaims(client, join(options.stateDir, CLAIMS));
  const unsubscribe = pods.onEvent((event) => {
    if (event.type === 'deleted') node.gone(event.object);
    else node.seen(event.object);
  });
  return {
    backend: {
      logs: (namespace, pod, logOptions, signal) =>
        podLogs(node.require(namespace, pod), logOptions, clock.now(), signal),
      exec: async (namespace, pod, command, commandOptions, signal) =>
        execInContainer(node.require(namespace, pod), command, commandOptions, signal),
      attach: async (namespace, pod, commandOptions, signal) =>
        attachToContainer(node.require(namespace, pod), commandOptions, signal),
      usage: () => ({ pods: meter.pods(node.workers()), nodes: meter.nodes(nodeName) }),
      connect: (namespace, pod, port) => node.require(namespace, pod).requireSandbox().connect(port),
    },
    stop: async (graceMs = 0) => {
      unsubscribe();
      meter.stop();
      await node.stop(graceMs);
      reaper?.stop();
    },
  };
}

/** Gives every pod of this node its worker, and takes the pods that have no node. */
class PodManager {
  readonly #options: NodeOptions;
  readonly #clock: Clock;
  readonly #context: NodeContext;
  readonly #config: ApiConfigSource;
  readonly #workers = new Map<string, PodWorker>();
  /** Pods whose end is under way after their object went, by uid. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** By uid, what tells of a binding that is under way; it is told once. */
  readonly #binding = new Map<string, () => void>();
  readonly #stopping = new AbortController();

  constructor(options: NodeOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    const { client, network, images, log, stateDir, clusterDomain, dnsAddress, api, nodeName } = options;
    this.#config = new ApiConfigSource(client, log);
    this.#context = {
      client,
      network,
      images,
      log,
      clock,
      clusterDomain,
      dnsAddress,
      config: this.#config,
      events: new EventRecorder({ client, component: 'kubelet', host: nodeName, log, clock }),
      podsDirectory: join(stateDir, 'pods'),
      dataDirectory: join(stateDir, 'data'),
      claimsDirectory: join(stateDir, CLAIMS),
      baseEnv: { PATH: process.env['PATH'] ?? DEFAULT_PATH, ...options.baseEnv },
      serviceEnv: { KUBERNETES_SERVICE_HOST: api.address, KUBERNETES_SERVICE_PORT: String(api.port) },
    };
  }

  /** Takes away what pods left behind that went while no supervisor was there. */
  sweep(pods: readonly Pod[]): void {
    const { podsDirectory } = this.#context;
    mkdirSync(podsDirectory, { recursive: true });
    const known = new Set(pods.map(directoryOf));
    for (const entry of readdirSync(podsDirectory)) {
      if (!known.has(entry)) rmSync(join(podsDirectory, entry), { recursive: true, force: true });
    }
  }

  workers(): Iterable<PodWorker> {
    return this.#workers.values();
  }

  require(namespace: string, name: string): PodWorker {
    const worker = this.#workers.get(`${namespace}/${name}`);
    if (worker === undefined) throw StatusError.notFound(PodKind, name);
    return worker;
  }

  seen(pod: Pod): void {
    const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
    const nodeName = pod.spec?.nodeName;
    if (nodeName === undefined || nodeName === '') {
      if (pod.metadata?.deletionTimestamp === undefined) void this.#bind(pod);
      return;
    }
    if (nodeName !== this.#options.nodeName || this.#stopping.signal.aborted) return;
    const key = `${namespace}/${name}`;
    const worker = this.#workers.get(key);
    if (worker?.uid === uid) {
      worker.update(pod);
      return;
    }
    if (worker !== undefined) this.#leave(key, worker);
    const phase = pod.status?.phase;
    const over = phase === 'Succeeded' || phase === 'Failed';
    // A pod that ended under an earlier supervisor has nothing to run; if it is being deleted, nothing to stop either.
    if (over && pod.metadata?.deletionTimestamp === undefined) return;
    // The news of a binding may come before its answer; events are read in their order.
    this.#binding.get(uid)?.();
    const started = new PodWorker(this.#context, pod);
    this.#workers.set(key, started);
    if (pod.metadata?.deletionTimestamp !== undefined) started.update(pod);
  }

  gone(pod: Pod): void {
    const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
    const worker = this.#workers.get(key);
    if (worker !== undefined && worker.uid === pod.metadata?.uid) this.#leave(key, worker);
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#workers.values()].map((worker) => worker.shutdown(graceMs)));
    await Promise.all(this.#leaving.values());
    this.#config.close();
    await this.#context.events.flush();
  }

  #leave(key: string, worker: PodWorker): void {
    this.#workers.delete(key);
    const left = worker.removed().finally(() => this.#leaving.delete(worker.uid));
    this.#leaving.set(worker.uid, left);
  }

  /** The scheduler's part: there is one node to choose. */
  async #bind(pod: Pod): Promise<void> {
    const { client, nodeName, log } = this.#options;
    const { namespace = '', name = '', uid = randomUUID() } = pod.metadata ?? {};
    if (this.#binding.has(uid)) return;
    let told = false;
    const tell = (): void => {
      if (told) return;
      told = true;
      const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
      this.#context.events.event(PodKind, pod, 'Normal', 'Scheduled', message);
    };
    this.#binding.set(uid, tell);
    try {
      const misfit = unschedulable(pod, nodeLabels(nodeName));
      if (misfit !== undefined) {
        await this.#tellUnschedulable(pod, misfit);
        return;
      }
      const binding: KubeObject = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      };
      for (
        let delay = BIND_RETRY_FIRST_MS;
        !this.#stopping.signal.aborted;
        delay = Math.min(delay * 2, BIND_RETRY_MAX_MS)
      ) {
        try {
          await client.create(PodKind, binding, 'binding');
          tell();
          return;
        } catch (error) {
          // Gone meanwhile, or bound already: the informer will say which.
          if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
          log.warn('a pod was not bound to the node, trying again', { namespace, pod: name, error: String(error) });
          await sleep(this.#clock, delay, this.#stopping.signal);
        }
      }
    } catch (error) {
      log.error('binding a pod failed', { namespace, pod: name, error: String(error) });
    } finally {
      this.#binding.delete(uid);
    }
  }

  async #tellUnschedulable(pod: Pod, misfit: NonNullable<ReturnType<typeof unschedulable>>): Promise<void> {
    const before = pod.status?.conditions ?? [];
    if (before.some(({ type, message }) => type === misfit.type && message === misfit.message)) return;
    const { namespace, name = '' } = pod.metadata ?? {};
    this.#context.events.event(PodKind, pod, 'Warning', 'FailedScheduling', misfit.message ?? '');
    const conditions = mergeConditions(before, [misfit], timestamp(this.#clock));
    const status = { phase: 'Pending', conditions };
    await this.#options.client.patch(PodKind, name, namespace, { status }, { subresource: 'status' });
  }
}

/** Takes away what claims held that are no longer there. Kubernetes: the reclaim policy Delete. */
async function sweepClaims(client: KubeClient, directory: string): Promise<void> {
  // Looked at before the list: what a claim made meanwhile holds is not mistaken for a leftover.
  const held = existsSync(directory) ? readdirSync(directory) : [];
  if (held.length === 0) return;
  const { items } = await client.list(PersistentVolumeClaim);
  const known = new Set(
    items.map(({ metadata }) => claimDirectory(metadata?.namespace ?? '', metadata?.name ?? '', metadata?.uid ?? '')),
  );
  for (const entry of held) if (!known.has(entry)) rmSync(join(directory, entry), { recursive: true, force: true });
}

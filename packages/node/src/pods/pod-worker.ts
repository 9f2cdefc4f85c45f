// One pod's life on this node: a sandbox, its init containers in order, its containers, and its end.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '@varka/kube/client/client.ts';
import { type Clock, sleep, timestamp } from '@varka/kube/client/clock.ts';
import type { EventRecorder } from '@varka/kube/client/event-recorder.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import type { Logger } from '@varka/kube/log.ts';
import { isStatus, StatusError } from '@varka/kube/status-error.ts';
import type { Container, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { ImageResolver } from '../images/image-resolver.ts';
import type { PodNetwork, PodSandbox } from '../sandbox/pod-network.ts';
import { PodVolumes } from '../volumes/pod-volumes.ts';
import { planContainer } from './container-plan.ts';
import type { EventType } from './container-preparation.ts';
import { ContainerRunner, type Restored } from './container-runner.ts';
import { differenceOf, fqdnOf, hostnameOf, isCaptured, searchesOf } from './pod-policy.ts';
import { type ContainerReport, isSidecar, podStatus, restartPolicyOf, type Terminated } from './pod-status.ts';
import { StatusWriter } from './status-writer.ts';
import type { RunningProcess } from './usage.ts';

const SANDBOX_RETRY_MS = 1_000;
const SANDBOX_RETRY_MAX_MS = 60_000;
const DELETE_RETRY_MS = 500;

/** What all pods of the node share. */
export interface NodeContext {
  readonly client: KubeClient;
  readonly network: PodNetwork;
  readonly images: ImageResolver;
  readonly config: ConfigSource;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly podsDirectory: string;
  readonly dataDirectory: string;
  readonly claimsDirectory: string;
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly serviceEnv: Readonly<Record<string, string>>;
}

export class PodWorker {
  readonly uid: string;
  readonly #context: NodeContext;
  readonly #directory: string;
  readonly #status: StatusWriter;
  readonly #volumes: PodVolumes;
  /** The pod is to end: nothing new is started. */
  readonly #ending = new AbortController();
  /** The supervisor ends, or the pod is gone from the API: nothing more is written about it. */
  readonly #silent = new AbortController();
  readonly #startTime: string;
  readonly #init: ContainerRunner[] = [];
  readonly #containers: ContainerRunner[] = [];
  readonly #finished: Promise<void>;
  #pod: Pod;
  #sandbox: PodSandbox | undefined;
  #podIp: string | undefined;
  #gone = false;
  #ended: Promise<void> | undefined;

  constructor(context: NodeContext, pod: Pod) {
    this.#context = context;
    this.#pod = pod;
    const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
    this.uid = uid;
    this.#directory = join(context.podsDirectory, directoryOf(pod));
    this.#startTime = pod.status?.startTime ?? timestamp(context.clock);
    this.#status = new StatusWriter({
      client: context.client,
      clock: context.clock,
      log: context.log,
      target: { namespace, name, uid },
      stop: this.#silent.signal,
      onWritten: (stored) => this.#keep(stored),
    });
    this.#volumes = new PodVolumes({
      config: context.config,
      clock: context.clock,
      log: context.log,
      // No container's name begins with a dot.
      directory: join(this.#directory, '.volumes'),
      claimsDirectory: context.claimsDirectory,
      pod: () => this.#pod,
      warn: (reason, message) => {
        this.#event('Warning', reason, message);
        this.#changed();
      },
    });
    for (const spec of pod.spec?.initContainers ?? []) this.#init.push(this.#runner(spec, true));
    for (const spec of pod.spec?.containers ?? []) this.#containers.push(this.#runner(spec, false));
    this.#finished = this.#run().catch((error: unknown) => {
      context.log.error('a pod’s supervision failed', { namespace, pod: name, error: String(error) });
    });
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Its containers and sidecars that are to run, if they all do; else none. */
  get running(): RunningProcess[] {
    const expected = [...this.#init.filter(({ spec }) => isSidecar(spec)), ...this.#containers];
    const found = expected.flatMap(({ spec, running }) =>
      running === undefined ? [] : [{ name: spec.name, pid: running.process.pid, startedAt: running.startedAt }],
    );
    return found.length === expected.length ? found : [];
  }

  /** Throws a StatusError when the pod has no place yet. */
  requireSandbox(): PodSandbox {
    if (this.#sandbox === undefined) throw StatusError.badRequest(`pod ${this.#name} has no network yet`);
    return this.#sandbox;
  }

  container(name: string): ContainerRunner | undefined {
    return [...this.#containers, ...this.#init].find(({ spec }) => spec.name === name);
  }

  /** A newer version of the object. Labels and annotations take effect on the next start of a container. */
  update(pod: Pod): void {
    this.#keep(pod);
    this.#volumes.podChanged();
    if (pod.metadata?.deletionTimestamp !== undefined) {
      this.end((pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000, true);
    }
  }

  /** The object is gone: no one is left to tell. */
  removed(): Promise<void> {
    this.#gone = true;
    this.#silent.abort();
    return this.end(0, false);
  }

  /** The supervisor ends. The object stays as it is, for the next one to start anew. */
  shutdown(graceMs: number): Promise<void> {
    this.#silent.abort();
    return this.end(graceMs, false);
  }

  /** Stops the containers, takes the sandbox down and, if asked, the object off the API. Later calls may hurry it. */
  end(graceMs: number, removeObject: boolean): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = this.#end(graceMs, removeObject).catch((error: unknown) => {
        this.#context.log.error('a pod was not ended cleanly', { pod: this.#name, error: String(error) });
      });
    } else {
      for (const runner of [...this.#containers, ...this.#init]) {
        if (runner.isStarted) void runner.stop(graceMs);
      }
    }
    return this.#ended;
  }

  get #name(): string {
    return `${this.#pod.metadata?.namespace}/${this.#pod.metadata?.name}`;
  }

  #keep(pod: Pod): void {
    if (pod.metadata?.uid === this.uid) this.#pod = pod;
  }

  async #run(): Promise<void> {
    const difference = differenceOf(this.#pod);
    if (difference !== undefined) this.#event('Warning', 'NotHonoured', difference);
    if (!(await this.#volumes.setUp(this.#ending.signal)) || !(await this.#makeSandbox())) return;
    this.#changed();
    if (!(await this.#runInit())) {
      this.#changed();
      return;
    }
    for (const runner of this.#containers) {
      if (this.#ending.signal.aborted) break;
      runner.start();
      // The kubelet starts containers in order, and waits for a postStart hook before the next.
      await Promise.race([runner.launched, aborted(this.#ending.signal)]);
    }
    if (this.#ending.signal.aborted) return;
    await Promise.all(this.#containers.map((runner) => runner.finished));
    if (this.#ending.signal.aborted) return;
    // All done by themselves (a job): sidecars are ended, and the pod gives up its place.
    await this.#stopSidecars(this.#graceMs());
    await this.#takeDownSandbox();
    this.#changed();
  }

  async #makeSandbox(): Promise<boolean> {
    const { clock, network, clusterDomain, dnsAddress } = this.#context;
    const stop = this.#ending.signal;
    for (let delay = SANDBOX_RETRY_MS; !stop.aborted; delay = Math.min(delay * 2, SANDBOX_RETRY_MAX_MS)) {
      try {
        const fqdn = fqdnOf(this.#pod, clusterDomain);
        this.#sandbox = network.createPod({
          hostname: hostnameOf(this.#pod),
          ...(fqdn === undefined ? {} : { fqdn }),
          directory: join(this.#directory, 'etc'),
          nameserver: dnsAddress,
          searches: searchesOf(this.#pod, clusterDomain),
          hostAliases:
            this.#pod.spec?.hostAliases?.flatMap(({ ip, hostnames }) =>
              ip === undefined ? [] : [{ ip, hostnames: hostnames ?? [] }],
            ) ?? [],
          capture: isCaptured(this.#pod),
          memoryDirectories: this.#volumes.memoryDirectories,
        });
        this.#podIp = this.#sandbox.ip;
        return true;
      } catch (error) {
        this.#event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${(error as Error).message}`);
        await sleep(clock, delay, stop);
      }
    }
    return false;
  }

  /** One after the other, each to its end; sidecars only until they are up. False when the pod ends here. */
  async #runInit(): Promise<boolean> {
    for (const runner of this.#init) {
      if (this.#ending.signal.aborted) return false;
      runner.start();
      const sidecar = isSidecar(runner.spec);
      await Promise.race([sidecar ? runner.up : runner.finished, aborted(this.#ending.signal)]);
      if (this.#ending.signal.aborted) return false;
      if (!sidecar && runner.exitCode !== 0) return false;
      this.#changed();
    }
    return true;
  }

  async #end(graceMs: number, removeObject: boolean): Promise<void> {
    this.#ending.abort();
    this.#volumes.stop();
    const { clock } = this.#context;
    const deadline = clock.now() + graceMs;
    const started = this.#containers.filter((runner) => runner.isStarted);
    await Promise.all(started.map((runner) => runner.stop(graceMs)));
    await this.#stopSidecars(Math.max(0, deadline - clock.now()));
    await this.#finished;
    await this.#takeDownSandbox();
    if (removeObject) {
      this.#changed();
      await this.#status.flush();
      await this.#removeObject();
    }
    // When only the supervisor ends, the next one still has these logs to show as those of the run before.
    if (removeObject || this.#gone) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** What it leaves behind does not keep the pod from being over. */
  async #takeDownSandbox(): Promise<void> {
    try {
      await this.#sandbox?.destroy();
    } catch (error) {
      this.#context.log.warn('a pod left something behind', { pod: this.#name, error: (error as Error).message });
    }
  }

  /** Kubernetes: sidecars end after the containers, in reverse order. */
  async #stopSidecars(graceMs: number): Promise<void> {
    const deadline = this.#context.clock.now() + graceMs;
    for (const runner of [...this.#init].reverse()) {
      if (runner.isStarted) await runner.stop(Math.max(0, deadline - this.#context.clock.now()));
    }
  }

  /** The node's word that nothing of the pod is left (a delete with grace period 0), without which it stays listed. */
  async #removeObject(): Promise<void> {
    const { client, clock, log } = this.#context;
    const { namespace, name = '' } = this.#pod.metadata ?? {};
    const options = { gracePeriodSeconds: 0, preconditions: { uid: this.uid } };
    while (!this.#silent.signal.aborted) {
      try {
        await client.delete(PodKind, name, namespace, options);
        return;
      } catch (error) {
        if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
        log.warn('a pod’s object was not removed, trying again', { pod: this.#name, error: String(error) });
        await sleep(clock, DELETE_RETRY_MS, this.#silent.signal);
      }
    }
  }

  #runner(spec: Container, init: boolean): ContainerRunner {
    const pod = this.#pod;
    const statuses = init ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
    const policy = isSidecar(spec)
      ? 'Always'
      : init && restartPolicyOf(pod) === 'Always'
        ? 'OnFailure'
        : restartPolicyOf(pod);
    const restored = restoredFrom(
      statuses?.find(({ name }) => name === spec.name),
      timestamp(this.#context.clock),
    );
    const directory = join(this.#directory, spec.name);
    return new ContainerRunner(
      {
        sandbox: () => this.requireSandbox(),
        probeSource: this.#context.network.probeSource,
        clock: this.#context.clock,
        log: this.#context.log,
        directory,
        pod: () => this.#pod,
        plan: (container, onPull, stop) => this.#plan(container, directory, onPull, stop),
        onImagesChange: (listener) => this.#context.images.onChange(listener),
        event: (type, reason, message) => this.#event(type, reason, message),
        changed: () => this.#changed(),
      },
      spec,
      policy,
      restored,
    );
  }

  async #plan(container: Container, directory: string, onPull: () => void, stop: AbortSignal) {
    const { images, config, baseEnv, serviceEnv, network } = this.#context;
    return planContainer(container, {
      images,
      config,
      pod: this.#pod,
      volume: (name) => this.#volumes.place(name),
      podIp: this.requireSandbox().ip,
      hostIp: network.nodeAddress,
      hostname: hostnameOf(this.#pod),
      home: join(directory, 'home'),
      layers: join(directory, 'layers'),
      onPull,
      stop,
      dataDirectory: join(this.#context.dataDirectory, ...workloadPath(this.#pod), container.name),
      baseEnv,
      serviceEnv,
    });
  }

  #graceMs(): number {
    return (this.#pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
  }

  #event(type: EventType, reason: string, message: string): void {
    if (!this.#silent.signal.aborted) this.#context.events.event(PodKind, this.#pod, type, reason, message);
  }

  #changed(): void {
    if (this.#silent.signal.aborted) return;
    const reports = (runners: readonly ContainerRunner[]): ContainerReport[] =>
      runners.map((runner) => runner.report());
    this.#status.write(
      podStatus({
        pod: this.#pod,
        init: reports(this.#init),
        containers: reports(this.#containers),
        ...(this.#podIp === undefined ? {} : { podIp: this.#podIp }),
        hostIp: this.#context.network.nodeAddress,
        startTime: this.#startTime,
        now: timestamp(this.#context.clock),
      }),
    );
  }
}

/** namespace/NAME of what the pod is a copy of: of a Deployment's pod the name without the two generated parts. */
function workloadPath(pod: Pod): [string, string] {
  const { namespace = '', name = '', ownerReferences = [], labels = {} } = pod.metadata ?? {};
  const owner = ownerReferences.find(({ controller }) => controller === true);
  const hash = labels['pod-template-hash'];
  if (owner === undefined) return [namespace, name];
  return [
    namespace,
    hash !== undefined && owner.name.endsWith(`-${hash}`) ? owner.name.slice(0, -hash.length - 1) : owner.name,
  ];
}

/** No Kubernetes name has an underscore. */
export function directoryOf(pod: Pod): string {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  return `${namespace}_${name}_${uid}`;
}

/**
 * What is known of a container that ran under an earlier supervisor: it went down with it. After a machine's restart
 * containerd tells such a container's end as exit code 255 for an unknown reason.
 */
function restoredFrom(status: ContainerStatus | undefined, now: string): Restored | undefined {
  if (status?.containerID === undefined) return undefined;
  const last: Terminated = {
    kind: 'terminated',
    exitCode: 255,
    reason: 'Unknown',
    startedAt: status.state?.running?.startedAt ?? now,
    finishedAt: now,
    containerId: status.containerID,
  };
  return { restartCount: status.restartCount + 1, last };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

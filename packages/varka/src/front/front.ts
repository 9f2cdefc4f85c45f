// The host side of a running mesh: holds the profile's lock, the listening sockets and the control socket, and is the
// parent of everything else. It ends only after everything inside has ended.
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createFabricDirectory, removeFabric } from '@varka/node/loopback/fabric-directory.ts';
import type { UserImage } from '../config.ts';
import { messageOf, type Problem, problem, profileFlag, VarkaError } from '../errors.ts';
import type { ManifestDocument } from '../manifests/read.ts';
import type { Profile } from '../profile.ts';
import type { FromSupervisor, MeshStatus, Phase, ProgressEvent, SandboxConfig, StatusDocument } from '../protocol.ts';
import { VERSION } from '../version.ts';
import { serveControl } from './control-server.ts';
import { type Addresses, addressesOf, phaseOf } from './description.ts';
import { type FirstAnswer, firstAnswer } from './first-answer.ts';
import { HostRequests } from './host-requests.ts';
import { type Listener, listenOn, openListener, PUBLISHED, type Published } from './listeners.ts';
import { claimLoadBalancers, type LoadBalancerClaim } from './load-balancer-claim.ts';
import { acquireLock, type LockHolder } from './lock.ts';
import { isAlive, waitUntilGone } from './process-identity.ts';
import { chooseSandbox, describeSandbox, type Sandbox, type SandboxOption } from './sandbox.ts';
import {
  logPath,
  onDisk,
  openLog,
  prepareDirectories,
  readRuntime,
  removeRuntime,
  writeRuntime,
} from './state-directory.ts';
import { SupervisorProcess } from './supervisor-process.ts';
import { UserImages } from './user-images.ts';

export interface FrontOptions {
  readonly profile: Profile;
  /** Ports asked for by option; the others move when taken. */
  readonly ports: Readonly<Partial<Record<Published, number>>>;
  readonly documents: readonly ManifestDocument[];
  readonly namespace: string;
  /** What the configuration file lists, and where that file is. */
  readonly images: readonly UserImage[];
  readonly configDirectory: string;
  readonly waitSeconds: number;
  readonly sandbox: SandboxOption;
}

export interface Ready extends Addresses {
  readonly pid: number;
  readonly profile: string;
  /** False when something that was applied is not available, or was refused. */
  readonly complete: boolean;
  readonly readyMs: number;
  readonly tryUrl: string | undefined;
  readonly firstAnswer: FirstAnswer | undefined;
}

type ReadyMessage = Extract<FromSupervisor, { type: 'ready' }>;

/** An orderly stop gives pods their time to finish; after this everything is ended. */
const STOP_TIMEOUT_MS = 15_000;
const STALE_TIMEOUT_MS = 5_000;

export class Front {
  /** Settles once everything is gone, with a problem when that was nobody's wish. */
  readonly finished: Promise<VarkaError | undefined>;
  readonly #options: FrontOptions;
  readonly #report: (event: ProgressEvent) => void;
  readonly #startedAt = new Date();
  readonly #finish: (error: VarkaError | undefined) => void;
  readonly #userImages: UserImages;
  readonly #host: HostRequests;
  readonly #watchers = new Set<(event: ProgressEvent) => void>();
  #phase: Phase = 'starting';
  #stopAsked = false;
  #started = false;
  #sandbox: Sandbox = { kind: 'netns', privilege: 'root' };
  /** Of the loopback sandbox's sockets, once it is chosen. */
  #fabric: string | undefined;
  #ports: Record<Published, number> = { api: 0, http: 0, https: 0 };
  #listeners: Listener[] = [];
  #claim: LoadBalancerClaim | undefined;
  #release: (() => void) | undefined;
  #control: { close(): Promise<void> } | undefined;
  #supervisor: SupervisorProcess | undefined;
  #stopping: Promise<void> | undefined;
  #opening: Promise<void> | undefined;

  constructor(options: FrontOptions, report: (event: ProgressEvent) => void) {
    this.#options = options;
    this.#report = report;
    this.#host = new HostRequests(join(options.profile.cache, 'images'));
    this.#userImages = new UserImages(options.configDirectory, (event) => this.#tell(event));
    const { promise, resolve } = Promise.withResolvers<VarkaError | undefined>();
    this.finished = promise;
    this.#finish = resolve;
  }

  /** Rejects with a `VarkaError` when the mesh cannot start; then nothing is left of it. */
  async start(): Promise<Ready> {
    try {
      const { promise, resolve, reject } = Promise.withResolvers<ReadyMessage>();
      promise.catch(() => undefined); // it may fail before it is waited for, and is waited for in any case
      this.#opening = this.#open();
      await this.#opening;
      await this.#launch(resolve, reject);
      const { tryPath, complete } = await promise;
      this.#started = true;
      return await this.#ready(tryPath, complete);
    } catch (error) {
      await this.#cleanUp();
      const failure =
        error instanceof VarkaError
          ? error
          : problem('start-failed', { detail: messageOf(error), log: this.logFile }, error);
      this.#finish(failure);
      throw failure;
    }
  }

  get logFile(): string {
    return logPath(this.#options.profile);
  }

  /** Whether the end was somebody's wish. */
  get stopAsked(): boolean {
    return this.#stopAsked;
  }

  /** Stops pods, then the control plane, then itself. */
  stop(): Promise<void> {
    this.#stopAsked = true;
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends everything without asking. */
  async abort(): Promise<void> {
    this.#stopAsked = true;
    await this.#cleanUp();
    this.#finish(undefined);
  }

  async #open(): Promise<void> {
    const { profile, ports } = this.#options;
    await prepareDirectories(profile);
    const lock = await onDisk(profile.lock, profile, () => acquireLock(profile.lock, this.#startedAt.toISOString()));
    if (lock.kind === 'busy') throw this.#alreadyRunning(lock.holder);
    this.#release = lock.release;
    if (lock.recovered !== undefined) await this.#recover(lock.recovered);
    const begin = performance.now();
    const [sandbox, ...opened] = await Promise.allSettled([
      chooseSandbox(this.#options.sandbox),
      ...PUBLISHED.map((name) => openListener(name, ports[name])),
    ]);
    this.#listeners = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    for (const result of [sandbox, ...opened]) if (result.status === 'rejected') throw result.reason;
    if (sandbox.status === 'fulfilled') this.#sandbox = sandbox.value;
    this.#claim = await claimLoadBalancers(profile.directory);
    for (const { name, port, movedFrom } of this.#listeners) {
      this.#ports[name] = port;
      if (movedFrom !== undefined)
        this.#tell({ kind: 'note', label: `port ${movedFrom} is taken, using ${port} instead` });
    }
    this.#tellSandbox(performance.now() - begin);
    this.#control = await serveControl(profile.controlSocket, {
      status: () => this.#status(),
      syncz: () => this.#ask('syncz'),
      stop: (report) => this.#stopFor(report),
    });
  }

  async #launch(onReady: (message: ReadyMessage) => void, onFailure: (error: unknown) => void): Promise<void> {
    const { profile, documents, namespace, waitSeconds } = this.#options;
    this.#assertWanted();
    // A build that the stop has ended has not failed.
    const images = await this.#userImages.take(this.#options.images).finally(() => this.#assertWanted());
    const config = {
      profile,
      ports: this.#ports,
      sandbox: this.#sandboxConfig(),
      documents,
      namespace,
      images,
      waitSeconds,
      loadBalancers: this.#claim?.prefix,
      // Only in namespaces can a program have another root directory.
      engine: this.#sandbox.kind === 'netns' ? this.#host.engine : undefined,
    };
    const log = await openLog(profile);
    if (this.#stopAsked) closeSync(log);
    this.#assertWanted();
    const supervisor = new SupervisorProcess(config, log, (message) => {
      if (message.type === 'progress') this.#tell(message.event);
      else if (message.type === 'engine' || message.type === 'listen') void this.#host.serve(supervisor, message);
      else if (message.type === 'ready') onReady(message);
      else if (message.type !== 'fatal') return;
      else if (this.#canDoWithout(message.problem))
        this.#startWithout(message.problem, supervisor, onReady, onFailure).catch(onFailure);
      else onFailure(new VarkaError(message.problem));
    });
    closeSync(log);
    this.#supervisor = supervisor;
    this.#userImages.watch((entries) => supervisor.replaceImages(entries));
    await this.#writeRuntime();
    const isCurrent = (): boolean => this.#supervisor === supervisor;
    void supervisor.exited.then((detail) => isCurrent() && this.#supervisorGone(detail, onFailure));
    Promise.all(this.#listeners.map((listener) => supervisor.handOver(listener))).catch(
      (error: unknown) => isCurrent() && onFailure(error),
    );
  }

  #assertWanted(): void {
    if (this.#stopAsked) throw problem('stopped-early', { name: this.#options.profile.name });
  }

  /** Namespaces could be made, but what pods need in them is missing: found out only inside. */
  #canDoWithout({ name }: Problem): boolean {
    return name === 'no-pod-network' && this.#options.sandbox === 'auto' && this.#sandbox.kind === 'netns';
  }

  async #startWithout(
    { what, why }: Problem,
    supervisor: SupervisorProcess,
    onReady: (message: ReadyMessage) => void,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    this.#supervisor = undefined;
    await supervisor.kill();
    // The sockets went with it.
    const reopen = async (listener: Listener) => ({ ...listener, server: await listenOn('127.0.0.1', listener.port) });
    this.#listeners = await Promise.all(this.#listeners.map(reopen));
    this.#sandbox = { kind: 'loopback', reason: `${what}; ${why}` };
    this.#tellSandbox(0);
    await this.#launch(onReady, onFailure);
  }

  async #ready(tryPath: string | undefined, complete: boolean): Promise<Ready> {
    if (this.#phase === 'starting') this.#phase = complete ? 'ready' : 'incomplete';
    await this.#writeRuntime(); // now with PID 1 of the namespaces
    const readyMs = sinceCommand();
    const addresses = this.#addresses();
    const tryUrl = tryPath === undefined ? undefined : `${addresses.gateway.http}${tryPath}`;
    const answer = tryUrl === undefined || !complete ? undefined : await firstAnswer(tryUrl, sinceCommand);
    return {
      pid: process.pid,
      profile: this.#options.profile.name,
      ...addresses,
      complete,
      readyMs,
      tryUrl,
      firstAnswer: answer,
    };
  }

  /** What is other than one would expect is told as a note. */
  #tellSandbox(ms: number): void {
    const label = describeSandbox(this.#sandbox);
    if (this.#sandbox.kind === 'netns') this.#tell({ kind: 'done', step: 'sandbox', label, ms });
    else this.#tell({ kind: 'note', label });
  }

  #sandboxConfig(): SandboxConfig {
    if (this.#sandbox.kind === 'netns') return this.#sandbox;
    this.#fabric ??= createFabricDirectory();
    return { kind: 'loopback', directory: this.#fabric };
  }

  #supervisorGone(detail: string, onFailure: (error: unknown) => void): void {
    const { profile } = this.#options;
    const error = problem('supervisor-died', { detail, log: this.logFile, flag: profileFlag(profile.name) });
    if (!this.#started) {
      onFailure(this.#stopAsked ? problem('stopped-early', { name: profile.name }) : error);
      return;
    }
    if (this.#phase === 'stopping') return;
    this.#phase = 'stopping';
    void this.#cleanUp().then(() => this.#finish(error));
  }

  async #stop(): Promise<void> {
    this.#phase = 'stopping';
    this.#userImages.close();
    // What is half open cannot be closed yet; `start` closes it, sees that a stop was asked for, and goes no further.
    await this.#opening?.catch(() => undefined);
    const supervisor = this.#supervisor;
    if (supervisor !== undefined) {
      const timer = setTimeout(() => {
        this.#tell({ kind: 'note', label: `not everything ended within ${STOP_TIMEOUT_MS / 1000} s; ending it now` });
        void supervisor.kill();
      }, STOP_TIMEOUT_MS);
      supervisor.requestStop();
      await supervisor.exited;
      clearTimeout(timer);
    }
    this.#tell({ kind: 'note', label: `profile "${this.#options.profile.name}" stopped` });
    await this.#cleanUp();
    this.#finish(undefined);
  }

  /** For `varka down`: the answer ends when all is gone; the socket that carries it closes last. */
  async #stopFor(report: (event: ProgressEvent) => void): Promise<void> {
    this.#watchers.add(report);
    const stopped = this.stop();
    await (this.#supervisor?.exited ?? stopped);
  }

  async #cleanUp(): Promise<void> {
    this.#phase = 'stopping';
    this.#userImages.close();
    this.#host.close();
    for (const { server } of this.#listeners) if (server.listening) server.close();
    this.#claim?.release();
    await this.#supervisor?.kill();
    this.#removeFabric(this.#fabric);
    const [release, control] = [this.#release, this.#control];
    this.#release = undefined;
    this.#control = undefined;
    // Only the holder of the lock may touch these files: they may be another front's.
    if (release !== undefined) {
      removeRuntime(this.#options.profile);
      release();
    }
    await control?.close();
  }

  #removeFabric(directory: string | undefined): void {
    if (directory === undefined || removeFabric(directory)) return;
    this.#tell({ kind: 'note', label: `processes of pods go on after SIGKILL; ${directory} stays until they end` });
  }

  /** A front that was killed takes its supervisor with it; should that still be ending, it is waited for. */
  async #recover(holder: LockHolder): Promise<void> {
    const { profile } = this.#options;
    const runtime = readRuntime(profile);
    const left = (runtime?.supervisor ?? []).filter(isAlive);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    if (!(await waitUntilGone(left, STALE_TIMEOUT_MS)))
      throw new Error(`process ${left.map(({ pid }) => pid).join(', ')} of an earlier mesh does not end`);
    this.#removeFabric(runtime?.fabric);
    removeRuntime(profile);
    this.#tell({ kind: 'note', label: `the mesh of pid ${holder.pid} ended without cleaning up; recovered` });
  }

  #alreadyRunning({ pid, startedAt }: LockHolder): VarkaError {
    const { name, home } = this.#options.profile;
    let other = name === 'default' ? 'second' : `${name}-2`;
    while (existsSync(join(home, other))) other += 'x';
    return problem('profile-running', {
      name,
      pid,
      since: new Date(startedAt).toLocaleString('sv'),
      flag: profileFlag(name),
      other,
    });
  }

  #addresses(): Addresses {
    return addressesOf(this.#options.profile, this.#ports);
  }

  #writeRuntime(): Promise<void> {
    const { profile } = this.#options;
    const startedAt = this.#startedAt.toISOString();
    return writeRuntime(profile, {
      profile: profile.name,
      startedAt,
      ...this.#addresses(),
      supervisor: this.#supervisor?.processes() ?? [],
      ...(this.#fabric === undefined ? {} : { fabric: this.#fabric }),
    });
  }

  async #status(): Promise<StatusDocument> {
    const nothingYet: MeshStatus = { pods: [], entrances: [], proxies: [], findings: [] };
    const mesh = this.#supervisor === undefined ? nothingYet : ((await this.#ask('status')) as MeshStatus);
    const { profile } = this.#options;
    return {
      profile: profile.name,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      phase: phaseOf(this.#phase, mesh),
      version: VERSION,
      ...this.#addresses(),
      sandbox: this.#sandbox.kind,
      ...(this.#sandbox.kind === 'netns' ? { privilege: this.#sandbox.privilege } : {}),
      ...mesh,
    };
  }

  #ask(query: 'status' | 'syncz'): Promise<unknown> {
    if (this.#supervisor === undefined) return Promise.reject(new Error('the supervisor has not started yet'));
    return this.#supervisor.query(query);
  }

  #tell(event: ProgressEvent): void {
    this.#report(event);
    for (const watcher of this.#watchers) watcher(event);
  }
}

/** From when the command was typed: the launcher's start, which may have been another process. */
function sinceCommand(): number {
  const started = Number(process.env['VARKA_STARTED_AT']);
  return (
    performance.timeOrigin +
    performance.now() -
    (Number.isFinite(started) && started > 0 ? started : performance.timeOrigin)
  );
}

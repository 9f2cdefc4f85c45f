// One container through its life: prepared, started, probed, restarted by policy, stopped.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, timestamp } from '@varka/kube/client/clock.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { Container, LifecycleHandler } from 'kubernetes-types/core/v1.d.ts';
import type { PodSandbox } from '../sandbox/pod-network.ts';
import { type AttendanceListener, attend } from './container-attendance.ts';
import { ContainerLog, rotatedPath } from './container-log.ts';
import { type ContainerPlan, FIRST_SIZE, onTerminal } from './container-plan.ts';
import { type EventType, type PreparationHost, prepareContainer } from './container-preparation.ts';
import { ContainerProcess, type ExitStatus, StartError } from './container-process.ts';
import { runCommand, runHook } from './hooks.ts';
import type { ContainerReport, ContainerState, Terminated } from './pod-status.ts';
import type { ProbeTarget } from './prober.ts';
import { afterExit, goSeconds, NO_CRASHES, type RestartPolicy, shouldRestart } from './restart-backoff.ts';

/** containerd's exit code for a program that could not be started. */
const START_ERROR_CODE = 128;
/** The kubelet leaves a container this much after its preStop hook used up the grace period. */
const MIN_GRACE_MS = 2_000;

/** What a runner needs of its pod. */
export interface RunnerHost extends PreparationHost {
  sandbox(): PodSandbox;
  readonly probeSource: string;
  readonly log: Logger;
  /** Where this container's files go. */
  readonly directory: string;
  pod(): Pod;
  changed(): void;
}

/** What an earlier life of the supervisor left in the pod's status. */
export interface Restored {
  readonly restartCount: number;
  readonly last?: Terminated;
}

/** One run of a container, for those who join it: `kubectl exec` and `attach`. */
export interface RunningContainer {
  readonly plan: ContainerPlan;
  readonly process: ContainerProcess;
  /** Milliseconds. */
  readonly startedAt: number;
  /** Aborts when this run is over. */
  readonly ended: AbortSignal;
}

export class ContainerRunner {
  readonly spec: Container;
  readonly #host: RunnerHost;
  readonly #policy: RestartPolicy;
  readonly #stopping = new AbortController();
  readonly #launched = Promise.withResolvers<void>();
  readonly #up = Promise.withResolvers<void>();
  readonly #finished = Promise.withResolvers<void>();
  #state: ContainerState;
  #last: Terminated | undefined;
  #restartCount: number;
  #isStarted = false;
  #imageId = '';
  #started = false;
  #ready = false;
  #log: ContainerLog | undefined;
  #running: RunningContainer | undefined;
  #killing: Promise<void> | undefined;

  constructor(host: RunnerHost, spec: Container, policy: RestartPolicy, restored?: Restored) {
    this.#host = host;
    this.spec = spec;
    this.#policy = policy;
    const hasInit = (host.pod().spec?.initContainers ?? []).length > 0;
    this.#state = { kind: 'waiting', reason: hasInit ? 'PodInitializing' : 'ContainerCreating' };
    this.#restartCount = restored?.restartCount ?? 0;
    this.#last = restored?.last;
  }

  /** Its first run has begun, postStart hook included, or has failed to. */
  get launched(): Promise<void> {
    return this.#launched.promise;
  }

  /** It runs and its startup probe, if any, has succeeded: what a sidecar owes those that start after it. */
  get up(): Promise<void> {
    return this.#up.promise;
  }

  /** It has ended and will not be started again. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  get exitCode(): number | undefined {
    return this.#state.kind === 'terminated' ? this.#state.exitCode : undefined;
  }

  report(): ContainerReport {
    return {
      name: this.spec.name,
      image: this.spec.image ?? '',
      state: this.#state,
      ...(this.#last === undefined ? {} : { last: this.#last }),
      restartCount: this.#restartCount,
      ready: this.#ready,
      started: this.#started,
      imageId: this.#imageId,
    };
  }

  /** The run that is on, while it is on. */
  get running(): RunningContainer | undefined {
    return this.#running;
  }

  /** The log of the run that is on, while it is on. */
  get liveLog(): ContainerLog | undefined {
    return this.#log;
  }

  logPath(restart: number): string {
    return join(this.#host.directory, `${restart}.log`);
  }

  get restartCount(): number {
    return this.#restartCount;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  start(): void {
    this.#isStarted = true;
    this.#state = { kind: 'waiting', reason: 'ContainerCreating' };
    this.#run()
      .catch((error: unknown) => {
        this.#host.log.error('a container’s supervision failed', { container: this.spec.name, error: String(error) });
        this.#wait('CreateContainerError', String(error));
      })
      .finally(() => {
        this.#launched.resolve();
        this.#up.resolve();
        this.#finished.resolve();
      });
  }

  /** Ends it for good: preStop and SIGTERM, and SIGKILL when the grace is over. May be called again with less. */
  async stop(graceMs: number): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      if (this.#running !== undefined) {
        this.#event('Normal', 'Killing', `Stopping container ${this.spec.name}`);
      }
    }
    await this.#kill(graceMs);
    await this.#finished.promise;
  }

  async #run(): Promise<void> {
    let backoff = NO_CRASHES;
    const { clock } = this.#host;
    while (!this.#stopping.signal.aborted) {
      const plan = await prepareContainer({
        host: this.#host,
        spec: this.spec,
        stop: this.#stopping.signal,
        wait: (reason, message) => {
          this.#wait(reason, message);
          this.#launched.resolve();
        },
      });
      if (plan === undefined) return;
      this.#imageId = plan.imageId;
      const startedAt = clock.now();
      const end = await this.#runOnce(plan);
      this.#started = false;
      this.#ready = false;
      this.#state = end;
      this.#launched.resolve();
      if (this.#stopping.signal.aborted || !shouldRestart(this.#policy, end.exitCode)) {
        this.#ready = end.exitCode === 0 && this.#policy !== 'Always';
        this.#host.changed();
        return;
      }
      const next = afterExit(backoff, clock.now() - startedAt);
      backoff = next.state;
      this.#last = end;
      if (next.delayMs > 0) {
        const { name = '', namespace = '', uid = '' } = this.#host.pod().metadata ?? {};
        const what = `${this.spec.name} pod=${name}_${namespace}(${uid})`;
        this.#wait('CrashLoopBackOff', `back-off ${goSeconds(next.delayMs)} restarting failed container=${what}`);
        this.#event(
          'Warning',
          'BackOff',
          `Back-off restarting failed container ${this.spec.name} in pod ${name}_${namespace}(${uid})`,
        );
        await sleep(clock, next.delayMs, this.#stopping.signal);
        if (this.#stopping.signal.aborted) {
          this.#state = end;
          this.#host.changed();
          return;
        }
      } else {
        this.#host.changed();
      }
      this.#restartCount += 1;
    }
  }

  async #runOnce(plan: ContainerPlan): Promise<Terminated> {
    const { clock } = this.#host;
    const { name } = this.spec;
    const containerId = `varka://${randomBytes(32).toString('hex')}`;
    const startedAt = timestamp(clock);
    const terminated = (status: ExitStatus, reason: string, message?: string): Terminated => ({
      kind: 'terminated',
      ...status,
      reason,
      ...(message === undefined ? {} : { message }),
      startedAt,
      finishedAt: timestamp(clock),
      containerId,
    });
    let log: ContainerLog | undefined;
    const attempt = new AbortController();
    try {
      this.#dropOldLogs();
      log = new ContainerLog(
        this.logPath(this.#restartCount),
        () => clock.now(),
        (error) => this.#host.log.warn('container output is being lost', { container: name, error: error.message }),
      );
      this.#log = log;
      const process = await this.#startProcess(plan, log);
      this.#running = { plan, process, startedAt: clock.now(), ended: attempt.signal };
      this.#event('Normal', 'Created', `Created container: ${name}`);
      this.#event('Normal', 'Started', `Started container ${name}`);
      this.#state = { kind: 'running', startedAt, containerId };
      if (this.#stopping.signal.aborted) process.kill();
      this.#attend(plan, attempt.signal);
      this.#host.changed();
      const status = await process.exited;
      return terminated(status, status.exitCode === 0 ? 'Completed' : 'Error');
    } catch (error) {
      if (!(error instanceof StartError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
      const message = `failed to start container "${name}": ${(error as Error).message}`;
      this.#event('Warning', 'Failed', `Error: ${message}`);
      return terminated({ exitCode: START_ERROR_CODE }, 'StartError', message);
    } finally {
      attempt.abort();
      this.#running = undefined;
      this.#killing = undefined;
      this.#log = undefined;
      log?.close();
    }
  }

  async #startProcess(plan: ContainerPlan, log: ContainerLog): Promise<ContainerProcess> {
    const { stdin, tty } = this.spec;
    const process = await ContainerProcess.start(this.#host.sandbox(), tty === true ? onTerminal(plan) : plan, {
      stdin: stdin === true ? 'pipe' : 'none',
      ...(tty === true ? { terminal: FIRST_SIZE } : {}),
    });
    process.onOutput((stream, chunk) => log.write(stream, chunk));
    return process;
  }

  #attend(plan: ContainerPlan, signal: AbortSignal): void {
    const listener: AttendanceListener = {
      warn: (reason, message) => this.#event('Warning', reason, message),
      onLaunched: () => this.#launched.resolve(),
      onStarted: () => this.#setStarted(),
      onReady: (ready) => {
        this.#ready = ready;
        this.#host.changed();
      },
      onFailed: (why, graceSeconds) => this.#beside(this.#restart(why, graceSeconds)),
    };
    this.#beside(attend(this.spec, this.#target(plan), listener, this.#host.clock, signal));
  }

  /** How its hooks and probes reach it. */
  #target(plan: ContainerPlan): ProbeTarget {
    const sandbox = this.#host.sandbox();
    return {
      podIp: sandbox.ip,
      sourceAddress: this.#host.probeSource,
      container: this.spec,
      exec: (command, timeoutMs, signal) => runCommand(sandbox, plan, command, timeoutMs, signal),
    };
  }

  /** Work that nothing waits for; a mistake in it must be seen and must not end the supervisor. */
  #beside(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#host.log.error('attending to a container failed', { container: this.spec.name, error: String(error) });
    });
  }

  #setStarted(): void {
    this.#started = true;
    this.#ready = this.spec.readinessProbe === undefined;
    this.#up.resolve();
    this.#host.changed();
  }

  /** Ends this run only; the loop starts the next by policy. */
  async #restart(why: string, graceSeconds?: number): Promise<void> {
    this.#event('Normal', 'Killing', why);
    const grace = graceSeconds ?? this.#host.pod().spec?.terminationGracePeriodSeconds ?? 30;
    await this.#kill(grace * 1000);
  }

  async #kill(graceMs: number): Promise<void> {
    const process = this.#running?.process;
    if (process === undefined) return;
    const { clock } = this.#host;
    const gone = new AbortController();
    void process.exited.finally(() => gone.abort());
    if (graceMs <= 0) {
      process.kill();
    } else {
      // Asked again with less grace (kubectl delete --grace-period=1), the shorter time holds.
      const limit = this.#killing === undefined ? graceMs + MIN_GRACE_MS : graceMs;
      this.#killing ??= this.#killGently(process, graceMs, gone.signal);
      await Promise.race([this.#killing, sleep(clock, limit, gone.signal)]);
      if (!gone.signal.aborted) process.kill();
    }
    await process.exited;
  }

  async #killGently(process: ContainerProcess, graceMs: number, gone: AbortSignal): Promise<void> {
    const { clock } = this.#host;
    const deadline = clock.now() + graceMs;
    const hook = this.spec.lifecycle?.preStop;
    if (hook !== undefined && this.#running !== undefined) {
      const result = await this.#preStop(hook, this.#running.plan, graceMs, gone);
      if (!result.ok && !gone.aborted) {
        this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`);
      }
    }
    process.signal('SIGTERM');
    const left = deadline - clock.now();
    await sleep(clock, hook === undefined ? left : Math.max(left, MIN_GRACE_MS), gone);
  }

  async #preStop(hook: LifecycleHandler, plan: ContainerPlan, graceMs: number, gone: AbortSignal) {
    const { clock } = this.#host;
    const over = new AbortController();
    const timer = clock.after(graceMs, () => over.abort());
    try {
      return await runHook(hook, this.#target(plan), clock, AbortSignal.any([gone, over.signal]));
    } finally {
      timer.cancel();
    }
  }

  /** The kubelet keeps one ended run beside the current one (`kubectl logs --previous`). */
  #dropOldLogs(): void {
    const old = this.logPath(this.#restartCount - 2);
    rmSync(old, { force: true });
    rmSync(rotatedPath(old), { force: true });
  }

  #wait(reason: string, message: string): void {
    this.#state = { kind: 'waiting', reason, message };
    this.#host.changed();
  }

  #event(type: EventType, reason: string, message: string): void {
    this.#host.event(type, reason, message);
  }
}

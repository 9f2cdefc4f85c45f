// What containers and the machine use right now, from the counters that the kernel keeps (`kubectl top`).
import { readFileSync } from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { NodeUsage, PodUsage, Usage } from '@varka/kube/server/pod-backend.ts';
import { type ProcessEntry, processTable } from '../sandbox/processes.ts';

/** metrics-server's own resolution. */
const INTERVAL_MS = 15_000;
/** Over less than this the clock's ticks say little. */
const MIN_WINDOW_MS = 1_000;
/** USER_HZ, which Linux keeps at 100 for all that read /proc (proc(5)). */
const TICK_MS = 10;

/** A container that runs: the leader of its session, and since when, in milliseconds. */
export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly startedAt: number;
}

/** A pod, and its containers if they all run. */
export interface MeasuredPod {
  readonly pod: Pod;
  readonly running: readonly RunningProcess[];
}

interface Sample {
  readonly at: number;
  /** Clock ticks by session: a container is the session that its first process leads. */
  readonly sessions: ReadonlyMap<number, number>;
  readonly machineMs: number;
}

/** What is read from the machine; tests give their own. */
export interface Counters {
  now(): number;
  processes(): readonly ProcessEntry[];
  /** CPU time of all processors that was not idle, since the machine's start, in milliseconds. */
  machineMs(): number;
  memoryBytes(pid: number): number;
}

const kernel: Omit<Counters, 'now'> = {
  processes: () => (process.platform === 'linux' ? processTable() : []),
  machineMs: () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0),
  memoryBytes: proportionalMemory,
};

export class UsageMeter {
  readonly #counters: Counters;
  #samples: readonly Sample[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number, counters: Omit<Counters, 'now'> = kernel) {
    this.#counters = { ...counters, now };
    this.sample();
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Two are kept, so that one of them is old enough to measure from. */
  sample(): void {
    this.#samples = [this.#take(), ...this.#samples].slice(0, 2);
  }

  /** Those whose containers all run, and long enough. */
  pods(measured: Iterable<MeasuredPod>): PodUsage[] {
    const current = this.#take();
    const processes = this.#counters.processes();
    return [...measured].flatMap(({ pod, running }) => {
      const usages = running.map((one) => ({ name: one.name, ...this.#container(one, current, processes) }));
      const windows = usages.flatMap(({ windowMs }) => (windowMs === undefined ? [] : [windowMs]));
      if (usages.length === 0 || windows.length < usages.length) return [];
      const containers = usages.map(({ name, cpuNanocores = 0, memoryBytes = 0 }) => ({
        name,
        cpuNanocores,
        memoryBytes,
      }));
      const { namespace = '', name = '' } = pod.metadata ?? {};
      return [{ namespace, name, takenAt: current.at, windowMs: Math.min(...windows), containers }];
    });
  }

  /** The whole machine, as the kubelet has it: not only what runs in pods. */
  nodes(name: string): NodeUsage[] {
    const current = this.#take();
    const before = this.#samples.find(({ at }) => current.at - at >= MIN_WINDOW_MS);
    if (before === undefined) return [];
    const windowMs = current.at - before.at;
    const cpuNanocores = ((current.machineMs - before.machineMs) / windowMs) * 1e9;
    return [{ name, takenAt: current.at, windowMs, cpuNanocores, memoryBytes: totalmem() - freemem() }];
  }

  #container(
    { pid, startedAt }: RunningProcess,
    current: Sample,
    processes: readonly ProcessEntry[],
  ): Partial<Usage & { readonly windowMs: number }> {
    const ticks = current.sessions.get(pid);
    if (ticks === undefined) return {};
    // It began with nothing used; a sample from before that may have counted another process of this number.
    const begin = { at: startedAt, ticks: 0 };
    const samples = this.#samples.filter(({ at }) => at > startedAt);
    const before = [...samples.map(({ at, sessions }) => ({ at, ticks: sessions.get(pid) ?? 0 })), begin].find(
      ({ at }) => current.at - at >= MIN_WINDOW_MS,
    );
    if (before === undefined) return {};
    const windowMs = current.at - before.at;
    const cpuNanocores = Math.max(0, (ticks - before.ticks) * TICK_MS * 1e9) / windowMs;
    const memoryBytes = processes
      .filter(({ session }) => session === pid)
      .reduce((sum, one) => sum + this.#counters.memoryBytes(one.pid), 0);
    return { windowMs, cpuNanocores, memoryBytes };
  }

  #take(): Sample {
    const sessions = new Map<number, number>();
    for (const { session, ticks } of this.#counters.processes())
      sessions.set(session, (sessions.get(session) ?? 0) + ticks);
    return { at: this.#counters.now(), sessions, machineMs: this.#counters.machineMs() };
  }
}

/** PSS: what processes share is counted in parts, so that the containers' figures add up. RSS where it is not told. */
function proportionalMemory(pid: number): number {
  const kibibytes = (file: string, field: RegExp): number | undefined => {
    try {
      const found = field.exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1];
      return found === undefined ? undefined : Number(found);
    } catch (error) {
      // Ended since the listing, a kernel without the file, or a process that may not be looked into.
      if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined;
      throw error;
    }
  };
  return 1024 * (kibibytes('smaps_rollup', /^Pss:\s+(\d+)/m) ?? kibibytes('status', /^VmRSS:\s+(\d+)/m) ?? 0);
}

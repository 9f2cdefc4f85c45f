// A load run: threads that each call over a connection of their own, and what comes of it.
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, isOk, type Outcome, secondsSince } from './client.ts';
import { formatDuration, formatG } from './go-format.ts';
import { Counter, Histogram } from './histogram.ts';
import type { Log } from './log.ts';
import { dueAt, type Pace, type Plan, planOf } from './pace.ts';
import { type Target, VERSION } from './target.ts';

export interface RunOptions extends Pace {
  readonly timeoutMs: number;
  readonly keepAlive: boolean;
  readonly http10: boolean;
  readonly insecure: boolean;
  readonly allowInitialErrors: boolean;
  /** 0: none. */
  readonly abortOn: number;
  /** ±10 % on every sleep. */
  readonly jitter: boolean;
  /** Threads begin one after the other within an interval. */
  readonly uniform: boolean;
  readonly noCatchUp: boolean;
  readonly resolution: number;
  readonly quiet: boolean;
  readonly log: Log;
  /** A line of the report, on standard error. */
  print(line: string): void;
  readonly stop: AbortSignal;
}

export interface RunResult {
  readonly startTime: Date;
  readonly durationNs: number;
  readonly plan: Plan;
  readonly warmUpCalls: number;
  readonly calls: number;
  readonly durations: Histogram;
  readonly errors: Histogram;
  readonly sizes: Histogram;
  readonly headerSizes: Histogram;
  readonly sleeps: Counter;
  readonly sleptTooLate: number;
  /** How many calls ended with each status; -1: with none. */
  readonly codes: ReadonlyMap<number, number>;
  readonly clients: readonly Client[];
}

/** The warm-up failed, so the run was not begun. */
export class WarmUpError extends Error {
  override readonly name = 'WarmUpError';
}

export async function run(target: Target, options: RunOptions): Promise<RunResult> {
  const { qps, exactly, durationMs, print, log } = options;
  const plan = planOf(options);
  const { threads, callsPerThread, leftOver } = plan;
  const length =
    exactly > 0
      ? `for ${exactly} calls`
      : durationMs === 0
        ? 'until interrupted'
        : `for ${formatDuration(durationMs * 1e6)}`;
  const cores = availableParallelism();
  print(
    `Fortio ${VERSION} running at ${formatG(qps)} queries per second, ${cores}->${cores} procs, ${length}: ${target.url}`,
  );
  for (const warning of plan.warnings) log.warning(warning);
  const clients = Array.from({ length: threads }, (_, thread) => {
    const { timeoutMs, keepAlive, http10, insecure, resolution } = options;
    return new Client(target, { timeoutMs, keepAlive, http10, insecure, resolution, log, thread, keepAnswer: false });
  });
  // With an exact number of calls there is none besides them.
  const warmUpCalls = exactly > 0 ? 0 : threads;
  if (warmUpCalls > 0) await warmUp(target, clients, options);
  if (!options.quiet) print(startLine(options, plan, cores));

  const result = new Recording(options.resolution);
  const startTime = new Date();
  const begin = performance.now();
  const end = exactly > 0 || durationMs === 0 ? Number.POSITIVE_INFINITY : begin + durationMs;
  const stopping = new AbortController();
  const stop = AbortSignal.any([options.stop, stopping.signal]);
  await Promise.all(
    clients.map(async (client, thread) => {
      const calls = callsPerThread === undefined ? undefined : callsPerThread + (thread === 0 ? leftOver : 0);
      await runThread(client, { ...options, calls, thread, threads, end, stop, result, abort: () => stopping.abort() });
      client.close();
    }),
  );
  const durationNs = (performance.now() - begin) * 1e6;
  const calls = result.durations.counter.count;
  if (!options.quiet) {
    print(`Ended after ${formatDuration(durationNs)} : ${calls} calls. qps=${formatG(calls / (durationNs / 1e9), 5)}`);
  }
  return { startTime, durationNs, plan, warmUpCalls, calls, clients, ...result.all() };
}

function startLine({ qps, exactly, durationMs }: RunOptions, plan: Plan, cores: number): string {
  const { threads, callsPerThread, leftOver } = plan;
  const who = `with ${threads} thread(s) [gomax ${cores}]`;
  const time = durationMs === 0 ? 'until interrupted' : `for ${formatDuration(durationMs * 1e6)}`;
  if (qps === 0) {
    return exactly > 0
      ? `Starting at max qps ${who} for exactly ${exactly} calls (${callsPerThread} per thread + ${leftOver})`
      : `Starting at max qps ${who} ${time}`;
  }
  const total = (callsPerThread ?? 0) * threads;
  if (exactly > 0) {
    return `Starting at ${formatG(qps)} qps ${who} : exactly ${exactly}, ${callsPerThread} calls each (total ${total} + ${leftOver})`;
  }
  const each = callsPerThread === undefined ? '' : ` : ${callsPerThread} calls each (total ${total})`;
  return `Starting at ${formatG(qps)} qps ${who} ${time}${each}`;
}

async function warmUp(target: Target, clients: readonly Client[], { allowInitialErrors }: RunOptions): Promise<void> {
  const outcomes = await Promise.all(clients.map((client) => client.fetch()));
  const failed = outcomes.find(({ code }) => !isOk(code));
  if (failed === undefined || allowInitialErrors) return;
  for (const client of clients) client.close();
  throw new WarmUpError(`error ${failed.code} for ${target.url} (${failed.bytes} bytes)`);
}

interface ThreadOptions extends RunOptions {
  readonly calls: number | undefined;
  readonly thread: number;
  readonly end: number;
  readonly result: Recording;
  abort(): void;
}

async function runThread(client: Client, options: ThreadOptions): Promise<void> {
  const { calls, thread, threads, qps, end, stop, result, jitter, noCatchUp } = options;
  const perThread = qps / threads;
  if (options.uniform && qps > 0) await sleep((thread * 1000) / qps, stop);
  let begin = performance.now();
  for (let made = 0; calls === undefined || made < calls; ) {
    const at = performance.now();
    if (stop.aborted || at >= end) return;
    const outcome = await client.fetch();
    result.add(outcome, secondsSince(at));
    made += 1;
    if (options.abortOn !== 0 && outcome.code === options.abortOn) options.abort();
    if (qps === 0 || made === calls) continue;
    const behind = performance.now() - begin;
    let wait = dueAt(made, calls, perThread) * 1000 - behind;
    if (jitter) wait += (wait / 10) * (2 * Math.random() - 1);
    result.slept(wait / 1000);
    // What could not be made in time is not made up for: the whole plan moves.
    if (wait < 0 && noCatchUp) begin -= wait;
    await sleep(Math.min(wait, end - performance.now()), stop);
  }
}

async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  if (ms <= 0 || stop.aborted) return;
  // An aborted sleep is a thread that is to end, which it sees for itself.
  await pause(ms, undefined, { signal: stop }).catch(() => undefined);
}

class Recording {
  readonly durations: Histogram;
  readonly #errors: Histogram;
  readonly #sizes = new Histogram(1);
  readonly #headerSizes = new Histogram(1);
  readonly #sleeps = new Counter();
  readonly #codes = new Map<number, number>();
  #sleptTooLate = 0;

  constructor(resolution: number) {
    this.durations = new Histogram(resolution);
    this.#errors = new Histogram(resolution);
  }

  add({ code, bytes, headerBytes }: Outcome, seconds: number): void {
    this.durations.record(seconds);
    if (!isOk(code)) this.#errors.record(seconds);
    this.#sizes.record(bytes);
    this.#headerSizes.record(headerBytes);
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  slept(seconds: number): void {
    this.#sleeps.record(seconds);
    if (seconds < 0) this.#sleptTooLate += 1;
  }

  all() {
    return {
      durations: this.durations,
      errors: this.#errors,
      sizes: this.#sizes,
      headerSizes: this.#headerSizes,
      sleeps: this.#sleeps,
      sleptTooLate: this.#sleptTooLate,
      codes: this.#codes,
    };
  }
}

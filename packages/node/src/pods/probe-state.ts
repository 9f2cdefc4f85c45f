// When to probe next and what the results so far mean: a probe's thresholds as a pure state machine.
import type { Probe } from 'kubernetes-types/core/v1.d.ts';

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

/** core/v1 Probe with its defaults filled in. */
export interface ProbeTiming {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export interface ProbeState {
  readonly verdict: 'unknown' | 'success' | 'failure';
  /** In a row, towards the thresholds. */
  readonly successes: number;
  readonly failures: number;
  readonly everSucceeded: boolean;
  /** Attempts before the first success. */
  readonly eagerAttempts: number;
  /** Failures before this moment mean nothing: the program was given the time. */
  readonly countsFrom: number;
  /** When a failure last counted. */
  readonly countedAt: number;
  readonly nextDelayMs: number;
}

export interface ProbeStep {
  readonly state: ProbeState;
  /** False for a failure that came too early to mean anything: it is neither counted nor reported. */
  readonly counted: boolean;
}

const EAGER_FIRST_MS = 100;
/** Attempts at the first pace: most programs are up within their second of life. */
const EAGER_QUICK = 10;
const EAGER_MAX_MS = 1_000;

export function timingOf(probe: Probe): ProbeTiming {
  const seconds = (value: number | undefined, fallback: number): number => Math.max(0, value ?? fallback) * 1000;
  return {
    initialDelayMs: seconds(probe.initialDelaySeconds, 0),
    periodMs: Math.max(1000, seconds(probe.periodSeconds, 10)),
    timeoutMs: Math.max(1000, seconds(probe.timeoutSeconds, 1)),
    successThreshold: Math.max(1, probe.successThreshold ?? 1),
    failureThreshold: Math.max(1, probe.failureThreshold ?? 3),
  };
}

/** A liveness probe without a delay of its own leaves a program its first second: refusals then mean nothing. */
const LIVENESS_MIN_DELAY_MS = 1_000;

/** `now` is when the container's process started, or a startup probe let the others begin. */
export function firstProbe(kind: ProbeKind, timing: ProbeTiming, now: number): ProbeState {
  return {
    verdict: 'unknown',
    successes: 0,
    failures: 0,
    everSucceeded: false,
    eagerAttempts: 0,
    countsFrom: now + timing.initialDelayMs,
    countedAt: Number.NEGATIVE_INFINITY,
    nextDelayMs: kind === 'liveness' ? Math.max(timing.initialDelayMs, LIVENESS_MIN_DELAY_MS) : 0,
  };
}

/**
 * Takes one result in. Varka's one deliberate difference from the kubelet: startup and readiness probes ask at once and,
 * until their first success, every 100 ms for a second, then less and less often down to once a second, so that a pod is
 * ready within milliseconds of its program. `initialDelaySeconds` is how long failures do not count, and after it they
 * count, and are reported, only once a period, so thresholds keep their meaning in seconds. Liveness probes, which end
 * what they find wanting, keep their delay.
 */
export function observe(kind: ProbeKind, timing: ProbeTiming, before: ProbeState, ok: boolean, at: number): ProbeStep {
  const eager = kind !== 'liveness' && !before.everSucceeded;
  if (ok) {
    const successes = before.successes + 1;
    const reached = successes >= timing.successThreshold || before.verdict === 'success';
    return {
      counted: true,
      state: {
        ...before,
        verdict: reached ? 'success' : before.verdict,
        successes,
        failures: 0,
        everSucceeded: true,
        nextDelayMs: timing.periodMs,
      },
    };
  }
  const eagerAttempts = before.eagerAttempts + 1;
  const nextDelayMs = eager
    ? Math.min(
        timing.periodMs,
        EAGER_MAX_MS,
        EAGER_FIRST_MS * 2 ** Math.min(Math.max(0, before.eagerAttempts - EAGER_QUICK), 10),
      )
    : timing.periodMs;
  if (eager && at < before.countsFrom) {
    return { counted: false, state: { ...before, successes: 0, eagerAttempts, nextDelayMs } };
  }
  // The very first eager failure starts the period; it says no more than that the program is still starting.
  if (eager && before.countedAt === Number.NEGATIVE_INFINITY) {
    return { counted: false, state: { ...before, successes: 0, eagerAttempts, countedAt: at, nextDelayMs } };
  }
  if (eager && at - before.countedAt < timing.periodMs) {
    return { counted: false, state: { ...before, successes: 0, eagerAttempts, nextDelayMs } };
  }
  const failures = before.failures + 1;
  return {
    counted: true,
    state: {
      verdict: failures >= timing.failureThreshold ? 'failure' : before.verdict,
      successes: 0,
      failures,
      everSucceeded: before.everSucceeded,
      eagerAttempts,
      countsFrom: before.countsFrom,
      countedAt: at,
      nextDelayMs,
    },
  };
}

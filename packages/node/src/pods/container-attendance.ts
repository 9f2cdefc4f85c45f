// What goes on beside a container's process while it runs: its postStart hook, then its probes.
import type { Clock } from '@varka/kube/client/clock.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { runHook } from './hooks.ts';
import type { ProbeKind } from './probe-state.ts';
import { type ProbeListener, type ProbeTarget, runProbe } from './prober.ts';

export interface AttendanceListener {
  warn(reason: string, message: string): void;
  /** The postStart hook is over. */
  onLaunched(): void;
  /** The startup probe, if any, has succeeded. Without a readiness probe the container is ready, too. */
  onStarted(): void;
  /** The readiness probe's verdict. */
  onReady(ready: boolean): void;
  /** This run is to end. */
  onFailed(why: string, graceSeconds?: number): void;
}

/** Until `signal` aborts: this run of the container has ended. */
export async function attend(
  spec: Container,
  target: ProbeTarget,
  listener: AttendanceListener,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const probes = { startup: spec.startupProbe, readiness: spec.readinessProbe, liveness: spec.livenessProbe };
  const hook = spec.lifecycle?.postStart;
  if (hook !== undefined) {
    const result = await runHook(hook, target, clock, signal);
    if (!result.ok && !signal.aborted) {
      listener.warn('FailedPostStartHook', `PostStartHook failed: ${result.message}`);
      listener.onFailed(`Container ${spec.name} failed its postStart hook`);
    }
  }
  listener.onLaunched();
  if (signal.aborted) return;
  let started = probes.startup === undefined;
  const verdicts: ProbeListener = {
    onFailure: (kind, message) => {
      listener.warn('Unhealthy', `${kind[0]?.toUpperCase()}${kind.slice(1)} probe failed: ${message}`);
    },
    onVerdict: (kind, ok) => {
      if (signal.aborted) return;
      if (kind === 'readiness') {
        listener.onReady(ok);
      } else if (!ok) {
        const why = `Container ${spec.name} failed ${kind} probe, will be restarted`;
        listener.onFailed(why, probes[kind]?.terminationGracePeriodSeconds);
      } else if (kind === 'startup') {
        started = true;
      }
    },
  };
  const run = async (kind: ProbeKind): Promise<void> => {
    const probe = probes[kind];
    if (probe !== undefined) await runProbe(kind, probe, target, verdicts, clock, signal);
  };
  await run('startup');
  if (!started || signal.aborted) return;
  listener.onStarted();
  await Promise.all([run('readiness'), run('liveness')]);
}

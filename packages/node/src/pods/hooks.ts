// Lifecycle hooks and exec probes: a command in the container's surroundings, or a request to it.
import { type Clock, sleep } from '@varka/kube/client/clock.ts';
import type { LifecycleHandler } from 'kubernetes-types/core/v1.d.ts';
import type { PodSandbox } from '../sandbox/pod-network.ts';
import { type ContainerPlan, commandPlan } from './container-plan.ts';
import { ContainerProcess } from './container-process.ts';
import { httpGet, type ProbeResult, type ProbeTarget } from './prober.ts';

/** The kubelet keeps no more of a probe's output than this. */
const MAX_OUTPUT = 10 * 1024;

/** Runs a command with the container's environment; what it has started is over when this resolves. */
export async function runCommand(
  sandbox: PodSandbox,
  plan: ContainerPlan,
  command: readonly string[],
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<ProbeResult> {
  let output = '';
  let process: ContainerProcess;
  try {
    process = await ContainerProcess.start(sandbox, commandPlan(plan, command));
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
  process.onOutput((_stream, chunk) => {
    if (output.length < MAX_OUTPUT) output += chunk.toString('utf8', 0, MAX_OUTPUT);
  });
  const over = timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const kill = (): void => process.kill();
  if (over.aborted) kill();
  over.addEventListener('abort', kill);
  const { exitCode } = await process.exited;
  over.removeEventListener('abort', kill);
  if (exitCode === 0) return { ok: true };
  if (over.aborted) {
    const when = timeoutMs === undefined ? 'was not finished in time' : `timed out after ${timeoutMs / 1000}s`;
    return { ok: false, message: `command timed out: "${command.join(' ')}" ${when}` };
  }
  return { ok: false, message: output.trim() === '' ? `command exited with code ${exitCode}` : output.trim() };
}

export async function runHook(
  hook: LifecycleHandler,
  target: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (hook.exec !== undefined) return target.exec(hook.exec.command ?? [], undefined, signal);
  if (hook.httpGet !== undefined) return httpGet(hook.httpGet, target, signal);
  const pause = (hook as LifecycleHandler & { sleep?: { seconds?: number } }).sleep;
  if (pause !== undefined) {
    await sleep(clock, (pause.seconds ?? 0) * 1000, signal);
    return { ok: true };
  }
  return { ok: false, message: 'the hook has none of exec, httpGet, sleep: other kinds are not supported' };
}

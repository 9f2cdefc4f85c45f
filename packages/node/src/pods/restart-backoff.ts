// When a container that ended is started again (Kubernetes: "Container restarts", the CrashLoopBackOff delay).

export const BACKOFF_INITIAL_MS = 10_000;
export const BACKOFF_MAX_MS = 300_000;
/** "Once a container has executed for 10 minutes without any problems, the kubelet resets the restart backoff". */
export const BACKOFF_RESET_MS = 600_000;

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** How many ends in a row count against the container. */
export interface BackoffState {
  readonly crashes: number;
}

export const NO_CRASHES: BackoffState = { crashes: 0 };

export function shouldRestart(policy: RestartPolicy, exitCode: number): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** The first end is answered at once, the second after 10 s, then twice as long each time. */
export function afterExit(state: BackoffState, ranForMs: number): { state: BackoffState; delayMs: number } {
  const crashes = ranForMs >= BACKOFF_RESET_MS ? 0 : state.crashes;
  const delayMs = crashes === 0 ? 0 : Math.min(BACKOFF_INITIAL_MS * 2 ** Math.min(crashes - 1, 30), BACKOFF_MAX_MS);
  return { state: { crashes: crashes + 1 }, delayMs };
}

/** As Go prints a duration: 10s, 1m20s, 5m0s. */
export function goSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

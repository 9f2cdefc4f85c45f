// How every sandbox ends its processes: killed, looked for again, and told when the kernel keeps one.
import { setTimeout as delay } from 'node:timers/promises';
import { signalProcess } from './processes.ts';

/** A killed process is gone in well under this, unless the kernel holds it in the middle of some I/O. */
const KILL_PATIENCE_MS = 5_000;

/** Until `find` finds none, or patience ends; answers what is left. */
export async function endProcesses(find: () => number[]): Promise<number[]> {
  const deadline = Date.now() + KILL_PATIENCE_MS;
  let left = find();
  for (; left.length > 0 && Date.now() < deadline; left = find()) {
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    await delay(5);
  }
  return left;
}

/** Throws when there are some. */
export function assertEnded(left: readonly number[], ip: string): void {
  if (left.length === 0) return;
  throw new Error(`processes ${left.join(', ')} of the pod at ${ip} go on after SIGKILL: they wait in the kernel`);
}

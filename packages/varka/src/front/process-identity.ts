// Which process it was, so that a number that the system has given to another process since is not taken for it.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { bootId, processEntry } from '@varka/node/sandbox/processes.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the process's start; without /proc a date and time. */
  readonly startTime: string;
  /** Ticks begin anew with every boot. */
  readonly bootId: string;
}

/** undefined when it has ended, a zombie too. */
function startTimeOf(pid: number): string | undefined {
  const entry = processEntry(pid);
  return entry === undefined || entry.state === 'Z' || entry.state === 'X' ? undefined : entry.startTime;
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() };
}

/** Whether that very process is still there (a zombie is not). */
export function isAlive(process: ProcessIdentity): boolean {
  return process.bootId === bootId() && startTimeOf(process.pid) === process.startTime;
}

/** The processes that `pid` started and that still run, when the kernel tells (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): ProcessIdentity[] {
  let list: string;
  try {
    list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    return []; // gone, or not told
  }
  const pids = list.split(' ').filter((word) => word !== '');
  return pids.map((child) => identify(Number(child))).filter((child) => child !== undefined);
}

/** False when some of them are still there after `timeoutMs`. */
export async function waitUntilGone(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await setTimeout(10);
  }
  return true;
}

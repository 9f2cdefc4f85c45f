// Which process it was, so that a number that the system has given to another process since is not taken for it.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the process's start: field 22 of /proc/PID/stat, see proc_pid_stat(5). */
  readonly startTime: string;
  /** Ticks begin anew with every boot. */
  readonly bootId: string;
}

function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // gone, which is an answer
  }
  // The command name may hold spaces and brackets, so fields are counted from its closing bracket: state is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
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

// The processes this kernel shows us, and the two things a supervisor owes them: an end, and a burial.
import { readdirSync, readFileSync } from 'node:fs';
import { reap } from '../netlink/libc.ts';

export interface ProcessEntry {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** Since the machine started, in clock ticks; with the number it names one process. */
  readonly startTime: string;
  /** CPU time of its own and of children that it has waited for, in clock ticks. */
  readonly ticks: number;
}

/** Among what follows the session: field 22 of all. */
const START_TIME = 15;
/** Fields 14 to 17: utime, stime, cutime, cstime. */
const TIMES = [7, 8, 9, 10];

/** proc(5), /proc/PID/stat: `pid (command) state ppid pgrp session …`; the command may hold anything, `)` too. */
export function parseStat(stat: string): ProcessEntry | undefined {
  const close = stat.lastIndexOf(')');
  const [state = '', parent, , session, ...rest] = stat.slice(close + 2).split(' ');
  const pid = Number.parseInt(stat, 10);
  if (close < 0 || Number.isNaN(pid)) return undefined;
  const ticks = TIMES.reduce((sum, field) => sum + Number(rest[field] ?? 0), 0);
  return { pid, state, parent: Number(parent), session: Number(session), startTime: rest[START_TIME] ?? '', ticks };
}

export function processTable(): ProcessEntry[] {
  const table: ProcessEntry[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const found = processEntry(entry);
    if (found !== undefined) table.push(found);
  }
  return table;
}

/** undefined when there is no such process any more. */
export function processEntry(pid: string | number): ProcessEntry | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Gone since the listing.
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** False when there is no such process any more. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Everything a session's leader left behind: what its container started and did not end. */
export function killSession(leader: number): void {
  for (const { pid, session, state } of processTable()) {
    if (session === leader && state !== 'Z') signalProcess(pid, 'SIGKILL');
  }
}

const LOOK_AGAIN_MS = 1_000;

/**
 * As PID 1 of its namespace the supervisor inherits every orphan. Node waits for its own children only, and at once:
 * a dead child still listed at two looks a second apart is an orphan, and is taken off the list.
 */
export function reapOrphans(): { stop(): void } {
  let seen = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    const dead = processTable().filter(({ state, parent }) => state === 'Z' && parent === process.pid);
    seen = new Set(dead.filter(({ pid }) => !(seen.has(pid) && reap(pid))).map(({ pid }) => pid));
    if (seen.size > 0) schedule();
  };
  const schedule = (): void => {
    timer ??= setTimeout(look, LOOK_AGAIN_MS).unref();
  };
  process.on('SIGCHLD', schedule);
  return {
    stop: () => {
      process.off('SIGCHLD', schedule);
      clearTimeout(timer);
    },
  };
}

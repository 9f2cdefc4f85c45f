// The processes this machine shows us, and the two things a supervisor owes them: an end, and a burial.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { reap } from '../netlink/libc.ts';

export interface ProcessEntry {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** Since the machine started, in clock ticks, or without /proc a date; with the number it names one process. */
  readonly startTime: string;
  /** CPU time of its own and of children that it has waited for, in clock ticks. */
  readonly ticks: number;
}

/** USER_HZ, which every Linux has; elsewhere made so. */
const TICKS_PER_SECOND = 100;
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
  if (process.platform !== 'linux') return processesByPs();
  const table: ProcessEntry[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const found = entryOf(entry);
    if (found !== undefined) table.push(found);
  }
  return table;
}

/** undefined when there is no such process any more. */
export function processEntry(pid: number): ProcessEntry | undefined {
  return process.platform === 'linux' ? entryOf(String(pid)) : processesByPs(pid)[0];
}

function entryOf(pid: string): ProcessEntry | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Gone since the listing.
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** By POSIX's program, where there is no /proc. Sessions do not show there: a leader's process group stands for its own. */
export function processesByPs(pid?: number): ProcessEntry[] {
  const whom = pid === undefined ? ['-A'] : ['-p', String(pid)];
  const listing = spawnSync('ps', [...whom, '-o', 'pid=,ppid=,pgid=,state=,time=,lstart='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 16 << 20,
  });
  return listing.stdout.split('\n').flatMap((line) => {
    const [number, parent, group, state = '', time = '', ...started] = line.trim().split(/\s+/);
    if (number === undefined || number === '') return [];
    const numbers = { pid: Number(number), parent: Number(parent), session: Number(group) };
    return [{ ...numbers, state: state.slice(0, 1), startTime: started.join('-'), ticks: ticksOf(time) }];
  });
}

/** ps(1): [[DD-]hh:]mm:ss[.cc]. */
function ticksOf(time: string): number {
  const [days, clock] = time.includes('-') ? time.split('-') : ['0', time];
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * TICKS_PER_SECOND);
}

/** Of the machine's start: numbers of processes and their times begin anew with every one. */
export function bootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return spawnSync('sysctl', ['-n', 'kern.boottime'], { encoding: 'utf8' }).stdout.trim().replace(/\W+/g, '-');
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

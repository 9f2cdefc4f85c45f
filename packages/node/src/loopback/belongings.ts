// Which processes belong to a pod, or to a whole network: told by a variable in their environment, by the session of a
// process that was started for it, and nothing else, since no kernel keeps them together here.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, type ProcessEntry, processTable, signalProcess } from '../sandbox/processes.ts';

/** In the environment of every process of a pod: NETWORK:ADDRESS. */
export const POD_VARIABLE = 'VARKA_POD';
/** One file for each pod: the leaders of its sessions, one a line: the machine's boot, number, start time. */
const SESSIONS_DIRECTORY = 'sessions';

/** Leaders of sessions, by number, with the time of their start: the number alone may be another process's by now. */
export type Leaders = ReadonlyMap<number, string>;

export function podMark(network: string, address: string): string {
  return `${network}:${address}`;
}

/** Before a new one can have ended: so its session is found even when it has cleared its environment. */
export function recordSessions(network: string, address: string, leaders: Leaders): void {
  const directory = join(network, SESSIONS_DIRECTORY);
  const boot = bootId();
  mkdirSync(directory, { recursive: true });
  const path = join(directory, address);
  // In one step, so that one who comes after a crash never reads half of it.
  writeFileSync(`${path}.new`, [...leaders].map(([leader, startTime]) => `${boot} ${leader} ${startTime}\n`).join(''));
  renameSync(`${path}.new`, path);
}

export function forgetSessions(network: string, address: string): void {
  rmSync(join(network, SESSIONS_DIRECTORY, address), { force: true });
}

/**
 * Those whose sessions still have a process. The kernel gives a number to nobody else while a session is named by it,
 * so a leader with another start time says that the session has ended.
 */
export function withSessions(leaders: Leaders, table: readonly ProcessEntry[]): Map<number, string> {
  const sessions = new Set(table.map(({ session }) => session));
  const running = new Map(table.map(({ pid, startTime }) => [pid, startTime]));
  return new Map(
    [...leaders].filter(
      ([leader, startTime]) => sessions.has(leader) && [undefined, startTime].includes(running.get(leader)),
    ),
  );
}

/** Every process of the pod at `address`, or of the whole network without one; this process is never among them. */
export function processesOf(network: string, leaders: Leaders, address?: string): number[] {
  const mark = address === undefined ? `${network}:` : podMark(network, address);
  const all = processTable();
  const own = withSessions(leaders, all);
  const isMarked = markTest(mark, address === undefined);
  return all
    .filter(({ state, pid }) => state !== 'Z' && pid !== process.pid)
    .filter(({ pid, session }) => own.has(session) || isMarked(pid))
    .map(({ pid }) => pid);
}

/** Kills what an ended supervisor has left of its network. False when something of it is still there. */
export function sweep(network: string, rounds = 50): boolean {
  const leaders = recordedSessions(network);
  for (let round = 0; round < rounds; round++) {
    const left = processesOf(network, leaders);
    if (left.length === 0) return true;
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return false;
}

function recordedSessions(network: string): Map<number, string> {
  const boot = bootId();
  const leaders = new Map<number, string>();
  for (const file of recordsIn(join(network, SESSIONS_DIRECTORY))) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [bootThen, leader, startTime = ''] = line.split(' ');
      if (bootThen === boot) leaders.set(Number(leader), startTime);
    }
  }
  return leaders;
}

function recordsIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function markTest(mark: string, isPrefix: boolean): (pid: number) => boolean {
  const entry = `${POD_VARIABLE}=${mark}`;
  if (process.platform === 'linux') {
    const wanted = isPrefix ? entry : `${entry}\0`;
    return (pid) => {
      const environment = environmentOf(pid);
      return environment.startsWith(wanted) || environment.includes(`\0${wanted}`);
    };
  }
  // BSD's ps appends the environment of one's own processes to their commands.
  const listing = execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const marked = new Set<number>();
  for (const line of listing.split('\n')) {
    if (line.split(' ').some((word) => (isPrefix ? word.startsWith(entry) : word === entry))) {
      marked.add(Number.parseInt(line, 10));
    }
  }
  return (pid) => marked.has(pid);
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch (error) {
    // Gone since the listing, or another user's: in no case a process of ours.
    if (['ENOENT', 'EACCES', 'ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

// Which processes belong to a pod, or to a whole network: told by a variable in their environment, by the session of a
// process that was started for it, and nothing else, since no kernel keeps them together here.
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, processEntry, processTable, signalProcess } from '../sandbox/processes.ts';

/** In the environment of every process of a pod: NETWORK:ADDRESS. */
export const POD_VARIABLE = 'VARKA_POD';
/** Leaders of sessions as they were started, one a line: the machine's boot, number, start time. */
const SESSIONS_FILE = 'sessions';

export function podMark(network: string, address: string): string {
  return `${network}:${address}`;
}

/** Before the process can have ended: so it is found even when it has cleared its environment. */
export function recordSession(network: string, leader: number): void {
  const startTime = processEntry(leader)?.startTime ?? '';
  appendFileSync(join(network, SESSIONS_FILE), `${bootId()} ${leader} ${startTime}\n`);
}

/** Every process of the pod at `address`, or of the whole network without one; this process is never among them. */
export function processesOf(network: string, leaders: ReadonlySet<number>, address?: string): number[] {
  const mark = address === undefined ? `${network}:` : podMark(network, address);
  const table = processTable().filter(({ state, pid }) => state !== 'Z' && pid !== process.pid);
  const isMarked = markTest(mark, address === undefined);
  return table.filter(({ pid, session }) => leaders.has(session) || isMarked(pid)).map(({ pid }) => pid);
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

function recordedSessions(network: string): Set<number> {
  try {
    const lines = readFileSync(join(network, SESSIONS_FILE), 'utf8').trimEnd().split('\n');
    const running = new Map(processTable().map(({ pid, startTime }) => [pid, startTime]));
    const leaders = lines
      .map((line) => line.split(' '))
      // The number may be another process's by now.
      .filter(
        ([boot, pid, startTime]) => boot === bootId() && [undefined, startTime].includes(running.get(Number(pid))),
      );
    return new Set(leaders.map(([, pid]) => Number(pid)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
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

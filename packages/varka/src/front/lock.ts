// One mesh per profile: a lock file that says which process holds it. It counts only while that process lives, so
// nothing has to be cleaned up by hand after a kill -9.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { errorCode } from '../errors.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export interface LockHolder extends ProcessIdentity {
  /** ISO 8601. */
  readonly startedAt: string;
}

export type LockResult =
  | {
      readonly kind: 'held';
      readonly release: () => void /** A holder that died without releasing. */;
      readonly recovered: LockHolder | undefined;
    }
  | { readonly kind: 'busy'; readonly holder: LockHolder };

/** Far longer than it takes to read one file and remove it. */
const TURNSTILE_TIMEOUT_MS = 5_000;
const TURNSTILE_PAUSE_MS = 5;
const FIRST_TURNSTILE_PORT = 40_000;
const TURNSTILE_PORTS = 9_000;

function parse(text: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, startTime, bootId, startedAt } = value as Partial<Record<keyof LockHolder, unknown>>;
    if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof bootId !== 'string') return undefined;
    return { pid, startTime, bootId, startedAt: typeof startedAt === 'string' ? startedAt : '' };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut short by a full disk: nobody holds it
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Who holds the lock now, if that process is alive. */
export function lockHolder(path: string): LockHolder | undefined {
  const text = read(path);
  const holder = text === undefined ? undefined : parse(text);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/** link(2) makes the finished file appear under its name in one step, and fails when the name is taken. */
function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Only one process at a time may look at a dead holder's lock and take it away, or the slower of two would take away the
 * faster one's new lock. A socket in Linux's abstract namespace is such a turnstile: it has no file and goes with its
 * process. So does a port, where there is no such namespace; others may happen to use that one, which makes it second.
 */
async function alone<T>(path: string, action: () => T): Promise<T> {
  const hash = createHash('sha256').update(path).digest();
  const turnstile =
    process.platform === 'linux'
      ? { path: `\0varka-${hash.toString('hex')}` }
      : { host: '127.0.0.1', port: FIRST_TURNSTILE_PORT + (hash.readUInt16BE() % TURNSTILE_PORTS) };
  const deadline = performance.now() + TURNSTILE_TIMEOUT_MS;
  for (;;) {
    const server = createServer();
    server.listen(turnstile);
    try {
      await once(server, 'listening');
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE' || performance.now() > deadline) throw error;
      await setTimeout(TURNSTILE_PAUSE_MS);
      continue;
    }
    try {
      return action();
    } finally {
      server.close();
    }
  }
}

/** Takes a dead holder's lock away; undefined when by now it has gone or has a living holder. */
function removeStale(path: string): { holder: LockHolder | undefined } | undefined {
  const text = read(path);
  const holder = text === undefined ? undefined : parse(text);
  if (text === undefined || (holder !== undefined && isAlive(holder))) return undefined;
  rmSync(path);
  return { holder };
}

export async function acquireLock(path: string, startedAt: string): Promise<LockResult> {
  const me = identify(process.pid);
  if (me === undefined) throw new Error('this process is not among those that the system shows');
  const mine = JSON.stringify({ ...me, startedAt } satisfies LockHolder);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  let recovered: LockHolder | undefined;
  try {
    while (!tryLink(draft, path)) {
      const holder = lockHolder(path);
      if (holder !== undefined) return { kind: 'busy', holder };
      recovered = (await alone(path, () => removeStale(path)))?.holder ?? recovered;
    }
  } finally {
    rmSync(draft, { force: true });
  }
  const release = () => {
    if (read(path) === mine) rmSync(path, { force: true });
  };
  return { kind: 'held', release, recovered };
}

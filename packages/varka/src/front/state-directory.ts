// The profile's directory and the small files in it, written in one step each.
import { mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, errorCode, messageOf, problem, profileFlag, VarkaError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { ProcessIdentity } from './process-identity.ts';

const LONGEST_LOG = 16 << 20;

/** What `varka` finds out about a running mesh without asking it. */
export interface RuntimeFile {
  readonly profile: string;
  readonly startedAt: string;
  readonly api: string;
  readonly gateway: { readonly http: string; readonly https: string };
  readonly kubeconfig: string;
  /** The supervisor; with namespaces, the processes that hold them. */
  readonly supervisor: readonly ProcessIdentity[];
  /** Of the loopback sandbox: what leads to processes that an ended supervisor has left. */
  readonly fabric?: string;
}

function storageProblem(path: string, profile: Profile, error: unknown): VarkaError {
  const code = errorCode(error);
  const detail = messageOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return problem('disk-full', { path, detail, flag: profileFlag(profile.name) }, error);
  const cause =
    code === 'EROFS'
      ? 'the file system is read-only'
      : code === 'EACCES' || code === 'EPERM'
        ? 'it belongs to another user'
        : 'its state is kept there';
  return new VarkaError(
    describe('state-directory', {
      path,
      detail,
      cause,
      remedy: 'set VARKA_HOME to a directory that this user may write to',
    }),
    { cause: error },
  );
}

/** Runs what touches the disk, and turns its failures into something that can be acted on. */
export async function onDisk<T>(path: string, profile: Profile, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (errorCode(error) === undefined || error instanceof VarkaError) throw error;
    throw storageProblem(path, profile, error);
  }
}

/** Only the owner may enter: it holds keys and the control socket. */
export async function prepareDirectories(profile: Profile): Promise<void> {
  for (const path of [profile.directory, profile.logs, profile.cache]) {
    await onDisk(path, profile, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
  }
}

export function logPath(profile: Profile): string {
  return join(profile.logs, 'varka.log');
}

/** A descriptor to append to. A log that has become long is put aside; only the holder of the lock may do that. */
export async function openLog(profile: Profile): Promise<number> {
  const path = logPath(profile);
  return await onDisk(path, profile, () => {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > LONGEST_LOG) renameSync(path, `${path}.1`);
    return openSync(path, 'a', 0o600);
  });
}

export async function writeRuntime(profile: Profile, content: RuntimeFile): Promise<void> {
  await onDisk(profile.runtime, profile, () => {
    const draft = `${profile.runtime}.new`;
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, profile.runtime);
  });
}

/** undefined when there is none, or none that can be read: it only serves to tidy up. */
export function readRuntime(profile: Profile): RuntimeFile | undefined {
  try {
    return JSON.parse(readFileSync(profile.runtime, 'utf8')) as RuntimeFile;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function removeRuntime(profile: Profile): void {
  rmSync(profile.runtime, { force: true });
  rmSync(profile.controlSocket, { force: true });
}

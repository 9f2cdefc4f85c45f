// A directory whose files change all at once, as the kubelet's configuration volumes do: the files stand in a directory
// of their own behind the link `..data`, and a change is another directory and one rename of that link.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { VolumeFiles } from './volume-files.ts';

const DATA = '..data';

/** False when it holds just these files already. */
export function writeAtomically(directory: string, files: VolumeFiles): boolean {
  mkdirSync(directory, { recursive: true });
  const before = currentOf(directory);
  if (before !== undefined && holds(join(directory, before), files)) return false;
  const fresh = mkdtempSync(join(directory, `..${new Date().toISOString().replace(/\W/g, '_')}.`));
  try {
    writeAll(fresh, files);
  } catch (error) {
    // It will be tried again, and would be left again.
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
  const draft = join(directory, '..data_tmp');
  rmSync(draft, { force: true });
  symlinkSync(basename(fresh), draft);
  renameSync(draft, join(directory, DATA));
  linkNames(directory, new Set([...files.keys()].map((path) => path.split('/')[0] as string)));
  if (before !== undefined) rmSync(join(directory, before), { recursive: true, force: true });
  return true;
}

function writeAll(directory: string, files: VolumeFiles): void {
  chmodSync(directory, 0o755);
  for (const [path, { content, mode }] of files) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    // Apart from its creation, so that no umask takes a bit off.
    chmodSync(file, mode & 0o7777);
  }
}

/** The names people see: links through `..data`. What is no such link was put there by someone else, and stays. */
function linkNames(directory: string, names: ReadonlySet<string>): void {
  for (const name of names) {
    if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) {
      symlinkSync(join(DATA, name), join(directory, name));
    }
  }
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (names.has(entry.name) || entry.name.startsWith('..') || !entry.isSymbolicLink()) continue;
    if (readlinkSync(join(directory, entry.name)) === join(DATA, entry.name)) rmSync(join(directory, entry.name));
  }
}

function currentOf(directory: string): string | undefined {
  return existsSync(join(directory, DATA)) ? readlinkSync(join(directory, DATA)) : undefined;
}

function holds(directory: string, files: VolumeFiles): boolean {
  const there = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (there.length !== files.size) return false;
  for (const [path, { content, mode }] of files) {
    const found = statSync(join(directory, path), { throwIfNoEntry: false });
    if (found === undefined || (found.mode & 0o7777) !== (mode & 0o7777)) return false;
    if (!readFileSync(join(directory, path)).equals(content)) return false;
  }
  return true;
}

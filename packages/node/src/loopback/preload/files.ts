// Volumes without a mount namespace: what a program opens below a mount path is opened where the volume is.
import fs from 'node:fs';
import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mount } from '../../sandbox/pod-network.ts';
import { replace } from './replace.ts';

/** Functions of node:fs by how many of their first arguments are paths; each with its Sync and promise form. */
const BY_PATHS: Readonly<Record<string, 1 | 2>> = {
  ...{ access: 1, appendFile: 1, chmod: 1, chown: 1, copyFile: 2, cp: 2, exists: 1, lchown: 1, link: 2, lstat: 1 },
  ...{ lutimes: 1, mkdir: 1, mkdtemp: 1, open: 1, opendir: 1, readdir: 1, readFile: 1, readlink: 1, realpath: 1 },
  ...{ rename: 2, rm: 1, rmdir: 1, stat: 1, statfs: 1, symlink: 2, truncate: 1, unlink: 1, utimes: 1, watch: 1 },
  ...{ writeFile: 1, createReadStream: 1, createWriteStream: 1, watchFile: 1, unwatchFile: 1, openAsBlob: 1 },
};

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** Later mounts cover earlier ones. */
export function sourceOf(path: string, mounts: readonly Mount[]): string {
  const cover = mounts.filter((mount) => path === mount.path || path.startsWith(mount.path + sep)).at(-1);
  return cover === undefined ? path : cover.source + path.slice(cover.path.length);
}

export function patchFiles(mounts: readonly Mount[]): void {
  const map = (path: unknown): unknown => {
    const text = path instanceof URL ? fileURLToPath(path) : Buffer.isBuffer(path) ? path.toString() : path;
    if (typeof text !== 'string') return path;
    // As it is when it is none of ours: what it ends in may matter (mkdtemp), and so may what it is.
    const found = sourceOf(resolve(text), mounts);
    return found === resolve(text) ? path : found + (text.endsWith(sep) ? sep : '');
  };
  for (const [name, paths] of Object.entries(BY_PATHS)) {
    for (const owner of [fs, fs.promises] as unknown as Record<string, Call | undefined>[]) {
      for (const each of [name, `${name}Sync`]) {
        if (owner[each] === undefined) continue;
        replace(owner as Record<string, Call>, each, (original) => {
          return function (this: unknown, ...args: unknown[]): unknown {
            return original.apply(this, [...args.slice(0, paths).map(map), ...args.slice(paths)]);
          };
        });
      }
    }
  }
}

// Which mounts a container gets: its volumeMounts, and again what they would cover of the program itself.
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { ContainerConfigError } from '../config/config-error.ts';
import { expand } from '../config/expansion.ts';
import type { Mount } from '../sandbox/pod-network.ts';
import type { Place } from './pod-volumes.ts';

/** In the order they are to be made: what contains others first. */
export function volumeMounts(
  { name: container, volumeMounts: wanted = [] }: Container,
  place: (volume: string) => Place | undefined,
  environment: Readonly<Record<string, string>>,
): Mount[] {
  const mounts = wanted.map(({ name, mountPath, subPath, subPathExpr, readOnly = false }) => {
    const path = trimmed(resolve('/', mountPath));
    const complain = (why: string): never => {
      throw new ContainerConfigError(`container ${container} mounts volume "${name}" at ${mountPath}: ${why}`);
    };
    if (path === '/') complain('the root directory itself cannot be mounted over');
    const found = place(name);
    if (found === undefined) return complain('the pod has no such volume');
    const sub = subPathExpr === undefined ? subPath : expandAll(subPathExpr, environment, complain);
    const source = sub === undefined || sub === '' ? found.path : below(found.path, sub, complain);
    return { source, path, readOnly: readOnly || found.readOnly };
  });
  return mounts.sort((a, b) => depth(a.path) - depth(b.path));
}

/**
 * The machine's file system is the image's: a volume over /tmp or /home may cover the program itself. What it needs is
 * shown again inside the volume, by the uppermost directory below it, so that what belongs together stays together.
 */
export function withNeeded(mounts: readonly Mount[], needed: readonly string[]): Mount[] {
  const again = new Set<string>();
  for (const path of needed) {
    const cover = mounts.filter((mount) => path === mount.path || isBelow(path, mount.path)).at(-1);
    if (cover === undefined || cover.path === path || !existsSync(path)) continue;
    const [first = ''] = path.slice(cover.path.length + 1).split(sep);
    again.add(join(cover.path, first));
  }
  const shown = [...again].map((path) => ({ source: path, path, readOnly: false }));
  return [...mounts, ...shown].sort((a, b) => depth(a.path) - depth(b.path));
}

/** Everything that these words and variables name: the program, its arguments that are files, the directories of PATH. */
export function neededPaths(words: readonly string[], searchPath: string, others: readonly string[]): string[] {
  const named = [...words, ...others, ...searchPath.split(delimiter)].filter((word) => isAbsolute(word));
  const paths = [...named, process.execPath].map((path) => trimmed(normalize(path)));
  const existing = paths.filter((path) => existsSync(path));
  return [...new Set([...existing, ...existing.map((path) => realpathSync(path))])];
}

/** Kubernetes: subPathExpr may name the container's variables only, and each must be there. */
function expandAll(
  text: string,
  environment: Readonly<Record<string, string>>,
  complain: (why: string) => never,
): string {
  return expand(
    text,
    (name) => environment[name] ?? complain(`missing value for ${JSON.stringify(name)} in subPathExpr`),
  );
}

/** A subPath that is not there yet is made as a directory; one that leads out of the volume is refused. */
function below(volume: string, subPath: string, complain: (why: string) => never): string {
  if (isAbsolute(subPath) || subPath.split('/').includes('..'))
    complain(`subPath ${subPath} must not leave the volume`);
  const root = realpathSync(volume);
  const path = join(root, subPath);
  let there = path;
  while (!existsSync(there)) there = dirname(there);
  const inside = (one: string): boolean => one === root || isBelow(one, root);
  if (!inside(realpathSync(there))) complain(`subPath ${subPath} leads out of the volume`);
  if (there !== path) mkdirSync(path, { recursive: true });
  return realpathSync(path);
}

const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`);
const depth = (path: string): number => path.split(sep).length;
const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);

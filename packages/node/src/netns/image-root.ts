// An image's files as the root directory of a container, with a layer of its own for what the container changes.
import { closeSync, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KernelError, MS_BIND, MS_MOVE, MS_NODEV, MS_NOSUID, MS_REC, mount, O_PATH } from '../netlink/libc.ts';
import type { RootDirectory } from '../sandbox/pod-network.ts';
import { enterNewRoot } from './namespaces.ts';

/** In the container's new mount namespace. Descriptors opened before go on naming what they named. */
export function enterImage({ image, layer }: RootDirectory): void {
  mkdirSync(layer, { recursive: true });
  try {
    mountOverlay(image, layer);
  } catch (error) {
    // The layer's own file system cannot hold one: in a container it is an overlay itself. Then changes are in memory.
    if (!(error instanceof KernelError && error.code === 'EINVAL')) throw error;
    mount('tmpfs', layer, 'tmpfs', MS_NOSUID | MS_NODEV, 'keep the container’s changes in memory', 'mode=0755');
    mountOverlay(image, layer);
  }
  const root = join(layer, 'root');
  const proc = join(root, 'proc');
  mkdirSync(proc, { recursive: true });
  if (!lstatSync(proc).isDirectory()) throw new Error('the image has something else than a directory at /proc');
  mount('/proc', proc, null, MS_BIND | MS_REC, 'mount the container’s /proc');
  mount(root, '/', null, MS_MOVE, 'move to the container’s root directory');
  enterNewRoot();
}

/** overlayfs: reads come from the image until the layer has another version. */
function mountOverlay(image: string, layer: string): void {
  const [root, ...places] = [join(layer, 'root'), image, join(layer, 'upper'), join(layer, 'work')] as const;
  for (const place of [root, ...places]) mkdirSync(place, { recursive: true });
  // By descriptor: the option's own syntax gives colons and commas of a path a meaning.
  const fds = places.map((place) => openSync(place, O_PATH));
  const [lower, upper, work] = fds.map((fd) => `/proc/self/fd/${fd}`);
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}${isRootless() ? ',userxattr' : ''}`;
  try {
    mount(
      'overlay',
      root,
      'overlay',
      0,
      'mount the image’s files (overlayfs, for ordinary users from Linux 5.11)',
      options,
    );
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** user_namespaces(7): only in the first namespace every id stands for itself. Elsewhere trusted attributes are refused. */
function isRootless(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

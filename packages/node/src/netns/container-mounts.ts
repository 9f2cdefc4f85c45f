// A container's own view of the machine's file system: everything as it is, and the container's mounts at their places,
// also where the machine has nothing of that name. Runs in the container's new mount namespace.
import {
  accessSync,
  closeSync,
  constants,
  type Dirent,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  type KernelError,
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_UNBINDABLE,
  mount,
  O_PATH,
} from '../netlink/libc.ts';
import type { MemoryDirectory, Mount, RootDirectory } from '../sandbox/pod-network.ts';
import { enterImage } from './image-root.ts';
import { enterNewRoot } from './namespaces.ts';

/** A place's nature: what may be created there without the machine noticing. */
type Ground = 'machine' | 'own';

/** `scratch` is a directory that nothing in the container needs to see. */
export function mountInContainer(wanted: readonly Mount[], root: RootDirectory | undefined, scratch: string): void {
  const mounts =
    root === undefined ? wanted : [...OF_THE_MACHINE.filter(({ source }) => existsSync(source)), ...wanted];
  // All of them are opened first: a later source may lie under an earlier mount.
  const sources: number[] = [];
  try {
    for (const { source } of mounts) sources.push(openSync(source, O_PATH));
    if (root !== undefined) enterImage(root);
    const view = new View(scratch, root === undefined ? 'machine' : 'own');
    const targets = mounts.map((one, index) => view.mount(one, sources[index] as number));
    // Last, since points of later mounts may have to be made in earlier ones.
    for (const [index, { readOnly }] of mounts.entries()) if (readOnly) protect(targets[index] as string);
  } finally {
    for (const fd of sources) closeSync(fd);
  }
}

/** What an image does not bring: devices, the kernel's views, and the pod's own names. */
const OF_THE_MACHINE: readonly Mount[] = ['/dev', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'].map(
  (path) => ({ source: path, path, readOnly: false }),
);

/** Keeps a directory's content in memory, for everyone in this mount namespace. */
export function mountMemory({ path, sizeBytes }: MemoryDirectory): void {
  const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`;
  mount('tmpfs', path, 'tmpfs', MS_NOSUID | MS_NODEV, `keep ${path} in memory`, `mode=0777${size}`);
}

class View {
  readonly #scratch: string;
  /** By the longest prefix of a real path. */
  readonly #grounds = new Map<string, Ground>();

  constructor(scratch: string, ground: Ground) {
    this.#scratch = scratch;
    this.#grounds.set('/', ground);
  }

  /** Answers where it really was mounted. */
  mount({ source, path }: Mount, fd: number): string {
    const target = this.#point(path, fstatSync(fd).isDirectory());
    mount(throughDescriptor(fd), target, null, MS_BIND | MS_REC, `mount ${source} at ${path}`);
    this.#grounds.set(target, source === path ? 'machine' : 'own');
    return target;
  }

  /** What a mount can lie upon: the thing itself when it is there, or one made for it. */
  #point(path: string, directory: boolean): string {
    const found = real(path);
    if (found !== undefined && statSync(found).isDirectory() === directory) return found;
    const { base, missing } = nearestDirectory(path);
    const [first = ''] = missing;
    const inTheWay = lstatSync(join(base, first), { throwIfNoEntry: false }) !== undefined;
    if (inTheWay || this.#groundOf(base) === 'machine' || !mayWrite(base)) this.#imitate(base, first);
    const target = join(base, ...missing);
    mkdirSync(directory ? target : dirname(target), { recursive: true });
    if (!directory) closeSync(openSync(target, 'a', 0o644));
    return target;
  }

  #groundOf(path: string): Ground {
    for (let at = path; ; at = dirname(at)) {
      const ground = this.#grounds.get(at);
      if (ground !== undefined) return ground;
    }
  }

  /**
   * Covers a directory with one of our own that shows the same entries, all but one, so that others can be made beside
   * them without touching the machine. New files of the program's go there too, and end with the container.
   */
  #imitate(directory: string, without: string): void {
    const doing = `make room for ${join(directory, without)}`;
    const original = openSync(directory, O_PATH | constants.O_DIRECTORY);
    // Nothing can be mounted over the root and then be reached from it; it is made elsewhere and moved there.
    const copy = directory === '/' ? this.#scratch : directory;
    try {
      const mode = (fstatSync(original).mode & 0o7777).toString(8);
      mount('tmpfs', copy, 'tmpfs', MS_NOSUID | MS_NODEV, doing, `mode=${mode}`);
      // So that the copy is not shown once more inside itself.
      if (copy !== directory) mount('none', copy, null, MS_UNBINDABLE, doing);
      for (const entry of readdirSync(throughDescriptor(original), { withFileTypes: true })) {
        if (entry.name === without) continue;
        showAgain(entry, throughDescriptor(original), copy, doing);
        const path = join(directory, entry.name);
        this.#grounds.set(path, this.#groundOf(path));
      }
    } finally {
      closeSync(original);
    }
    if (copy !== directory) {
      mount(copy, directory, null, MS_MOVE, doing);
      enterNewRoot();
      mount('none', '/', null, MS_PRIVATE, doing);
    }
    this.#grounds.set(directory, 'own');
  }
}

const throughDescriptor = (fd: number): string => `/proc/self/fd/${fd}`;

function showAgain(entry: Dirent, original: string, copy: string, doing: string): void {
  const from = join(original, entry.name);
  const to = join(copy, entry.name);
  try {
    if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(from), to);
      return;
    }
    if (entry.isDirectory()) mkdirSync(to);
    else closeSync(openSync(to, 'a', 0o644));
    mount(from, to, null, MS_BIND | MS_REC, doing);
  } catch (error) {
    // Gone since the listing, or another user's (a FUSE mount): out of reach for the program as well.
    if (!['ENOENT', 'EACCES'].includes((error as KernelError | NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Undefined when there is nothing, or a link that leads nowhere. */
function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'EACCES') return undefined;
    throw error;
  }
}

/** The closest directory above `path` that is there, and the names below it that are not (or are something else). */
function nearestDirectory(path: string): { base: string; missing: string[] } {
  const missing = [basename(path)];
  for (let at = dirname(path); ; at = dirname(at)) {
    const base = real(at);
    if (base !== undefined && statSync(base).isDirectory()) return { base, missing };
    missing.unshift(basename(at));
  }
}

function mayWrite(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EROFS' || code === 'EACCES') return false;
    throw error;
  }
}

const FLAGS: Readonly<Record<string, number>> = {
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: MS_NOEXEC,
  noatime: MS_NOATIME,
  nodiratime: MS_NODIRATIME,
  relatime: MS_RELATIME,
};

/**
 * Read-only from here on. mount_namespaces(7): flags that came with the mount from a more privileged namespace are
 * locked, so a remount must repeat them.
 */
function protect(target: string): void {
  const flags = mountFlags(readFileSync('/proc/thread-self/mountinfo', 'utf8'), target);
  mount('none', target, null, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, `make ${target} read-only`);
}

/** proc_pid_mountinfo(5): `36 35 98:0 /root /mount/point options …`; blanks in paths as `\040`. The topmost is last. */
export function mountFlags(mountinfo: string, target: string): number {
  let flags = 0;
  for (const line of mountinfo.split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ');
    const path = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (path === target) flags = options.split(',').reduce((sum, option) => sum | (FLAGS[option] ?? 0), 0);
  }
  return flags;
}

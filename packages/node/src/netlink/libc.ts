// The handful of libc calls that Node has no words for: namespaces, mounts, raw sockets.
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';

type Koffi = typeof import('koffi');

let koffi: Koffi | undefined;

/** Loaded by the first call: commands that only look at processes do without the foreign-function library. */
function library(): Koffi {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi;
  return koffi;
}

/** Of the C library Node itself is linked to, glibc or musl or another system's, which may lack some of these. */
function call(signature: string): (...args: unknown[]) => number {
  let loaded: ((...args: unknown[]) => number) | undefined;
  return (...args) => {
    loaded ??= library().load(null).func(signature) as (...args: unknown[]) => number;
    return loaded(...args);
  };
}

const raw = {
  unshare: call('int unshare(int flags)'),
  setns: call('int setns(int fd, int type)'),
  mount: call('int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)'),
  sethostname: call('int sethostname(const char *name, size_t length)'),
  fchdir: call('int fchdir(int fd)'),
  socket: call('int socket(int domain, int type, int protocol)'),
  bind: call('int bind(int fd, const void *address, uint length)'),
  sendto: call(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint addressLength)',
  ),
  recv: call('long recv(int fd, void *data, size_t length, int flags)'),
  pipe2: call('int pipe2(void *fds, int flags)'),
  pipe: call('int pipe(void *fds)'),
  fcntl: call('int fcntl(int fd, int command, long argument)'),
  waitpid: call('int waitpid(int pid, void *status, int options)'),
  posix_openpt: call('int posix_openpt(int flags)'),
  grantpt: call('int grantpt(int fd)'),
  unlockpt: call('int unlockpt(int fd)'),
  ptsname_r: call('int ptsname_r(int fd, void *name, size_t length)'),
  ioctl: call('int ioctl(int fd, ulong request, const void *argument)'),
};

export const CLONE_FS = 0x00000200;
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWNET = 0x40000000;
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MS_REC = 16384;
export const MS_UNBINDABLE = 1 << 17;
export const MS_PRIVATE = 1 << 18;
export const MS_RELATIME = 1 << 21;
export const AF_INET = 2;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const MSG_DONTWAIT = 0x40;
const SOCK_CLOEXEC = 0o2000000;
const O_CLOEXEC = 0o2000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const WNOHANG = 1;
/** open(2): a descriptor that only names the file; Node has no word for it. */
export const O_PATH = 0o10000000;
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const TIOCSWINSZ = 0x5414;

/** A system call the kernel refused: `code` is errno's name, `doing` what it was wanted for. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: string;
  readonly doing: string;

  constructor(doing: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${doing}: ${code}`);
    this.code = code;
    this.doing = doing;
  }
}

function check(result: number, doing: string): number {
  if (result < 0) throw new KernelError(doing, library().errno());
  return result;
}

export function unshare(flags: number, doing: string): void {
  check(raw.unshare(flags), doing);
}

export function setns(fd: number, type: number, doing: string): void {
  check(raw.setns(fd, type), doing);
}

/** `data` is the file system's own options, as `mount -o` has them. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  doing: string,
  data: string | null = null,
): void {
  check(raw.mount(source, target, type, flags, data), doing);
}

export function sethostname(name: string): void {
  check(raw.sethostname(name, Buffer.byteLength(name)), `set the host name to ${name}`);
}

export function fchdir(fd: number): void {
  check(raw.fchdir(fd), 'go back to the working directory');
}

/** Every descriptor made here is close-on-exec: a container must not inherit the supervisor's sockets. */
export function socket(domain: number, type: number, protocol: number, doing: string): number {
  return check(raw.socket(domain, type | SOCK_CLOEXEC, protocol), doing);
}

export function bind(fd: number, address: Buffer, doing: string): void {
  check(raw.bind(fd, address, address.length), doing);
}

export function send(fd: number, data: Buffer, doing: string): void {
  check(Number(raw.sendto(fd, data, data.length, 0, null, 0)), doing);
}

/** What has already arrived; nothing is waited for. */
export function receive(fd: number, into: Buffer, doing: string): number {
  return check(Number(raw.recv(fd, into, into.length, MSG_DONTWAIT)), doing);
}

/** A FIFO, as a container's output is: unlike Node's socket pairs it can be opened again as /dev/stdout. */
export function pipe(): { read: number; write: number } {
  const fds = Buffer.alloc(8);
  // Elsewhere Node itself keeps descriptors from what it starts.
  const made = process.platform === 'linux' ? raw.pipe2(fds, O_CLOEXEC) : raw.pipe(fds);
  check(made, 'make a pipe for a container’s output');
  return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
}

/** The controlling side of a new terminal, which does not block, and the path of the side that programs open. */
export function openTerminal(): { fd: number; path: string } {
  const doing = 'make a terminal for a command';
  const fd = check(raw.posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), doing);
  try {
    check(raw.grantpt(fd), doing);
    check(raw.unlockpt(fd), doing);
    const name = Buffer.alloc(64);
    check(-raw.ptsname_r(fd, name, name.length), doing);
    return { fd, path: name.toString('latin1', 0, name.indexOf(0)) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** ioctl_tty(2): struct winsize is rows, columns and two that nobody uses. The terminal's programs get SIGWINCH. */
export function setTerminalSize(fd: number, { rows, columns }: { rows: number; columns: number }): void {
  const size = Buffer.from(Uint16Array.of(rows, columns, 0, 0).buffer);
  check(raw.ioctl(fd, TIOCSWINSZ, size), 'set the size of a terminal');
}

export function setCloseOnExec(fd: number): void {
  check(raw.fcntl(fd, F_SETFD, FD_CLOEXEC), `keep descriptor ${fd} from containers`);
}

/** Takes a dead child off the kernel's list; false when it is not (or no longer) a dead child of ours. */
export function reap(pid: number): boolean {
  return raw.waitpid(pid, null, WNOHANG) === pid;
}

export function ipv4Bytes(address: string): Buffer {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    throw new TypeError(`not an IPv4 address: ${address}`);
  }
  return Buffer.from(parts);
}

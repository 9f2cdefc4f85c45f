// A TCP socket with SO_MARK set before it connects. Node has no option for it, so the C library is asked directly.
import { createRequire } from 'node:module';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_MARK = 36;

interface LibC {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, length: number): number;
  close(fd: number): number;
  errno(): number;
}

let libc: LibC | undefined;

/** Loaded on first use: a proxy without marks (a gateway, a test) does not pay for the foreign-function library. */
function load(): LibC {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int domain, int type, int protocol)') as LibC['socket'],
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int name, const int *value, uint32_t length)',
    ) as LibC['setsockopt'],
    close: library.func('int close(int fd)') as LibC['close'],
    errno: () => koffi.errno(),
  };
}

/** File descriptor of an unconnected socket; the caller closes it, usually by giving it to a net.Socket. */
export function openMarkedSocket(ipv6: boolean, mark: number): number {
  libc ??= load();
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`socket() failed with error number ${libc.errno()}`);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_MARK, Int32Array.of(mark), 4) !== 0) {
    const number = libc.errno();
    libc.close(fd);
    throw new Error(
      `SO_MARK ${mark} was refused with error number ${number}; the process needs CAP_NET_ADMIN in its network namespace`,
    );
  }
  return fd;
}

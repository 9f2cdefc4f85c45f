// Connects to ADDRESS PORT, optionally with a socket mark and from a source address, and prints what it is told.
import { createRequire } from 'node:module';
import { Socket, type SocketConstructorOpts } from 'node:net';

const [host = '', port = '', mark = '0', localAddress = ''] = process.argv.slice(2);
const socket = new Socket(mark === '0' ? {} : marked(Number(mark)));
socket.on('error', (error) => {
  console.log(error.message);
  process.exit(0);
});
socket.on('data', (chunk) => console.log(String(chunk)));
socket.connect({ host, port: Number(port), ...(localAddress === '' ? {} : { localAddress }) });

function marked(mark: number): SocketConstructorOpts {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const newSocket = libc.func('int socket(int domain, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint length)');
  const fd: number = newSocket(2, 1, 0);
  const value = Buffer.alloc(4);
  value.writeUInt32LE(mark);
  if (setsockopt(fd, 1, 36, value, 4) !== 0) throw new Error('SO_MARK was refused');
  return { fd };
}

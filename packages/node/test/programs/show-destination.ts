// A stand-in for a sidecar: answers each connection with "PORT was for ADDRESS:PORT" (SO_ORIGINAL_DST).
import { createServer, type Socket } from 'node:net';
import koffi from 'koffi';

const SOL_IP = 0;
const SO_ORIGINAL_DST = 80;
const libc = koffi.load(null);
const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');

function originalDestination(socket: Socket): string {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const address = Buffer.alloc(16);
  const length = Buffer.from([16, 0, 0, 0]);
  // Where nothing redirects, the socket's own address is where the connection was going.
  if (getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, address, length) !== 0)
    return `${socket.localAddress}:${socket.localPort}`;
  return `${[...address.subarray(4, 8)].join('.')}:${address.readUInt16BE(2)}`;
}

const ports = process.argv.slice(2).map(Number);
let listening = 0;
for (const port of ports) {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${port} was for ${originalDestination(socket)}`);
  }).listen({ port, host: '0.0.0.0' }, () => {
    listening += 1;
    if (listening === ports.length) console.log('listening');
  });
}

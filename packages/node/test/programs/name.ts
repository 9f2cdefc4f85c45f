// Answers every connection on port 8080 with "NAME for ADDRESS", and with `udp` every datagram too.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const name = process.argv[2] ?? 'nobody';
createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end(`${name} for ${socket.remoteAddress}`);
}).listen(8080, '0.0.0.0', () => {
  if (process.argv[3] !== 'udp') {
    console.log('up');
    return;
  }
  const udp = createSocket('udp4');
  udp.on('message', (_message, from) => udp.send(`${name} for ${from.address}`, from.port, from.address));
  udp.bind(8080, '0.0.0.0', () => console.log('up'));
});

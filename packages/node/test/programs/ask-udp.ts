// Asks ADDRESS PORT over UDP from one socket, again and again, and prints what it is told.
import { createSocket } from 'node:dgram';

const [host = '', port = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (message) => console.log(String(message)));
// Where nobody is, the next question may find somebody.
socket.on('error', () => undefined);
socket.bind(0, () => setInterval(() => socket.send('who?', Number(port), host), 10));

// Sends ADDRESS PORT a DNS question that comes from UDP port 0, which no ordinary socket can.
import { encode } from 'dns-packet';
import koffi from 'koffi';

const [host = '', port = ''] = process.argv.slice(2);
const AF_INET = 2;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;
const libc = koffi.load(null);
const newSocket = libc.func('int socket(int domain, int type, int protocol)');
const sendto = libc.func(
  'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint addressLength)',
);
const question = encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'cart.shop.svc.cluster.local' }] });
const header = Buffer.alloc(8);
header.writeUInt16BE(Number(port), 2);
header.writeUInt16BE(header.length + question.length, 4);
const address = Buffer.alloc(16);
address.writeUInt16LE(AF_INET, 0);
Buffer.from(host.split('.').map(Number)).copy(address, 4);
const datagram = Buffer.concat([header, question]);
const sent = sendto(newSocket(AF_INET, SOCK_RAW, IPPROTO_UDP), datagram, datagram.length, 0, address, address.length);
console.log(Number(sent) === datagram.length ? 'sent' : 'not sent');

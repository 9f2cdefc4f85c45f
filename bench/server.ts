// The server behind the proxies where nginx is not installed: answers every request with the same small response.
import net from 'node:net';

const port = Number(process.argv[2]);
const body = 'hello from the server behind the proxy, in sixty-four bytes or so\n';
const response = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);

net
  .createServer({ noDelay: true }, (socket) => {
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        text = text.slice(end + 4);
        socket.write(response);
      }
    });
  })
  .listen(port, '127.0.0.1');

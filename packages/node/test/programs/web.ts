// A small web application: answers with its name and what it was asked, becomes ready and healthy as it is told.
import { createServer } from 'node:http';

const name = process.argv[2] ?? 'web';
let broken = false;
const started = Date.now();
const server = createServer((request, response) => {
  if (request.url === '/break') broken = true;
  const failing = request.url === '/healthz' && broken;
  const early = request.url === '/late' && Date.now() - started < 300;
  response.writeHead(failing || early ? 503 : 200);
  response.end(
    JSON.stringify({ name, url: request.url, from: request.socket.remoteAddress, headers: request.headers }),
  );
});
server.listen(8080, '0.0.0.0', () => console.log(`${name} listening`));
process.on('SIGTERM', () => {
  console.log('asked to end');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

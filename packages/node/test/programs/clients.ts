// One process as a member of the loopback network: servers and clients of every kind that Node and npm have, each asked
// through the names and addresses of the cluster. Prints one line each.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { createServer as createHttpServer } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { connect, createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { Client, credentials, Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';

/** A certificate of the test's own, made by openssl. */
function certificate(): { key: Buffer; cert: Buffer } {
  const directory = mkdtempSync(join(os.tmpdir(), 'varka-tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=self.shop.svc.cluster.local', '-addext', 'subjectAltName=DNS:self'];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', [...words, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const made = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(directory, { recursive: true });
  return made;
}

const listening = async (server: Server, ...args: unknown[]): Promise<void> => {
  (server.listen as (...args: unknown[]) => void).apply(server, args);
  await once(server, 'listening');
};

const text = async (stream: AsyncIterable<Buffer>): Promise<string> => {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
};

const { key, cert } = certificate();
const hello = (request: { url?: string | undefined; socket: Socket }): string =>
  `${request.url} from ${request.socket.remoteAddress}`;

const plain = createHttpServer((request, response) => response.end(hello(request)));
await listening(plain, 80);
const secure = https.createServer({ key, cert }, (request, response) => response.end(hello(request)));
await listening(secure, { port: 443, host: '0.0.0.0' });
const h2c = http2.createServer((request, response) => response.end(`h2c ${request.url}`));
await listening(h2c, 8082);
const h2 = http2.createSecureServer({ key, cert }, (request, response) => response.end(`h2 ${request.url}`));
await listening(h2, 8443);
const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
await listening(echo, 7);
const paused = createServer({ pauseOnConnect: true }, (socket) => {
  assert.equal(socket.isPaused() || socket.readableFlowing === false, true);
  setTimeout(() => socket.pipe(socket), 20);
});
await listening(paused, 9);

const checks: Record<string, () => Promise<unknown>> = {
  address: async () => [plain.address(), secure.address()],
  'port 0': async () => {
    const server = createServer();
    await listening(server, 0);
    const { port } = server.address() as net.AddressInfo;
    server.close();
    return port > 1024;
  },
  'address in use': async () => {
    const server = createServer().listen(80);
    const [error] = await once(server, 'error');
    return `${error.code} ${error.message}`;
  },
  fetch: async () => (await fetch('http://self/fetch')).text(),
  'http by a short name': async () => {
    const [response] = await once(http.get('http://self:80/http'), 'response');
    return text(response);
  },
  'http, kept alive': async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (): Promise<string> => {
      const [response] = await once(http.get({ host: '10.96.1.1', port: 80, path: '/again', agent }), 'response');
      return text(response);
    };
    return [await ask(), await ask(), Object.values(agent.freeSockets).length];
  },
  'a POST of a megabyte': async () => {
    const server = createHttpServer(async (request, response) => response.end(String((await text(request)).length)));
    await listening(server, 8090);
    const body = 'x'.repeat(1 << 20);
    return (await fetch('http://localhost:8090', { method: 'POST', body })).text();
  },
  https: async () => {
    const [response] = await once(https.get('https://self/https', { ca: cert }), 'response');
    return text(response);
  },
  'https of another name': async () => {
    const [error] = await once(https.get('https://self.shop/https', { ca: cert }), 'error');
    return error.code;
  },
  tls: async () => {
    const socket = tls.connect({ host: 'self', port: 443, ca: cert });
    await once(socket, 'secureConnect');
    const told = [socket.authorized, socket.remoteAddress, socket.remotePort, socket.localAddress];
    socket.destroy();
    return told;
  },
  'tls refused': async () => (await once(tls.connect({ host: 'self', port: 444 }), 'error'))[0].message,
  'http2, plain': async () => h2Get('http://self:8082'),
  'http2, secure': async () => h2Get('https://self:8443'),
  grpc: async () => {
    const server = new GrpcServer();
    const bytes = (value: Buffer): Buffer => value;
    const method = { path: '/echo.Echo/Say', requestStream: false, responseStream: false } as const;
    const codec = {
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    server.addService(
      { say: { ...method, ...codec } },
      {
        say: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) =>
          done(null, Buffer.from(`grpc ${call.request}`)),
      },
    );
    const port = await promisify(server.bindAsync.bind(server))('0.0.0.0:15010', ServerCredentials.createInsecure());
    const client = new Client('self.shop.svc.cluster.local:15010', credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(method.path, bytes, bytes, Buffer.from('hello'), (error, value) =>
        error === null ? resolve(String(value)) : reject(error),
      );
    });
    client.close();
    server.forceShutdown();
    return [port, answer];
  },
  'half-close': async () => {
    const socket = connect({ port: 7, host: 'self', allowHalfOpen: true });
    socket.end('the end comes first');
    return text(socket);
  },
  'bytes in bulk': async () => {
    const socket = connect(7, 'self');
    const sent = Buffer.alloc(8 << 20, 'abcdefg');
    socket.end(sent);
    const received = Buffer.concat(await socket.toArray());
    return received.equals(sent);
  },
  'paused on connect': async () => {
    const socket = connect(9, '127.0.0.1');
    socket.write('kept');
    const [answer] = await once(socket, 'data');
    socket.destroy();
    return String(answer);
  },
  addresses: async () => {
    const socket = connect({ port: 7, host: 'self' });
    await once(socket, 'connect');
    const told = [socket.remoteAddress, socket.remotePort, socket.remoteFamily, socket.localAddress, socket.connecting];
    socket.destroy();
    return told;
  },
  refused: async () => {
    const [error] = await once(connect(81, 'self'), 'error');
    return [error.code, error.message, error.syscall, error.address, error.port];
  },
  'unknown name': async () => {
    const [error] = await once(connect(80, 'nobody'), 'error');
    return [error.code, error.message];
  },
  'fetch of an unknown name': async () => {
    try {
      await fetch('http://nobody/');
      return 'answered';
    } catch (error) {
      return ((error as Error).cause as NodeJS.ErrnoException).code;
    }
  },
  'dns.lookup': async () => [
    await dns.promises.lookup('self'),
    await promisify(dns.lookup)('self.shop'),
    await dns.promises.resolve4('self.shop.svc.cluster.local'),
  ],
  'of its own': async () => [os.hostname(), os.networkInterfaces()['eth0']?.[0]?.address],
  'a connection without a header': async () => {
    const { network, address } = JSON.parse(process.env['VARKA_FABRIC'] ?? '{}');
    const socket = connect({ path: join(network, address, '7') });
    socket.write('no header at all, but long enough for one');
    return (await text(socket)) === '';
  },
  'a server closed and opened again': async () => {
    const server = createServer((socket) => socket.end('again'));
    await listening(server, 8091);
    await promisify(server.close.bind(server))();
    await listening(server, 8091);
    const answer = await text(connect(8091, 'localhost'));
    server.close();
    return answer;
  },
};

async function h2Get(origin: string): Promise<string> {
  const session = http2.connect(origin, { ca: cert });
  const answer = await text(session.request({ ':path': '/x' }));
  session.close();
  return answer;
}

for (const [name, check] of Object.entries(checks)) {
  const outcome = await check().catch((error: Error) => `failed: ${error.stack}`);
  console.log(`${name}: ${JSON.stringify(outcome)}`);
}
process.exit(0);

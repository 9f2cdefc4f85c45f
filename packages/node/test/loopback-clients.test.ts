// Programs of Node in the loopback sandbox: the servers and clients that they are made of notice nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testFabric } from './support/fabric.ts';

const { directory, network } = testFabric();
const files = mkdtempSync(join(tmpdir(), 'varka-clients-'));
const pod = network.createPod({
  hostname: 'self-0',
  directory: files,
  nameserver: '10.96.0.10',
  searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  capture: false,
});
const ports = [7, 9, 80, 443, 444, 81, 8082, 8443, 15010];
network.setServices({
  frontends: Object.fromEntries(
    ports.map((port) => [`10.96.1.1:${port}`, { sticky: false, endpoints: [{ address: pod.ip, port }] }]),
  ),
  names: { shop: { self: { kind: 'cluster-ip', ips: ['10.96.1.1'], ports: [] } } },
  standIns: {},
});

after(() => rmSync(files, { recursive: true, force: true }));

const program = (name: string): string => fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));

async function run(argv: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '' };
  const { stdout, stderr, child } = pod.spawn(argv, { env, cwd: '/' });
  let output = '';
  for (const stream of [stdout, stderr]) stream.on('data', (chunk) => (output += chunk));
  await Promise.all([once(child, 'exit'), once(stdout, 'close'), once(stderr, 'close')]);
  return output;
}

test('every kind of server and client that Node and npm have', async () => {
  const output = await run([process.execPath, '--disable-warning=ExperimentalWarning', program('clients')]);
  const self = `${pod.ip}`;
  assert.deepEqual(output.trim().split('\n'), [
    'address: [{"address":"::","family":"IPv6","port":80},{"address":"0.0.0.0","family":"IPv4","port":443}]',
    'port 0: true',
    'address in use: "EADDRINUSE listen EADDRINUSE: address already in use [::]:80"',
    // By its own service a pod hears from the node; what listens on :: sees IPv4 clients mapped.
    'fetch: "/fetch from ::ffff:10.244.0.1"',
    'http by a short name: "/http from ::ffff:10.244.0.1"',
    'http, kept alive: ["/again from ::ffff:10.244.0.1","/again from ::ffff:10.244.0.1",1]',
    'a POST of a megabyte: "1048576"',
    'https: "/https from 10.244.0.1"',
    'https of another name: "ERR_TLS_CERT_ALTNAME_INVALID"',
    'tls: [true,"10.96.1.1",443,"10.244.0.2"]'.replace('10.244.0.2', self),
    'tls refused: "connect ECONNREFUSED 10.96.1.1:444"',
    'http2, plain: "h2c /x"',
    'http2, secure: "h2 /x"',
    'grpc: [15010,"grpc hello"]',
    'half-close: "the end comes first"',
    'bytes in bulk: true',
    'paused on connect: "kept"',
    `addresses: ["10.96.1.1",7,"IPv4","${self}",false]`,
    'refused: ["ECONNREFUSED","connect ECONNREFUSED 10.96.1.1:81","connect","10.96.1.1",81]',
    'unknown name: ["ENOTFOUND","getaddrinfo ENOTFOUND nobody"]',
    'fetch of an unknown name: "ENOTFOUND"',
    'dns.lookup: [{"address":"10.96.1.1","family":4},{"address":"10.96.1.1","family":4},["10.96.1.1"]]',
    `of its own: ["self-0","${self}"]`,
    'a connection without a header: true',
    'a server closed and opened again: "again"',
  ]);
});

test('a socket that a killed process left in the way is replaced', async () => {
  const listen = "net.createServer((s) => s.end('back')).listen(5000, () => console.log('up'))";
  const first = pod.spawn([process.execPath, '-e', listen], { env: {}, cwd: '/' });
  await once(first.stdout, 'data');
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  assert.ok(existsSync(join(directory, pod.ip, '5000')));
  const ask = "net.connect(5000).on('data', (data) => { console.log(String(data)); process.exit(); })";
  assert.equal(await run([process.execPath, '-e', listen.replace("console.log('up')", ask)]), 'back\n');
});

test('the machine’s own ports stay the machine’s, and nobody’s else', async () => {
  const server = createServer((socket) => socket.end('the machine')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const ask = `net.connect(${port}, '127.0.0.1').on('error', (error) => console.log(error.code))`;
  assert.equal(await run([process.execPath, '-e', ask]), 'ECONNREFUSED\n');
  server.close();
});

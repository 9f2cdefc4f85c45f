// Programs that have no preload in the loopback sandbox (here Node without it, behind `env`), and volumes without mounts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { PodSandbox, SpawnOptions } from '../src/sandbox/pod-network.ts';
import { testFabric } from './support/fabric.ts';

const { network } = testFabric();
const files = mkdtempSync(join(tmpdir(), 'varka-native-'));
const PATH = process.env['PATH'] ?? '';

before(() => network.ready);
after(() => rmSync(files, { recursive: true, force: true }));

function createPod(hostname: string, capture = false): PodSandbox {
  const searches = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
  return network.createPod({ hostname, directory: files, nameserver: '10.96.0.10', searches, capture });
}

/** For a program that nobody can have put a preload into. */
const native = (script: string): string[] => ['env', '-u', 'NODE_OPTIONS', process.execPath, '-e', script];

async function run(pod: PodSandbox, argv: readonly string[], options: Partial<SpawnOptions> = {}): Promise<string> {
  const { child, stdout, stderr } = pod.spawn(argv, { cwd: '/', ...options, env: { PATH, ...options.env } });
  let output = '';
  for (const stream of [stdout, stderr]) stream.on('data', (chunk) => (output += chunk));
  await Promise.all([once(child, 'exit'), once(stdout, 'close'), once(stderr, 'close')]);
  return output;
}

const ask = (host: string, port: number): string[] => [
  process.execPath,
  '-e',
  `fetch('http://${host}:${port}/x').then((r) => r.text(), (e) => e.cause.code).then(console.log)`,
];

test('it is reached at the ports its container declares, wherever it was told to listen', async () => {
  const [server, twin, client] = [createPod('server'), createPod('twin'), createPod('client')];
  const listen = native(`
    const { HOST, PORT } = process.env;
    http.createServer((_q, r) => r.end(process.env.NAME)).listen(PORT, HOST, () => console.log(HOST + ':' + PORT));`);
  // Two of them, both with port 80, which an ordinary user may not listen on.
  for (const pod of [server, twin]) {
    const { stdout } = pod.spawn(listen, { env: { PATH, NAME: `at ${pod.ip}` }, cwd: '/', ports: [80] });
    const [line] = await once(stdout, 'data');
    if (process.platform === 'linux') assert.match(String(line), /^127\.\d+\.0\.\d+:\d+/);
  }
  network.setServices({
    frontends: { '10.96.1.1:80': { sticky: false, endpoints: [{ address: server.ip, port: 80 }] } },
    names: { shop: { web: { kind: 'cluster-ip', ips: ['10.96.1.1'], ports: [] } } },
    standIns: {},
  });
  assert.equal(await run(client, ask(server.ip, 80)), `at ${server.ip}\n`);
  assert.equal(await run(client, ask(twin.ip, 80)), `at ${twin.ip}\n`);
  assert.equal(await run(client, ask('web', 80)), `at ${server.ip}\n`);
  // From inside, as port-forward goes and as a neighbour in the pod does.
  assert.equal(await run(server, ask('localhost', 80)), `at ${server.ip}\n`);
  // Only there: the machine's other ports are not the pod's.
  assert.equal(await run(client, ask(server.ip, 81)), 'ECONNREFUSED\n');
  await twin.destroy();
  assert.equal(await run(client, ask(twin.ip, 80)), 'ECONNREFUSED\n');
});

/** Through the proxy of HTTP_PROXY, as curl would. */
const viaProxy = (url: string, token = ''): string[] =>
  native(`
    const proxy = new URL(process.env.http_proxy);
    const password = ${JSON.stringify(token)} || proxy.password;
    const headers = { host: new URL('${url}').host, 'proxy-authorization': 'Basic ' + btoa('pod:' + password) };
    const { hostname: host, port } = proxy;
    http.get({ host, port, path: '${url}', headers }, (response) => {
      response.setEncoding('utf8').on('data', (text) => console.log(response.statusCode, text.trim()));
      response.on('error', ({ code }) => console.log(code));
    });`);

const connectVia = (target: string): string[] =>
  native(`
    const { hostname: host, port, password } = new URL(process.env.https_proxy);
    const headers = { 'proxy-authorization': 'Basic ' + btoa('pod:' + password) };
    http.request({ host, port, method: 'CONNECT', path: '${target}', headers })
      .on('connect', (response, socket, head) => {
        let text = String(head);
        socket.on('data', (chunk) => (text += chunk));
        socket.on('end', () => console.log(response.statusCode, text));
      }).end();`);

test('it calls by HTTP_PROXY, as its own pod, by names and addresses', async () => {
  const [server, client, meshed] = [createPod('server'), createPod('client'), createPod('meshed', true)];
  const answer = (port: number, name: string): string =>
    `net.createServer((s) => { s.on('error', () => 0); s.once('data', () => s.end('HTTP/1.1 200 OK\\r\\n\\r\\n' +
      '${name} hears ' + s.remoteAddress)); }).listen(${port}, '0.0.0.0', () => console.log('up'));`;
  const says = `net.createServer((s) => s.end('hello ' + s.remoteAddress)).listen(7, '0.0.0.0', () => console.log('up'));`;
  const start = async (pod: PodSandbox, script: string): Promise<void> => {
    const { stdout } = pod.spawn([process.execPath, '-e', script], { env: { PATH }, cwd: '/' });
    await once(stdout, 'data');
  };
  await start(server, answer(8080, 'server'));
  await start(server, says);
  await start(meshed, answer(15001, 'sidecar'));
  network.setServices({
    frontends: { '10.96.1.1:80': { sticky: false, endpoints: [{ address: server.ip, port: 8080 }] } },
    names: { shop: { web: { kind: 'cluster-ip', ips: ['10.96.1.1'], ports: [] } } },
    standIns: {},
  });
  assert.equal(await run(client, viaProxy('http://web/x')), `200 server hears ${client.ip}\n`);
  assert.equal(await run(client, viaProxy(`http://${server.ip}:8080/x`)), `200 server hears ${client.ip}\n`);
  assert.equal(await run(meshed, viaProxy('http://web/x')), `200 sidecar hears ${meshed.ip}\n`);
  assert.equal(await run(client, connectVia(`${server.ip}:7`)), `200 hello ${client.ip}\n`);
  assert.match(await run(client, connectVia('nobody:80')), /^502 varka: getaddrinfo ENOTFOUND nobody/);
  assert.match(await run(client, viaProxy('http://nobody/x')), /^502 varka: getaddrinfo ENOTFOUND nobody/);
  // A name that every JavaScript object has something under.
  assert.match(await run(client, viaProxy('http://constructor/x')), /^502 varka: getaddrinfo ENOTFOUND constructor/);
  assert.match(
    await run(client, viaProxy('http://10.96.1.1:81/x')),
    /^502 varka: connect ECONNREFUSED 10\.96\.1\.1:81/,
  );
  assert.match(await run(client, viaProxy('http://web/x', 'guessed')), /^407 /);
  // A pod that has gone has no way in any more.
  const { stdout } = client.spawn(native('console.log(process.env.http_proxy)'), { env: { PATH }, cwd: '/' });
  const [url] = await once(stdout, 'data');
  await client.destroy();
  const { password } = new URL(String(url).trim());
  assert.match(await run(server, viaProxy('http://web/x', password)), /^407 /);
});

test('an answer that breaks off does so for whoever called by HTTP_PROXY', { timeout: 30_000 }, async () => {
  const [server, client] = [createPod('server'), createPod('client')];
  const breaks = `net.createServer((s) => s.once('data', () => {
    s.end('HTTP/1.1 200 OK\\r\\ncontent-length: 100\\r\\n\\r\\nhalf');
  })).listen(8080, '0.0.0.0', () => console.log('up'));`;
  const { stdout } = server.spawn([process.execPath, '-e', breaks], { env: { PATH }, cwd: '/' });
  await once(stdout, 'data');
  assert.equal(await run(client, viaProxy(`http://${server.ip}:8080/x`)), '200 half\nECONNRESET\n');
});

test('Node behind a shell has its own variables back', async () => {
  const pod = createPod('behind');
  const show = `console.log(process.env.HOST, process.env.PORT, process.env.http_proxy, os.hostname())`;
  const argv = ['sh', '-c', `echo $PORT; "${process.execPath}" -e "${show}"`];
  const output = await run(pod, argv, { env: { PORT: '8080' }, ports: [8080] });
  assert.match(output, /^\d+\nundefined 8080 undefined behind\n$/);
});

test('a volume is where it was mounted, for Node; other programs are told where it is', async () => {
  const pod = createPod('reader');
  const source = join(files, 'volume');
  mkdirSync(source);
  writeFileSync(join(source, 'greeting'), 'hello');
  const mounts = [{ source, path: '/etc/shop', readOnly: false }];
  const script = `
    const { readFileSync, promises, createReadStream, existsSync } = require('node:fs');
    const { readFile } = require('node:fs/promises');
    (async () => {
      console.log(readFileSync('/etc/shop/greeting', 'utf8'), await readFile('/etc/shop/greeting', 'utf8'));
      for await (const chunk of createReadStream('/etc/shop/greeting')) console.log(String(chunk));
      await promises.writeFile(new URL('file:///etc/shop/new'), 'written');
      fs.renameSync('/etc/shop/new', '/etc/shop/renamed');
      fs.readdir('/etc/shop', (_error, names) => console.log(names.sort().join(), existsSync('/etc/shop/new')));
    })();`;
  const output = await run(pod, [process.execPath, '-e', script], { mounts });
  assert.equal(output, 'hello hello\nhello\ngreeting,renamed false\n');
  const env = { FILE: '/etc/shop/renamed' };
  assert.equal(await run(pod, ['cat', '/etc/shop/greeting'], { mounts }), 'hello');
  assert.equal(await run(pod, ['sh', '-c', 'cat $FILE; pwd'], { mounts, env, cwd: '/etc/shop' }), `written${source}\n`);
});

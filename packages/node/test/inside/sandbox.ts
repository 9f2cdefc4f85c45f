// What a pod's sandbox promises, of either kind. Runs inside the cluster's network.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { hostname as ownHostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SIDECAR_VARIABLE } from '../../src/loopback/loopback-sandbox.ts';
import type { PodSandbox } from '../../src/sandbox/pod-network.ts';
import { countProcesses, createNetwork, onlyInNamespaces, SANDBOX } from '../support/cluster.ts';

const PATH = process.env['PATH'] ?? '';
const PROBE_SOURCE = '169.254.7.127';
const directory = mkdtempSync(join(tmpdir(), 'varka-sandbox-'));
const network = createNetwork();
let pods = 0;

const program = (name: string): string => fileURLToPath(new URL(`../programs/${name}.ts`, import.meta.url));
const namespacesOf = (): string[] => ['net', 'mnt', 'uts'].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));

function createPod(options: { capture?: boolean; hostname?: string } = {}): PodSandbox {
  pods += 1;
  return network.createPod({
    hostname: options.hostname ?? `pod-${pods}`,
    directory: join(directory, String(pods)),
    nameserver: '10.96.0.10',
    searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
    capture: options.capture ?? false,
  });
}

async function run(pod: PodSandbox, argv: readonly string[], cwd = '/', env = {}): Promise<string> {
  const { child, stdout, stderr } = pod.spawn(argv, { env: { PATH, ...env }, cwd });
  let output = '';
  for (const stream of [stdout, stderr]) stream.on('data', (chunk) => (output += chunk));
  const closed = [once(stdout, 'close'), once(stderr, 'close')];
  const [code] = await once(child, 'exit');
  await Promise.all(closed);
  assert.equal(code, 0, output);
  return output.trim();
}

async function serve(pod: PodSandbox, argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = pod.spawn(argv, { env: { PATH }, cwd: '/' });
  stderr.pipe(process.stderr);
  await once(stdout, 'data');
}

const echo = (name: string): string[] => [
  process.execPath,
  '-e',
  `net.createServer((s) => s.end('${name} for ' + s.remoteAddress)).listen(8080, '0.0.0.0', () => console.log('up'))`,
];

async function read(socket: Readable): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

type From = 'application' | 'sidecar';

function connect(
  pod: PodSandbox,
  host: string,
  port: number,
  from: From = 'application',
  source = '',
): Promise<string> {
  // By what capture knows a sidecar's connections.
  const mark = from === 'sidecar' && SANDBOX === 'netns' ? '1337' : '0';
  const env = from === 'sidecar' ? { [SIDECAR_VARIABLE]: '1' } : {};
  return run(pod, [process.execPath, program('connect'), host, String(port), mark, source], '/', env);
}

after(async () => {
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('a pod of its own', () => {
  test('two pods serve the same port and reach each other by address', async () => {
    const one = createPod();
    const two = createPod();
    await serve(one, echo('one'));
    await serve(two, echo('two'));
    assert.equal(await connect(one, two.ip, 8080), `two for ${one.ip}`);
    assert.equal(await connect(two, one.ip, 8080), `one for ${two.ip}`);
    // The supervisor reaches them too, and from inside they have a loopback of their own.
    assert.equal(await read(new Socket().connect({ host: one.ip, port: 8080 })), 'one for 10.244.0.1');
    assert.equal(await read(two.connect(8080)), 'two for 127.0.0.1');
    await one.destroy();
    await two.destroy();
  });

  test('its first connection, right after it was made, is answered at once', async () => {
    const server = createPod();
    await serve(server, echo('server'));
    for (let times = 0; times < 10; times++) {
      const client = createPod();
      const before = Date.now();
      assert.equal(await read(client.connect(8080, server.ip)), `server for ${client.ip}`);
      // A lost packet is sent again after a second.
      assert.ok(Date.now() - before < 900);
      await client.destroy();
    }
    await server.destroy();
  });

  const own = { skip: onlyInNamespaces('without a mount namespace /etc is the machine’s') };
  test('it has its own name, hosts and resolver; the other files are the machine’s', own, async () => {
    const shared = join(directory, 'shared');
    writeFileSync(shared, 'seen by all');
    const pod = createPod({ hostname: 'reviews-1' });
    assert.equal(await run(pod, ['hostname']), 'reviews-1');
    assert.equal(
      await run(pod, ['cat', '/etc/resolv.conf']),
      'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5',
    );
    assert.match(await run(pod, ['cat', '/etc/hosts']), new RegExp(`^${pod.ip}\treviews-1$`, 'm'));
    if (existsSync('/etc/nsswitch.conf')) {
      assert.match(await run(pod, ['cat', '/etc/nsswitch.conf']), /^hosts: files dns$/m);
    }
    assert.equal(await run(pod, ['cat', shared]), 'seen by all');
    assert.notEqual(ownHostname(), 'reviews-1');
    await pod.destroy();
  });

  test('its processes inherit no descriptor and no variable, and start where they are told', async () => {
    const pod = createPod();
    const listing = await run(pod, ['sh', '-c', 'ls /proc/$$/fd; env; pwd'], '/usr');
    const lines = listing.split('\n');
    assert.deepEqual(lines.slice(0, 3), ['0', '1', '2']);
    assert.ok(lines.includes('/usr'));
    assert.ok(!/^3|^[1-9]\d+$/m.test(lines.filter((line) => /^\d+$/.test(line)).join('\n')), listing);
    assert.ok(!/^HOME=|^USER=/m.test(listing), listing);
    await pod.destroy();
  });

  test('its output can be opened again as /dev/stdout', async () => {
    const pod = createPod();
    assert.equal(await run(pod, ['sh', '-c', 'echo again > /dev/stdout']), 'again');
    await pod.destroy();
  });
});

describe('the supervisor', () => {
  const back = { skip: onlyInNamespaces('there are none to be in') };
  test('is back in its own namespaces after every step, failed ones too', back, async () => {
    const before = namespacesOf();
    const cwd = process.cwd();
    const pod = createPod();
    const { child } = pod.spawn(['/no/such/program'], { env: {}, cwd: '/' });
    const [error] = await once(child, 'error');
    assert.equal(error.code, 'ENOENT');
    assert.throws(() => pod.spawn(['x\0y'], { env: {}, cwd: '/' }), TypeError);
    pod.connect(1).on('error', () => undefined);
    assert.throws(() => createPod({ hostname: 'x'.repeat(65) }), /set the host name .*: EINVAL/);
    assert.deepEqual(namespacesOf(), before);
    assert.equal(process.cwd(), cwd);
    await pod.destroy();
  });

  test('ends every process of a pod, one that left its session and parent too', async () => {
    const pod = createPod();
    const { stdout } = pod.spawn(['sh', '-c', 'setsid sh -c "setsid sleep 1000 & echo up" & sleep 1000'], {
      env: { PATH },
      cwd: '/',
    });
    await once(stdout, 'data');
    assert.ok(pod.processes().length >= 3);
    const before = countProcesses();
    await pod.destroy();
    const after = countProcesses();
    assert.ok(after <= before - 3, `${before} → ${after}`);
    assert.throws(() => pod.spawn(['true'], { env: { PATH }, cwd: '/' }), /being removed/);
  });

  test('gives addresses out in turn', async () => {
    const one = createPod();
    await one.destroy();
    const two = createPod();
    assert.notEqual(two.ip, one.ip);
    await two.destroy();
  });
});

describe('capture', () => {
  const setUp = async (): Promise<{ app: PodSandbox; other: PodSandbox }> => {
    const app = createPod({ capture: true });
    const other = createPod();
    await serve(app, echo('app'));
    await serve(app, [process.execPath, program('show-destination'), '15001', '15006', '15021']);
    await serve(other, echo('other'));
    return { app, other };
  };

  test('leads traffic in and out through the sidecar, which sees where it was going', async () => {
    const { app, other } = await setUp();
    assert.equal(await connect(other, app.ip, 8080), `15006 was for ${app.ip}:8080`);
    assert.equal(await connect(app, other.ip, 8080), `15001 was for ${other.ip}:8080`);
    assert.equal(await connect(app, '10.96.77.1', 80), '15001 was for 10.96.77.1:80');
    await app.destroy();
    await other.destroy();
  });

  test('lets the proxy’s mark, the probes, loopback, the sidecar’s ports and the node’s services through', async () => {
    const { app, other } = await setUp();
    assert.equal(await connect(app, other.ip, 8080, 'sidecar'), `other for ${app.ip}`);
    const probe = new Socket().connect({ host: app.ip, port: 8080, localAddress: PROBE_SOURCE });
    assert.equal(await read(probe), `app for ${PROBE_SOURCE}`);
    assert.equal(await connect(app, '127.0.0.1', 8080), 'app for 127.0.0.1');
    assert.equal(await connect(other, app.ip, 15021), `15021 was for ${app.ip}:15021`);
    assert.match(await connect(app, '10.96.0.1', 443), /ECONNREFUSED 10\.96\.0\.1:443/);
    await app.destroy();
    await other.destroy();
  });

  test('sends the proxy’s calls to its own pod round by its inbound side, and what that hands on to the app', async () => {
    const { app, other } = await setUp();
    assert.equal(await connect(app, app.ip, 8080, 'sidecar'), `15006 was for ${app.ip}:8080`);
    assert.equal(await connect(app, app.ip, 8080, 'sidecar', '127.0.0.6'), 'app for 127.0.0.6');
    assert.equal(await connect(app, app.ip, 8080), `app for ${app.ip}`);
    await app.destroy();
    await other.destroy();
  });

  const noNft =
    onlyInNamespaces('capture is decided by who connects, not by nft') ||
    (spawnSync('nft', ['--version']).error !== undefined && 'nft is not on this machine');
  test('its rules are those nft would show', { skip: noNft }, async () => {
    const pod = createPod({ capture: true });
    const rules = (await run(pod, ['nft', 'list', 'table', 'ip', 'varka'])).replace(/^\s+/gm, '');
    assert.equal(
      rules.replaceAll('th dport', 'tcp dport'),
      [
        'table ip varka {',
        'chain prerouting {',
        'type nat hook prerouting priority dstnat; policy accept;',
        'meta l4proto != tcp accept',
        'ip saddr 169.254.7.127 accept',
        'tcp dport 15090 accept',
        'tcp dport 15021 accept',
        'tcp dport 15020 accept',
        'redirect to :15006',
        '}',
        'chain output {',
        'type nat hook output priority -100; policy accept;',
        'meta l4proto != tcp accept',
        'meta mark 0x00000539 oif "lo" ip daddr != 127.0.0.1 ip saddr != 127.0.0.6 redirect to :15006',
        'meta mark 0x00000539 accept',
        'oif "lo" accept',
        'ip daddr 127.77.0.0/16 redirect to :15001',
        'ip daddr 127.0.0.0/8 accept',
        'ip daddr 10.96.0.0/28 accept',
        'redirect to :15001',
        '}',
        '}',
      ].join('\n'),
    );
    await pod.destroy();
  });
});

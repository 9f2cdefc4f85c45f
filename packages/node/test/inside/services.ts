// Cluster IPs for pods without a sidecar, in either sandbox. Runs inside the cluster's network, against an API in memory.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createInformer } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import { Service as ServiceKind, EndpointSlice as SliceKind } from '@varka/kube/kinds/refs.ts';
import { SIDECAR_VARIABLE } from '../../src/loopback/loopback-sandbox.ts';
import type { PodSandbox } from '../../src/sandbox/pod-network.ts';
import { createNetwork, onlyInNamespaces, SANDBOX, startServices } from '../support/cluster.ts';
import { FakeKube } from '../support/fake-kube.ts';
import { log } from '../support/log.ts';
import { service, slice } from '../support/services.ts';

const PATH = process.env['PATH'] ?? '';
const directory = mkdtempSync(join(tmpdir(), 'varka-services-'));
const network = createNetwork();
const kube = new FakeKube();
const services = createInformer<Service>(kube, ServiceKind, { log });
const endpointSlices = createInformer<EndpointSlice>(kube, SliceKind, { log });
const proxy = await startServices(services, endpointSlices, network);
let pods = 0;

after(async () => {
  proxy.stop();
  services.stop();
  endpointSlices.stop();
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

function createPod(capture = false): PodSandbox {
  pods += 1;
  return network.createPod({
    hostname: `pod-${pods}`,
    directory: join(directory, String(pods)),
    nameserver: '10.96.0.10',
    searches: ['cluster.local'],
    capture,
  });
}

/** A pod that says its name, over TCP and UDP, and whom it hears. */
async function serving(name: string, protocol = 'tcp'): Promise<PodSandbox> {
  const pod = createPod();
  const program = fileURLToPath(new URL('../programs/name.ts', import.meta.url));
  const { stdout, stderr } = pod.spawn([process.execPath, program, name, protocol], { env: { PATH }, cwd: '/' });
  stderr.pipe(process.stderr);
  await once(stdout, 'data');
  return pod;
}

async function call(pod: PodSandbox, host: string, port = 80): Promise<string> {
  let text = '';
  for await (const chunk of pod.connect(port, host)) text += chunk;
  return text;
}

async function callMany(pod: PodSandbox, host: string, times: number): Promise<Map<string, number>> {
  const heard = new Map<string, number>();
  for (let done = 0; done < times; done++) {
    const name = (await call(pod, host)).split(' ')[0] as string;
    heard.set(name, (heard.get(name) ?? 0) + 1);
  }
  return heard;
}

/** Tries again until the news has reached the kernel; the last try's error is the test's. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 100) throw error;
      await delay(10);
    }
  }
}

const refused = (pod: PodSandbox, host: string, port = 80) =>
  assert.rejects(call(pod, host, port), { code: 'ECONNREFUSED' });

describe('a pod without a sidecar', () => {
  test('reaches a service’s ready endpoints, all of them, and follows them', async () => {
    const [one, two, three, client] = [await serving('one'), await serving('two'), await serving('three'), createPod()];
    await kube.create(ServiceKind, service('web', '10.96.1.1', [{ port: 80 }]));
    await kube.create(SliceKind, slice('web', [{ port: 8080 }], [one.ip, two.ip, { ip: three.ip, ready: false }]));
    await eventually(() => call(client, '10.96.1.1'));
    const heard = await callMany(client, '10.96.1.1', 60);
    assert.deepEqual([...heard.keys()].sort(), ['one', 'two']);
    assert.ok(
      [...heard.values()].every((count) => count >= 10),
      JSON.stringify([...heard]),
    );
    // The address a server sees is its client's own.
    assert.match(await call(client, '10.96.1.1'), new RegExp(` for ${client.ip}$`));

    await kube.update(SliceKind, slice('web', [{ port: 8080 }], [two.ip]));
    await eventually(async () => assert.deepEqual([...(await callMany(client, '10.96.1.1', 10)).keys()], ['two']));
    assert.deepEqual([...(await callMany(client, '10.96.1.1', 30)).keys()], ['two']);

    await kube.update(SliceKind, slice('web', [{ port: 8080 }], []));
    await eventually(() => refused(client, '10.96.1.1'));
    await kube.update(SliceKind, slice('web', [{ port: 8080 }], [three.ip]));
    await eventually(() => call(client, '10.96.1.1'));
    await kube.delete(ServiceKind, 'web', 'default');
    await eventually(() => refused(client, '10.96.1.1'));
    await Promise.all([one, two, three, client].map((pod) => pod.destroy()));
  });

  test('is refused at once where there is nothing: no endpoints, no such port, no such service, no such pod', async () => {
    const client = createPod();
    const gone = await serving('gone');
    await kube.create(ServiceKind, service('empty', '10.96.1.2', [{ port: 80 }]));
    assert.match(await call(client, gone.ip, 8080), /^gone/);
    await gone.destroy();
    const before = Date.now();
    // More often than the kernel would send ICMP errors.
    for (let times = 0; times < 20; times++) {
      await refused(client, '10.96.1.2');
      await refused(client, '10.96.1.2', 81);
      await refused(client, '10.96.99.99');
      await refused(client, gone.ip, 8080);
    }
    const own = new Socket().connect({ host: '10.96.99.99', port: 80 });
    await assert.rejects(once(own, 'connect'), { code: 'ECONNREFUSED' });
    assert.ok(Date.now() - before < 1_000);
    await client.destroy();
  });

  test('reaches a node port and a load balancer’s address, and is refused at a port that it has not', async () => {
    const [one, client] = [await serving('one'), createPod()];
    const web = service('balanced', '10.96.1.4', [{ port: 80, nodePort: 30_080 }]);
    await kube.create(ServiceKind, { ...web, status: { loadBalancer: { ingress: [{ ip: '127.77.1.2' }] } } });
    await kube.create(SliceKind, slice('balanced', [{ port: 8080 }], [one.ip]));
    assert.equal(await eventually(() => call(client, '127.77.1.2')), `one for ${client.ip}`);
    assert.equal(await call(client, '10.244.0.1', 30_080), `one for ${client.ip}`);
    assert.equal(await call(one, '127.77.1.2'), 'one for 10.244.0.1');
    await refused(client, '127.77.1.2', 81);
    await refused(client, '127.77.1.3');
    await refused(client, '127.0.0.1');
    await Promise.all([one, client].map((pod) => pod.destroy()));
  });

  test('reaches itself through a service', async () => {
    const self = await serving('self');
    await kube.create(ServiceKind, service('self', '10.96.1.3', [{ port: 80 }]));
    await kube.create(SliceKind, slice('self', [{ port: 8080 }], [self.ip]));
    assert.equal(await eventually(() => call(self, '10.96.1.3')), 'self for 10.244.0.1');
    // As does the supervisor.
    const own = new Socket().connect({ host: '10.96.1.3', port: 80 });
    let text = '';
    for await (const chunk of own) text += chunk;
    assert.equal(text, 'self for 10.244.0.1');
    await self.destroy();
  });

  test('reaches it over UDP, and a removed endpoint is followed by a client that goes on', {
    timeout: 10_000,
    skip: onlyInNamespaces('UDP is not carried'),
  }, async () => {
    const [one, two, client] = [await serving('one', 'udp'), await serving('two', 'udp'), createPod()];
    await kube.create(ServiceKind, service('names', '10.96.1.4', [{ port: 53, protocol: 'UDP' }]));
    await kube.create(SliceKind, slice('names', [{ port: 8080, protocol: 'UDP' }], [one.ip]));
    const program = fileURLToPath(new URL('../programs/ask-udp.ts', import.meta.url));
    const argv = [process.execPath, program, '10.96.1.4', '53'];
    const { child, stdout, stderr } = client.spawn(argv, { env: { PATH }, cwd: '/' });
    stderr.pipe(process.stderr);
    const heard = (name: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (chunk: Buffer): void => {
          if (!String(chunk).includes(`${name} for ${client.ip}`)) return;
          stdout.off('data', look);
          resolve();
        };
        stdout.on('data', look);
      });
    await heard('one');
    await kube.update(SliceKind, slice('names', [{ port: 8080, protocol: 'UDP' }], [two.ip]));
    await heard('two');
    child.kill('SIGKILL');
    await Promise.all([one, two, client].map((pod) => pod.destroy()));
  });

  test('a service with affinity to clients sends each to one endpoint', async () => {
    const servers = [await serving('one'), await serving('two'), await serving('three')];
    const clients = Array.from({ length: 8 }, () => createPod());
    await kube.create(ServiceKind, service('sticky', '10.96.1.5', [{ port: 80 }], { sessionAffinity: 'ClientIP' }));
    await kube.create(
      SliceKind,
      slice(
        'sticky',
        [{ port: 8080 }],
        servers.map(({ ip }) => ip),
      ),
    );
    await eventually(() => call(clients[0] as PodSandbox, '10.96.1.5'));
    const all = new Set<string>();
    for (const client of clients) {
      const heard = await callMany(client, '10.96.1.5', 8);
      assert.equal(heard.size, 1);
      for (const name of heard.keys()) all.add(name);
    }
    assert.ok(all.size > 1, [...all].join());
    await Promise.all([...servers, ...clients].map((pod) => pod.destroy()));
  });
});

test('what a sidecar passes on by its mark is translated too', async () => {
  const server = await serving('server');
  const app = createPod(true);
  await kube.create(ServiceKind, service('behind', '10.96.1.6', [{ port: 80 }]));
  await kube.create(SliceKind, slice('behind', [{ port: 8080 }], [server.ip]));
  const program = fileURLToPath(new URL('../programs/connect.ts', import.meta.url));
  const outcome = await eventually(async () => {
    const mark = SANDBOX === 'netns' ? '1337' : '0';
    const argv = [process.execPath, program, '10.96.1.6', '80', mark];
    const { child, stdout } = app.spawn(argv, { env: { PATH, [SIDECAR_VARIABLE]: '1' }, cwd: '/' });
    let text = '';
    stdout.on('data', (chunk) => (text += chunk));
    await Promise.all([once(child, 'exit'), once(stdout, 'close')]);
    assert.doesNotMatch(text, /ECONNREFUSED/);
    return text.trim();
  });
  assert.equal(outcome, `server for ${app.ip}`);
  await Promise.all([server, app].map((pod) => pod.destroy()));
});

test('hundreds of services come, change and go while one is called, and none of its calls fails', async () => {
  const [server, client] = [await serving('steady'), createPod()];
  await kube.create(ServiceKind, service('steady', '10.96.2.1', [{ port: 80 }]));
  await kube.create(SliceKind, slice('steady', [{ port: 8080 }], [server.ip]));
  await eventually(() => call(client, '10.96.2.1'));
  const names = Array.from({ length: 500 }, (_, index) => ({ name: `many-${index}`, ip: addressOf(index) }));
  /** Between one change and the next, time and again. */
  const callOn = async (index: number): Promise<void> => {
    if (index % 20 === 0) assert.match(await call(client, '10.96.2.1'), /^steady/);
  };
  const last = names.at(-1) as { name: string; ip: string };
  for (const [index, { name, ip }] of names.entries()) {
    await kube.create(ServiceKind, service(name, ip, [{ port: 80 }]));
    await kube.create(SliceKind, slice(name, [{ port: 8080 }], [server.ip, '10.244.200.1']));
    await callOn(index);
  }
  for (const [index, { name }] of names.entries()) {
    await kube.update(SliceKind, slice(name, [{ port: 8080 }], [server.ip]));
    await callOn(index);
  }
  await eventually(async () => assert.match(await call(client, last.ip), /^steady/));
  for (const [index, { name }] of names.entries()) {
    await kube.delete(ServiceKind, name, 'default');
    await callOn(index);
  }
  await eventually(() => refused(client, last.ip));
  await Promise.all([server, client].map((pod) => pod.destroy()));
});

function addressOf(index: number): string {
  return `10.96.${100 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}

const noNft =
  onlyInNamespaces('the table is not the kernel’s') ||
  (spawnSync('nft', ['--version']).error !== undefined && 'nft is not on this machine');
test('its table is what nft would show', { skip: noNft }, () => {
  const { stdout } = spawnSync('nft', ['list', 'table', 'ip', 'varka-services'], { encoding: 'utf8' });
  const chains = stdout.slice(stdout.indexOf('chain')).replace(/^\s+/gm, '');
  const rules = [
    'type nat hook prerouting priority dstnat; policy accept;\nip daddr . meta l4proto . th dport vmap @frontends\n',
    'type nat hook output priority -100; policy accept;\nip daddr . meta l4proto . th dport vmap @frontends\n',
    'priority srcnat; policy accept;\nip saddr . ip daddr @loops snat to 10.244.0.1\n',
    'chain random-1 {\ndnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @backends\n',
    'dnat ip to ip daddr . meta l4proto . th dport . jhash ip saddr mod 3 seed 0x0 map @backends\n',
  ];
  for (const rule of rules) assert.ok(chains.includes(rule), chains);
});

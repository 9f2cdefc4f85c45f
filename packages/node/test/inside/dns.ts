// Names resolved from inside pods, through the machine's own resolver library. Runs inside the cluster's network.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDnsServer } from '../../src/dns/server.ts';
import { NetnsNetwork } from '../../src/netns/netns-network.ts';
import { createNetwork, onlyInNamespaces } from '../support/cluster.ts';
import { fixedNames, fixedStandIns, fixedView } from '../support/dns-view.ts';
import { log } from '../support/log.ts';

const PATH = process.env['PATH'] ?? '';
const network = createNetwork();
const directory = mkdtempSync(join(tmpdir(), 'varka-dns-'));
const zone = 'cluster.local';
const dns =
  network instanceof NetnsNetwork
    ? await startDnsServer({ address: '10.96.0.10', port: 53, zone, view: fixedView, log })
    : network.setServices({ frontends: {}, names: fixedNames, standIns: fixedStandIns });
const pod = network.createPod({
  hostname: 'asker',
  directory,
  nameserver: '10.96.0.10',
  searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  // Questions over TCP must get past the capture as well.
  capture: true,
});

after(async () => {
  await dns?.close();
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

async function run(argv: readonly string[]): Promise<string> {
  const { child, stdout } = pod.spawn(argv, { env: { PATH }, cwd: '/' });
  let output = '';
  stdout.on('data', (chunk) => (output += chunk));
  await Promise.all([once(child, 'exit'), once(stdout, 'close')]);
  return output.trim();
}

test('short names by the search list, other namespaces by name, the API server', async () => {
  const script = `
    const { lookup, resolveSrv } = require('node:dns/promises');
    const ask = async (name) => { try { return (await lookup(name, { all: true })).map((a) => a.address).sort().join(); } catch (e) { return e.code; } };
    (async () => {
      for (const name of ['cart', 'pay.bank', 'pay.bank.svc.cluster.local', 'db', 'db-0.db', 'kubernetes.default', 'nobody', 'time.example.org', 'localhost', 'asker'])
        console.log(name, await ask(name));
      console.log(JSON.stringify(await resolveSrv('_http._tcp.cart.shop.svc.cluster.local')));
    })();`;
  assert.deepEqual(
    (await run([process.execPath, '-e', script])).split('\n'),
    [
      'cart 10.96.1.1',
      'pay.bank 10.96.1.2',
      'pay.bank.svc.cluster.local 10.96.1.2',
      'db 10.244.0.7,10.244.0.8',
      'db-0.db 10.244.0.7',
      'kubernetes.default 10.96.0.1',
      'nobody ENOTFOUND',
      'time.example.org 10.96.1.2',
      'localhost 127.0.0.1,::1',
      `asker ${pod.ip}`,
      JSON.stringify([{ name: 'cart.shop.svc.cluster.local', port: 80, priority: 0, weight: 100, type: 'SRV' }]),
    ].map((line) => line),
  );
});

test('names of the world outside are nobody’s', {
  skip: onlyInNamespaces('they are the machine’s to resolve'),
}, async () => {
  const script = `require('node:dns').lookup('example.com', (error) => console.log(error.code))`;
  assert.equal(await run([process.execPath, '-e', script]), 'ENOTFOUND');
});

const noServer = onlyInNamespaces('no name server takes part');
test('a question from port 0, which cannot be answered, harms nobody', { skip: noServer }, async () => {
  // In the supervisor, this would be its end.
  const stray: unknown[] = [];
  process.on('unhandledRejection', (error) => stray.push(error));
  const program = fileURLToPath(new URL('../programs/ask-from-port-zero.ts', import.meta.url));
  assert.equal(await run([process.execPath, program, '10.96.0.10', '53']), 'sent');
  const script = `require('node:dns').lookup('cart', (_error, address) => console.log(address))`;
  assert.equal(await run([process.execPath, '-e', script]), '10.96.1.1');
  assert.deepEqual(stray, []);
});

const noGetent =
  onlyInNamespaces('the C library does not know of the cluster’s names') ||
  (spawnSync('getent', ['--version']).error !== undefined && 'getent is not on this machine');
test('the C library agrees', { skip: noGetent }, async () => {
  assert.match(await run(['getent', 'ahostsv4', 'cart']), /^10\.96\.1\.1\s+STREAM cart\.shop\.svc\.cluster\.local/);
  assert.equal(await run(['getent', 'ahostsv4', 'nobody']), '');
});

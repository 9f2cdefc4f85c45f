import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { loadOrCreateCredentials } from '../src/credentials/credentials.ts';
import { writeKubeconfig } from '../src/credentials/kubeconfig-file.ts';

describe('credentials', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varka-credentials-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('are made once, and read again', async () => {
    const first = await loadOrCreateCredentials(folder);
    assert.deepEqual(await loadOrCreateCredentials(folder), first);
    const server = new X509Certificate(first.server.cert);
    for (const name of ['localhost', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'])
      assert.ok(server.checkHost(name), name);
    for (const address of ['127.0.0.1', '10.96.0.1']) assert.ok(server.checkIP(address), address);
    const ca = new X509Certificate(first.ca);
    assert.ok(ca.ca && server.verify(ca.publicKey) && new X509Certificate(first.client.cert).verify(ca.publicKey));
    assert.match(new X509Certificate(first.client.cert).subject, /O=system:masters/);
  });

  test('are for their owner only', async () => {
    for (const file of ['ca.key', 'server.key', 'client.key', 'token']) {
      assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600, file);
    }
  });

  test('are made anew when a name is missing, when they run out, or when a file is damaged', async () => {
    const first = await loadOrCreateCredentials(folder);
    const named = await loadOrCreateCredentials(folder, { dnsNames: ['varka.test'] });
    assert.equal(named.ca, first.ca);
    assert.ok(new X509Certificate(named.server.cert).checkHost('varka.test'));
    const later = await loadOrCreateCredentials(folder, { now: () => new Date(Date.now() + 350 * 24 * 3600 * 1000) });
    assert.equal(later.ca, first.ca);
    assert.notEqual(later.client.cert, first.client.cert);
    await truncate(join(folder, 'server.crt'), 40);
    const healed = await loadOrCreateCredentials(folder);
    assert.ok(new X509Certificate(healed.server.cert).verify(new X509Certificate(healed.ca).publicKey));
    await rm(join(folder, 'ca.key'));
    const anew = await loadOrCreateCredentials(folder);
    assert.notEqual(anew.ca, first.ca);
    assert.ok(new X509Certificate(anew.client.cert).verify(new X509Certificate(anew.ca).publicKey));
  });

  test('a kubeconfig with one context, private', async () => {
    const path = join(folder, 'kubeconfig');
    const credentials = await loadOrCreateCredentials(folder);
    await writeKubeconfig(path, { server: 'https://127.0.0.1:6443', name: 'demo', credentials, namespace: 'apps' });
    const config = parse(await readFile(path, 'utf8'));
    assert.equal(config['current-context'], 'demo');
    assert.deepEqual(config.contexts, [
      { name: 'demo', context: { cluster: 'demo', user: 'demo', namespace: 'apps' } },
    ]);
    assert.equal(config.clusters[0].cluster.server, 'https://127.0.0.1:6443');
    assert.equal(Buffer.from(config.users[0].user['client-key-data'], 'base64').toString(), credentials.client.key);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });
});

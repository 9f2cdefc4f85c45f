// The two commands of the README: up with the demo, requests through the mesh, down without a trace.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { leftovers, traces } from './support/leftovers.ts';
import { burst } from './support/load.ts';
import { Mesh } from './support/mesh.ts';
import { namespacesAllowed, skipUnless } from './support/peers.ts';

const skip = skipUnless(namespacesAllowed());

test('the chain runs in the mesh, and nothing is left of it', { skip }, async (t) => {
  const mesh = new Mesh();
  after(() => mesh.dispose());

  const up = await mesh.up('-f', 'demos/chain');
  assert.equal(up.code, 0, up.stdout + up.stderr);
  assert.match(up.stdout, /✓ API server .*\n(.*\n)*✓ pods 5\/5 /);
  const [, first = '?'] = /first 200 through the gateway after ([\d.]+ m?s)/.exec(up.stdout) ?? [];
  t.diagnostic(`first 200 through the gateway after ${first}`);
  const running = traces(mesh);
  // unshare's child, five sidecars (one of them the gateway) and four applications.
  assert.ok(running.processes >= 10, `${running.processes} processes`);

  const status = await mesh.status();
  assert.equal(up.stdout.includes(`export KUBECONFIG=${status.kubeconfig}`), true);
  assert.equal(status.profile, 'default');
  assert.deepEqual(
    status.pods.map(({ name, ready }) => `${name.replace(/-[a-z0-9]+-[a-z0-9]+$/, '')} ${ready}`).sort(),
    ['istio-ingressgateway 1/1', 'service-a 2/2', 'service-b 2/2', 'service-c-v1 2/2', 'service-c-v2 2/2'],
  );
  assert.equal(status.proxies.length, 5);
  for (const { name, cds, lds, eds, rds } of status.proxies)
    assert.deepEqual(
      { name, cds, lds, eds, rds },
      { name, cds: 'SYNCED', lds: 'SYNCED', eds: 'SYNCED', rds: 'SYNCED' },
    );
  assert.deepEqual(
    status.findings.filter(({ level }) => level === 'error'),
    [],
  );

  // One after the other over one connection, with no rule in place: round robin takes the versions in turn.
  const answers = await burst(`${status.gateway.http}/service-a`, 40, 1);
  for (const { status: code, body } of answers) {
    assert.equal(code, 200);
    assert.match(body, /^Service A <- Service B <- Service C \| v[12] \| \S+ \| \d+\n$/);
  }
  const versions = answers.map(({ body }) => /\| (v[12]) \|/.exec(body)?.[1]);
  for (let i = 1; i < versions.length; i++)
    assert.notEqual(versions[i], versions[i - 1], `requests ${i} and ${i + 1} of ${versions.join(' ')}`);

  const unknown = await burst(`${status.gateway.http}/elsewhere`, 1, 1);
  assert.equal(unknown[0]?.status, 404);

  const logs = await mesh.varka('logs', 'service-a', '-c', 'istio-proxy');
  assert.match(logs.stdout, /"GET \/service-a HTTP\/1\.1" 200 /);

  const down = await mesh.varka('down');
  assert.equal(down.code, 0, down.stderr);
  assert.deepEqual(leftovers(mesh, running), []);
});

// The lines of OpenShift's walkthroughs, through `oc` and through kubectl's plugin, and a Route that leads somewhere.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, ROOT, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const PATIENCE_MS = 20_000;
const BIN = join(ROOT, 'packages/varka/bin');

/** As `curl -H "Host: …"` asks. */
function ask(url: string, host: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers: { host } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject);
    call.end();
  });
}

describe('oc', { skip: skipUnless(namespacesAllowed(), kubectlPeer) }, () => {
  const mesh = new Mesh();
  const kubectl = () => must(kubectlPeer);
  const oc = async (...args: string[]): Promise<string> => {
    const result = await mesh.run('env', [`KUBECTL=${kubectl()}`, process.execPath, join(BIN, 'oc.mjs'), ...args]);
    assert.equal(result.code, 0, `oc ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };

  before(async () => {
    const { code, stderr } = await mesh.up('-f', 'demos/chain');
    assert.equal(code, 0, stderr);
  });
  after(() => mesh.dispose());

  test('projects are namespaces, and one of them is in use', async () => {
    const server = (await mesh.status()).api;
    assert.equal(await oc('new-project', 'istio-system'), `Now using project "istio-system" on server "${server}".\n`);
    assert.equal(await oc('new-project', 'shop'), `Now using project "shop" on server "${server}".\n`);
    assert.equal(await oc('project'), `Using project "shop" on server "${server}".\n`);
    await oc('project', 'servicemesh-apps');
    const pods = (await oc('get', 'pod', '--no-headers')).trim().split('\n');
    assert.deepEqual(
      pods.map((line) => line.split(/ +/)[1]),
      ['2/2', '2/2', '2/2', '2/2'],
    );
    await oc('scale', 'deploy/service-c-v1', '--replicas', '0');
    assert.equal(await oc('get', 'deploy', 'service-c-v1', '-o', 'jsonpath={.spec.replicas}'), '0');
  });

  test('a route at the edge gives a Service a name of its own at the gateway', async () => {
    assert.match(
      await oc('-n', 'servicemesh-apps', 'create', 'route', 'edge', 'chain', '--service', 'service-a'),
      /^route.route.openshift.io\/chain created$/m,
    );
    const { gateway } = await mesh.status();
    const port = new URL(gateway.http).port;
    const host = await eventually(
      'the route has a host',
      PATIENCE_MS,
      async () => (await oc('get', 'routes', 'chain', '-o', 'jsonpath={ .spec.host }')) || undefined,
    );
    assert.equal(host, `chain-servicemesh-apps.localhost:${port}`);
    const answer = await eventually('the route is live', PATIENCE_MS, async () => {
      const seen = await ask(gateway.http, host);
      return seen.status === 200 ? seen.text : undefined;
    });
    assert.match(answer, /^Service A <- Service B <- Service C \| v\d /);
    assert.equal((await ask(gateway.http, `other.localhost:${port}`)).status, 404);
  });

  test('as does kubectl, by its plugin', async (t) => {
    const { stdout } = await mesh.run(kubectl(), ['version', '--client', '-o', 'json']);
    const { minor } = (JSON.parse(stdout) as { clientVersion: { minor: string } }).clientVersion;
    if (Number.parseInt(minor, 10) < 29) return t.skip(`kubectl 1.${minor} knows no plugins of create`);
    // npm links it by this name.
    const result = await mesh.run('env', [
      `PATH=${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`,
      `KUBECTL=${kubectl()}`,
      kubectl(),
      ...['create', 'route', 'edge', 'plugged', '--service=service-a', '-n', 'servicemesh-apps', '-o', 'name'],
    ]);
    assert.equal(result.stdout, 'route.route.openshift.io/plugged\n', result.stderr);
  });
});

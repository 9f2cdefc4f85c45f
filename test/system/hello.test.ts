// hello in a mesh, and the GitOps walkthrough that it stands in for, on the manifests of the walkthrough's own repository.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { behaves } from '../../demos/hello/test/behaviour.ts';
import { binomialBounds } from './support/binomial.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { burst } from './support/load.ts';
import { Mesh } from './support/mesh.ts';
import { must, namespacesAllowed, SANDBOXES, seedManifests, skipSandbox, skipUnless } from './support/peers.ts';
import { serviceTarget } from './support/service-target.ts';

const kubectlPeer = findKubectl();
const seedPeer = seedManifests('seed-0');
const VERSIONS = ['v1', 'v2', 'development', 'mirror', 'v5', 'v6'];
const REQUESTS = 1_000;
const CONNECTIONS = 4;
/** Chance that a correct mesh fails the check of a share. */
const FALSE_ALARM = 1e-9;
const PATIENCE_MS = 20_000;

function kubectlOf(mesh: Mesh) {
  return async (...args: string[]): Promise<string> => {
    const result = await mesh.run(must(kubectlPeer), args);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
}

/** What the walkthrough promises of its rules. */
function followsTheRules(mesh: Mesh, namespace: string, route: () => string): void {
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://${route()}${path}`, { headers });
    return { status: response.status, text: await response.text() };
  };

  test('four requests in five get v1, one gets v2', async (t: TestContext) => {
    const answers = await burst(`http://${route()}/api/v1`, REQUESTS, CONNECTIONS);
    const counts: Record<string, number> = {};
    for (const { status, body } of answers) counts[`${status} ${body}`] = (counts[`${status} ${body}`] ?? 0) + 1;
    const first = counts['200 Hello my version is: v1\n'] ?? 0;
    assert.equal(first + (counts['200 Hello my version is: v2\n'] ?? 0), REQUESTS, JSON.stringify(counts));
    const { low, high } = binomialBounds(REQUESTS, 0.8, FALSE_ALARM);
    t.diagnostic(`v1 answered ${first} of ${REQUESTS}`);
    assert.ok(first >= low && first <= high, `${first} is not from ${low} to ${high}`);
  });

  test('developers get the version in development', async () => {
    for (let times = 0; times < 10; times++)
      assert.deepEqual(await ask('/api/v1', { env: 'dev' }), {
        status: 200,
        text: 'Hello my version is: development\n',
      });
  });

  test('what developers ask for, v4 is asked too, and nobody hears what it says', async () => {
    const logged = async () => {
      const log = await kubectlOf(mesh)('logs', '-n', namespace, '-l', 'version=v4', '--tail=-1');
      return [...log.matchAll(/"GET \/api\/v1\?copy HTTP\/1\.1" 200 28 /g)].length;
    };
    for (let times = 0; times < 5; times++)
      assert.equal((await ask('/api/v1?copy', { env: 'dev' })).text, 'Hello my version is: development\n');
    await eventually('v4 has logged them all', PATIENCE_MS, async () => ((await logged()) >= 5 ? true : undefined));
    assert.equal(await logged(), 5);
  });

  test('who asks for trouble gets it three times out of four, and v5 else', async (t: TestContext) => {
    let aborted = 0;
    for (let sent = 0; sent < REQUESTS / 5; sent++) {
      const { status, text } = await ask('/api/v1', { fail: 'true' });
      if (status === 503) aborted++;
      assert.equal(text, status === 503 ? 'fault filter abort' : 'Hello my version is: v5\n');
    }
    const { low, high } = binomialBounds(REQUESTS / 5, 0.75, FALSE_ALARM);
    t.diagnostic(`${aborted} of ${REQUESTS / 5} were aborted`);
    assert.ok(aborted >= low && aborted <= high, `${aborted} is not from ${low} to ${high}`);
  });

  test('four failures in a row are hidden by the fifth try', async () => {
    const logged = async () => {
      const log = await kubectlOf(mesh)('logs', '-n', namespace, '-l', 'version=v6', '--tail=-1');
      return [...log.matchAll(/"GET \/api\/v1\/fail HTTP\/1\.1" (\d+ \d+) /g)].map(([, found]) => found);
    };
    const before = (await logged()).length; // `varka up` may have tried this very path
    for (let times = 0; times < 4; times++)
      assert.deepEqual(await ask('/api/v1/fail'), { status: 200, text: 'Hello my version is: v6\n' });
    const statuses = await eventually('v6 has logged them all', PATIENCE_MS, async () => {
      const lines = (await logged()).slice(before);
      return lines.length >= 20 ? lines : undefined;
    });
    const round = ['503 19', '503 19', '503 19', '503 19', '200 24'];
    assert.deepEqual(statuses, [...round, ...round, ...round, ...round]);
  });
}

for (const sandbox of SANDBOXES)
  describe(`hello in a mesh, pods in ${sandbox}`, { skip: skipSandbox(sandbox) || skipUnless(kubectlPeer) }, () => {
    const mesh = new Mesh();
    let route = '';
    before(async () => {
      const { code, stdout, stderr } = await mesh.up('-f', 'demos/hello', '--sandbox', sandbox);
      assert.equal(code, 0, stdout + stderr);
      route = (await mesh.status()).gateway.http.replace('http://', '');
    });
    after(() => mesh.dispose());

    test('is six versions, each with a sidecar', async () => {
      const pods = (await mesh.status()).pods.filter(({ namespace }) => namespace === 'hello');
      assert.deepEqual(
        pods.map(({ name, ready }) => `${name.split('-').slice(0, 2).join('-')} ${ready}`).sort(),
        [1, 2, 3, 4, 5, 6].map((number) => `hello-v${number} 2/2`),
      );
    });

    behaves(() => serviceTarget(mesh, 'hello', { hello: 'http' }), 'hello', VERSIONS);
    followsTheRules(mesh, 'hello', () => route);
  });

describe('seed 0', { skip: skipUnless(namespacesAllowed(), kubectlPeer, seedPeer) }, () => {
  const mesh = new Mesh();
  const kubectl = kubectlOf(mesh);
  const manifest = (path: string) => join(must(seedPeer), path);
  let route = '';
  before(async () => {
    const { code, stdout, stderr } = await mesh.up();
    assert.equal(code, 0, stdout + stderr);
  });
  after(() => mesh.dispose());

  test('what its operators would act on is kept', async () => {
    for (const name of ['openshift-operators', 'openshift-gitops']) await kubectl('create', 'namespace', name);
    await kubectl('apply', '-f', manifest('gitops/subscription.yaml'));
    await kubectl('apply', '-f', manifest('gitops/argocd-repository.yaml'));
    await kubectl('apply', '-f', manifest('gitops/argo-apps/'));
    await kubectl('apply', '-f', manifest('service-mesh/operators/'));
    const applications = await kubectl('get', 'applications.argoproj.io', '-n', 'openshift-gitops', '-o', 'name');
    assert.equal(applications.trim().split('\n').length, 3);
  });

  test('the mesh and the six versions come up, each pod with a sidecar', async () => {
    for (const file of ['namespace', 'sm-control-plane', 'sm-member-role', 'rolebinding'])
      await kubectl('apply', '-f', manifest(`service-mesh/control-plane/${file}.yaml`));
    await kubectl('apply', '-f', manifest('sample-app/k8s_resources/namespace.yaml'));
    for (const file of ['gateway', 'virtual-service'])
      await kubectl('apply', '-f', manifest(`service-mesh/control-plane/${file}.yaml`));
    await kubectl('apply', '-n', 'dev', '-f', manifest('sample-app/k8s_resources/'));
    await kubectl('wait', '-n', 'dev', '--for=condition=Available', 'deployment', '--all', '--timeout=60s');
    const pods = (await kubectl('get', 'pods', '-n', 'dev', '--no-headers')).trim().split('\n');
    assert.deepEqual(
      pods.map((line) => line.replace(/^(sample-app-v\d)-\S+ +(\S+) +(\S+) .*$/, '$1 $2 $3')).sort(),
      [1, 2, 3, 4, 5, 6].map((number) => `sample-app-v${number} 2/2 Running`),
      'each Deployment has one pod, although all six select the same label',
    );
    const jsonpath = 'jsonpath={ .spec.host }';
    route = await kubectl('-n', 'istio-system', 'get', 'route', 'istio-ingressgateway', '-o', jsonpath);
    await eventually('the gateway knows the rules', PATIENCE_MS, async () =>
      (await fetch(`http://${route}/api/v1`)).status === 200 ? true : undefined,
    );
  });

  behaves(() => serviceTarget(mesh, 'dev', { 'sample-app': 'http' }), 'sample-app', VERSIONS);
  followsTheRules(mesh, 'dev', () => route);
});

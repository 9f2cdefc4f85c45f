// The loopback sandbox, as an ordinary user where every namespace is refused: it is chosen by itself, says so, carries
// the chain under real kubectl, keeps profiles apart, and leaves nothing behind however it ends.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { refusal } from '../../packages/node/test/support/unshared.ts';
import { eventually } from './support/eventually.ts';
import { findKubectl } from './support/kubectl.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { burst } from './support/load.ts';
import { Mesh, newHome } from './support/mesh.ts';
import { must, namespacesAllowed, ordinaryUser, skipUnless } from './support/peers.ts';

const kubectlPeer = findKubectl();
const refusedHere = refusal('refused', import.meta.filename);
const skip = skipUnless(kubectlPeer, refusedHere === undefined ? { found: true } : { missing: refusedHere });

function newMesh(t: TestContext, options: ConstructorParameters<typeof Mesh>[0] = {}): Mesh {
  const mesh = new Mesh({ refused: true, ...options });
  t.after(() => mesh.dispose());
  return mesh;
}

const CHAIN = /^Service A <- Service B <- Service C \| v[12] \| \S+ \| \d+\n$/;

async function answersOf(mesh: Mesh, count: number): Promise<string[]> {
  const { gateway } = await mesh.status();
  const answers = await burst(`${gateway.http}/service-a`, count, 4);
  for (const { status, body } of answers) assert.deepEqual([status, CHAIN.test(body)], [200, true], body);
  return answers.map(({ body }) => /\| (v[12]) \|/.exec(body)?.[1] ?? '');
}

test('chosen where namespaces are refused; the chain answers, and kubectl changes it', { skip }, async (t) => {
  const mesh = newMesh(t);
  const kubectl = (...args: string[]) => mesh.run(must(kubectlPeer), args);
  const up = await mesh.up('-f', 'demos/chain');
  assert.equal(up.code, 0, up.stdout + up.stderr);
  assert.match(
    up.stdout,
    /· sandbox: loopback \(the system refuses to make namespaces: .*\); pods are not isolated .*HTTP_PROXY.*UDP/,
  );
  const [, first = '?'] = /first 200 through the gateway after ([\d.]+ m?s)/.exec(up.stdout) ?? [];
  t.diagnostic(`first 200 through the gateway after ${first}`);
  assert.equal((await mesh.status()).sandbox, 'loopback');
  assert.match((await mesh.varka('status')).stdout, /sandbox loopback/);
  assert.deepEqual([...new Set(await answersOf(mesh, 40))].sort(), ['v1', 'v2']);
  for (const file of ['0-subsets', '1-all-v1']) await kubectl('apply', '-f', `demos/chain/canary/${file}.yaml`);
  await eventually('only version 1 answers', 5_000, async () =>
    (await answersOf(mesh, 20)).every((version) => version === 'v1') ? true : undefined,
  );
  const pods = await kubectl('get', 'pods', '-n', 'servicemesh-apps', '--no-headers');
  assert.equal(
    pods.stdout
      .trim()
      .split('\n')
      .filter((line) => / 2\/2 +Running /.test(line)).length,
    4,
  );
  // The application hears its sidecar as it would by Istio's own capture.
  const logs = await kubectl('logs', '-n', 'servicemesh-apps', '-l', 'app=service-b', '-c', 'istio-proxy');
  assert.match(logs.stdout, /inbound\|8080\|\| 127\.0\.0\.6:\d+ 10\.244\.0\.\d+:8080 10\.244\.0\.\d+:\d+ /);
  // A pod that is killed comes back.
  await kubectl('delete', 'pods', '-n', 'servicemesh-apps', '-l', 'app=service-b', '--wait=false');
  await kubectl('rollout', 'status', '-n', 'servicemesh-apps', 'deployment/service-b', '--timeout=30s');
  await answersOf(mesh, 20);
  const running = traces(mesh);
  assert.ok(running.processes >= 9, `${running.processes} processes`);
  assert.equal((await mesh.varka('down')).code, 0);
  assert.deepEqual(leftovers(mesh, running), []);
});

test('two profiles, with the same addresses in both, do not meet', { skip }, async (t) => {
  const home = newHome(true);
  const [one, two] = ['one', 'two'].map((profile) => newMesh(t, { home, profile }));
  assert.ok(one !== undefined && two !== undefined);
  const ups = await Promise.all([one.up('-f', 'demos/chain'), two.up('-f', 'demos/chain')]);
  for (const { code, stdout, stderr } of ups) assert.equal(code, 0, stdout + stderr);
  const [first, second] = [await one.status(), await two.status()];
  assert.deepEqual(first.pods.map(({ ip }) => ip).sort(), second.pods.map(({ ip }) => ip).sort());
  await Promise.all([answersOf(one, 20), answersOf(two, 20)]);
  const running = traces(one);
  assert.equal((await one.varka('down')).code, 0);
  assert.deepEqual(leftovers(one, running), []);
  await answersOf(two, 20);
});

/** Starts what outlives its parent, and leaves its session. */
const STRAY = `while :; do sleep 1000 & setsid sleep 1000 & wait; done`;

async function withStray(mesh: Mesh, ...args: string[]): Promise<ReturnType<typeof traces>> {
  const up = await mesh.up(...args);
  assert.equal(up.code, 0, up.stdout + up.stderr);
  const words = ['run', 'stray', '--image=x', `--annotations=varka.dev/command=sh -c '${STRAY}'`];
  await mesh.run(must(kubectlPeer), words);
  await mesh.run(must(kubectlPeer), ['wait', '--for=condition=Ready', 'pod/stray', '--timeout=30s']);
  // The gateway's proxy, the shell and what it started twice.
  await eventually('all of the pod runs', 10_000, () => (traces(mesh).processes >= 4 ? true : undefined));
  return traces(mesh);
}

const supervisorOf = (mesh: Mesh): number => traces(mesh).supervisor;

for (const [what, victims] of [
  ['the supervisor', (mesh: Mesh) => [supervisorOf(mesh)]],
  ['the front', (_mesh: Mesh, front: number) => [front]],
] as const) {
  test(`kill -9 of ${what} leaves nothing`, { skip }, async (t) => {
    const mesh = newMesh(t);
    const running = await withStray(mesh);
    const { pid } = await mesh.status();
    for (const victim of victims(mesh, pid)) process.kill(victim, 'SIGKILL');
    await eventually('every process is gone', 10_000, () =>
      leftovers(mesh, running).every((line) => line.startsWith('file ')) ? true : undefined,
    );
    // And the next start finds nothing in its way.
    const again = await mesh.up();
    assert.equal(again.code, 0, again.stdout + again.stderr);
  });
}

test('what kill -9 of front and supervisor leaves together, the next command takes away', { skip }, async (t) => {
  // Refused namespaces are ones of their own for each command here, and keep one from looking at another's processes.
  const user = ordinaryUser();
  const mesh = newMesh(t, { refused: false, ...('found' in user ? { user: user.found } : {}) });
  const running = await withStray(mesh, '--sandbox', 'loopback');
  const { pid } = await mesh.status();
  const supervisor = supervisorOf(mesh);
  process.kill(pid, 'SIGKILL');
  process.kill(supervisor, 'SIGKILL');
  assert.equal((await mesh.varka('down')).code, 0);
  await eventually('nothing is left', 10_000, () =>
    leftovers(mesh, running).every((line) => line.startsWith('file lock')) ? true : undefined,
  );
});

test('who asks for namespaces is told why there are none', { skip }, async (t) => {
  const mesh = newMesh(t);
  const up = await mesh.up('--sandbox', 'netns');
  assert.equal(up.code, 1);
  assert.match(up.stderr, /VARKA204.*refuses to make namespaces/);
  const wrong = await mesh.up('--sandbox', 'docker');
  assert.match(wrong.stderr, /Allowed choices are auto, netns, loopback/);
});

test('both sandboxes carry one mesh’s state, one after the other', {
  skip: skip || skipUnless(namespacesAllowed()),
}, async (t) => {
  const mesh = new Mesh();
  t.after(() => mesh.dispose());
  for (const sandbox of ['netns', 'loopback', 'netns']) {
    const up = await mesh.up('--sandbox', sandbox, ...(sandbox === 'netns' ? ['-f', 'demos/chain'] : []));
    assert.equal(up.code, 0, up.stdout + up.stderr);
    assert.equal((await mesh.status()).sandbox, sandbox);
    await answersOf(mesh, 10);
    assert.equal((await mesh.varka('down')).code, 0);
  }
});

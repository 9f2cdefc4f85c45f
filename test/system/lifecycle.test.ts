// Starting, stopping and dying: whatever happens, the next start works and nothing is left behind.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { leftovers, traces } from './support/leftovers.ts';
import { burst } from './support/load.ts';
import { Mesh, newHome } from './support/mesh.ts';
import { inPath, must, namespacesAllowed, ordinaryUser, skipUnless } from './support/peers.ts';

const skip = skipUnless(namespacesAllowed());
const userPeer = ordinaryUser();
/** A refusal is told at once; most of this is Node starting three times on a busy machine. */
const AT_ONCE_MS = 5_000;
const ANY_PORT = ['--gateway-port', '0', '--gateway-https-port', '0', '--api-port', '0'];

function newMesh(t: TestContext, options: ConstructorParameters<typeof Mesh>[0] = {}): Mesh {
  const mesh = new Mesh(options);
  t.after(() => mesh.dispose());
  return mesh;
}

/** A mesh in the foreground, once it says that it is ready. */
async function foreground(
  mesh: Mesh,
): Promise<{ child: ChildProcess; output: () => string; exit: Promise<number | null> }> {
  const child = mesh.startVarka('up', ...ANY_PORT);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exit = once(child, 'close').then(([code]) => code as number | null);
  await eventually('the mesh is ready', 60_000, () => (output.includes('Ctrl-C stops everything') ? true : undefined));
  return { child, output: () => output, exit };
}

function supervisorPids(mesh: Mesh): number[] {
  const runtime = JSON.parse(readFileSync(join(mesh.directory, 'runtime.json'), 'utf8')) as {
    supervisor: { pid: number }[];
  };
  return runtime.supervisor.map(({ pid }) => pid);
}

const nothingLeft = (mesh: Mesh, running: ReturnType<typeof traces>) =>
  eventually('nothing is left', 5_000, () => {
    // Files of a killed front stay until the next start looks at them.
    const left = leftovers(mesh, running).filter((line) => !line.startsWith('file '));
    if (left.length > 0) throw new Error(left.join('\n'));
    return true;
  });

test('two profiles run side by side, each with its own ports', { skip }, async (t) => {
  const home = newHome();
  const [first, second] = [newMesh(t, { home, profile: 'first' }), newMesh(t, { home, profile: 'second' })];
  t.after(() => rmSync(home, { recursive: true, force: true })); // after the meshes have ended: hooks run in this order
  for (const mesh of [first, second]) {
    const up = await mesh.varka('up', '--detach'); // the usual ports: those of the second have to move
    assert.equal(up.code, 0, up.stdout + up.stderr);
    if (mesh === second) assert.match(up.stdout, /port \d+ is taken, using \d+ instead/);
  }
  const [one, two] = [await first.status(), await second.status()];
  assert.notEqual(one.api, two.api);
  assert.notEqual(one.gateway.http, two.gateway.http);
  assert.deepEqual([one.pods.length, two.pods.length], [1, 1]);
  const running = traces(first);
  assert.equal((await first.varka('down')).code, 0);
  assert.deepEqual(leftovers(first, running), []);
  assert.equal((await second.status()).pods[0]?.ready, '1/1');
});

test('a second up on a profile says who runs it and what to do, and disturbs nothing', { skip }, async (t) => {
  const mesh = newMesh(t);
  assert.equal((await mesh.up()).code, 0);
  const begin = performance.now();
  const { pid } = await mesh.status();
  for (const detach of [[], ['--detach']]) {
    const again = await mesh.varka('up', ...detach);
    assert.equal(again.code, 1);
    assert.match(again.stderr, new RegExp(`VARKA107.*already running: pid ${pid}, since \\d{4}-\\d\\d-\\d\\d`));
    assert.match(again.stderr, /next: .*varka status.*varka down.*--profile second/);
  }
  assert.ok(performance.now() - begin < 2 * AT_ONCE_MS);
  assert.equal((await mesh.status()).pid, pid);
});

test('a port asked for and taken is an error; nothing starts', { skip }, async (t) => {
  const mesh = newMesh(t);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const up = await mesh.varka('up', '--gateway-port', String(address.port));
  assert.equal(up.code, 1);
  assert.match(up.stderr, new RegExp(`VARKA104: port ${address.port} on 127\\.0\\.0\\.1 is taken`));
  assert.equal(existsSync(join(mesh.directory, 'lock')), false);
});

test('commands without a running mesh say so', { skip }, async (t) => {
  const mesh = newMesh(t);
  for (const command of ['status', 'proxy-status']) {
    const result = await mesh.varka(command);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /VARKA108: profile "default" is not running/);
  }
  assert.match((await mesh.varka('kubeconfig')).stderr, /VARKA110/);
  const down = await mesh.varka('down');
  assert.deepEqual([down.code, down.stdout], [0, 'profile "default" is not running\n']);
});

test('Ctrl-C ends everything in order', { skip }, async (t) => {
  const mesh = newMesh(t);
  const { child, exit, output } = await foreground(mesh);
  const running = traces(mesh);
  child.kill('SIGINT');
  assert.equal(await exit, 0, output());
  assert.deepEqual(leftovers(mesh, running), []);
});

test('a second Ctrl-C ends everything at once', { skip }, async (t) => {
  const mesh = newMesh(t);
  const { child, exit } = await foreground(mesh);
  const running = traces(mesh);
  child.kill('SIGINT');
  child.kill('SIGINT');
  await exit;
  assert.deepEqual(leftovers(mesh, running), []);
});

test('Ctrl-C at any moment of starting ends it', { skip, timeout: 120_000 }, async (t) => {
  // From the first thing that start-up leaves on the disk to the last: between them nothing may be too early to stop.
  for (const sign of ['lock', 'control.sock', 'runtime.json']) {
    const mesh = newMesh(t);
    const child = mesh.startVarka('up', ...ANY_PORT);
    child.stdout?.resume();
    child.stderr?.resume();
    const exit = once(child, 'close');
    await eventually(`${sign} is there`, 30_000, () => (existsSync(join(mesh.directory, sign)) ? true : undefined));
    child.kill('SIGINT');
    const patience = AbortSignal.timeout(20_000);
    await Promise.race([exit, once(patience, 'abort').then(() => Promise.reject(new Error(`hangs after ${sign}`)))]);
    for (const file of ['lock', 'control.sock', 'runtime.json'])
      assert.equal(existsSync(join(mesh.directory, file)), false, `${file} is left after ${sign}`);
    assert.match((await mesh.varka('status')).stderr, /VARKA108/);
  }
});

test('a mesh whose front is killed vanishes, and the next up recovers with all its objects', { skip }, async (t) => {
  const mesh = newMesh(t);
  assert.equal((await mesh.up('-f', '-')).code, 1); // nothing on the standard input is nothing to apply
  const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\ndata: {a: b}\n';
  const up = await mesh.run(process.execPath, upArgs(mesh, '-f', '-'), manifest);
  assert.equal(up.code, 0, up.stdout + up.stderr);
  const running = traces(mesh);
  process.kill((await mesh.status()).pid, 'SIGKILL');
  await nothingLeft(mesh, running);
  assert.match((await mesh.varka('status')).stderr, /VARKA108/);

  const again = await mesh.run(process.execPath, upArgs(mesh, '-f', '-'), manifest);
  assert.equal(again.code, 0, again.stdout + again.stderr);
  assert.match(again.stdout, /ended without cleaning up; recovered/);
  assert.match(again.stdout, /1 of 1 objects, 1 unchanged/);
});

test('when the supervisor is killed the front says so, ends and leaves nothing', { skip }, async (t) => {
  const mesh = newMesh(t);
  const { exit, output } = await foreground(mesh);
  const running = traces(mesh);
  process.kill(supervisorPids(mesh).at(-1) ?? 0, 'SIGKILL');
  assert.equal(await exit, 1);
  assert.match(output(), /VARKA401: the mesh ended unexpectedly/);
  assert.deepEqual(leftovers(mesh, running), []);
});

test('after everything was killed the next up starts', { skip }, async (t) => {
  const mesh = newMesh(t);
  assert.equal((await mesh.up()).code, 0);
  const running = traces(mesh);
  for (const pid of [...supervisorPids(mesh), (await mesh.status()).pid].reverse()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH'); // gone with the one before
    }
  }
  await nothingLeft(mesh, running);
  const again = await mesh.up();
  assert.equal(again.code, 0, again.stdout + again.stderr);
});

test('an ordinary user can do it all', { skip: skip || skipUnless(userPeer) }, async (t) => {
  const mesh = newMesh(t, { user: must(userPeer) });
  const up = await mesh.up('-f', 'demos/chain');
  assert.equal(up.code, 0, up.stdout + up.stderr);
  assert.match(up.stdout, /rootless/);
  const running = traces(mesh);
  const { gateway } = await mesh.status();
  const answers = await burst(`${gateway.http}/service-a`, 10, 1);
  for (const { status, body } of answers)
    assert.deepEqual([status, /Service C \| v[12] /.test(body)], [200, true], body);
  assert.equal((await mesh.varka('down')).code, 0);
  assert.deepEqual(leftovers(mesh, running), []);
});

test('it needs no program of the machine but unshare and setpriv', { skip }, async (t) => {
  const bin = mkdtempSync(join(tmpdir(), 'varka-bin-'));
  t.after(() => rmSync(bin, { recursive: true, force: true }));
  mkdirSync(bin, { recursive: true });
  for (const program of ['unshare', 'setpriv']) symlinkSync(inPath(program) ?? '', join(bin, program));
  const mesh = newMesh(t, { env: { PATH: bin } });
  const up = await mesh.up('-f', 'demos/chain');
  assert.equal(up.code, 0, up.stdout + up.stderr);
  assert.match(up.stdout, /no kubectl in PATH/);
});

/** `up` with documents on the standard input. */
function upArgs(mesh: Mesh, ...args: string[]): string[] {
  return [Mesh.program, 'up', '--profile', mesh.profile, '--detach', ...ANY_PORT, ...args];
}

// What a container sees of the mounts it is given. Runs inside the cluster's network namespace.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { NetnsNetwork } from '../../src/netns/netns-network.ts';
import type { NetnsSandbox } from '../../src/netns/netns-sandbox.ts';
import type { MemoryDirectory, Mount } from '../../src/sandbox/pod-network.ts';
import { createNetwork } from '../support/cluster.ts';

const PATH = process.env['PATH'] ?? '';
const directory = mkdtempSync(join(tmpdir(), 'varka-mounts-'));
const network = createNetwork() as NetnsNetwork;
let made = 0;

function createPod(memoryDirectories: readonly MemoryDirectory[] = []): NetnsSandbox {
  made += 1;
  return network.createPod({
    hostname: `pod-${made}`,
    directory: join(directory, 'pods', String(made)),
    nameserver: '10.96.0.10',
    searches: [],
    capture: false,
    memoryDirectories,
  });
}

/** A directory with these files, to be mounted. */
function volume(name: string, files: Readonly<Record<string, string>> = {}): string {
  const path = join(directory, 'volumes', name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const at = (source: string, path: string, readOnly = false): Mount => ({ source, path, readOnly });

async function shell(pod: NetnsSandbox, script: string, mounts: readonly Mount[], cwd = '/'): Promise<string> {
  const { child, stdout, stderr } = pod.spawn(['/bin/sh', '-c', script], { env: { PATH }, cwd, mounts });
  let output = '';
  for (const stream of [stdout, stderr]) stream.on('data', (chunk) => (output += chunk));
  const closed = [once(stdout, 'close'), once(stderr, 'close')];
  const [code] = await once(child, 'exit');
  await Promise.all(closed);
  return code === 0 ? output.trim() : `exit ${code}: ${output.trim()}`;
}

after(async () => {
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

test('places that the machine does not have: deep under the root, and one file in a directory of /etc', async () => {
  const pod = createPod();
  const config = volume('config', { 'config.yaml': 'domain: ratelimit' });
  const rabbit = volume('rabbit', { 'rabbitmq.conf': 'loopback_users.guest = false' });
  const mounts = [
    at(config, '/varka-data/ratelimit/config'),
    at(join(rabbit, 'rabbitmq.conf'), '/etc/varka-rabbitmq/rabbitmq.conf'),
  ];
  const before = { '/': readdirSync('/'), '/etc': readdirSync('/etc') };
  const seen = await shell(
    pod,
    'cat /varka-data/ratelimit/config/*; echo; cat /etc/varka-rabbitmq/rabbitmq.conf',
    mounts,
  );
  assert.equal(seen, 'domain: ratelimit\nloopback_users.guest = false');
  for (const [place, added] of [
    ['/', 'varka-data'],
    ['/etc', 'varka-rabbitmq'],
  ] as const) {
    const seen = (await shell(pod, `ls -A ${place}`, mounts)).split('\n');
    // Others may be at work on this machine: what comes and goes meanwhile does not count.
    const lasting = readdirSync(place).filter((name) => before[place].includes(name));
    assert.deepEqual(
      [...lasting, added].filter((name) => !seen.includes(name)),
      [],
      place,
    );
  }
  // All else is the machine's, and the pod's own.
  assert.equal(await shell(pod, 'cat /etc/hostname', mounts), `pod-${made}`);
  assert.equal(await shell(pod, 'cat /etc/passwd', mounts), readFileSync('/etc/passwd', 'utf8').trim());
  assert.equal(await shell(pod, 'pwd', mounts, '/varka-data/ratelimit'), '/varka-data/ratelimit');
  for (const path of ['/varka-data', '/etc/varka-rabbitmq']) {
    assert.equal(existsSync(path), false, path);
    assert.match(await shell(pod, `ls ${path}`, []), /^exit 2/);
  }
  await pod.destroy();
});

test('containers share what they both mount, and write through it', async () => {
  const pod = createPod();
  const shared = volume('shared');
  assert.equal(await shell(pod, 'echo one > /varka-out/x', [at(shared, '/varka-out')]), '');
  assert.equal(await shell(pod, 'cat /varka-in/x; echo two > /varka-in/y', [at(shared, '/varka-in')]), 'one');
  assert.equal(readFileSync(join(shared, 'y'), 'utf8'), 'two\n');
  await pod.destroy();
});

test('an exec with the same mounts sees what the program made beside them', async () => {
  const pod = createPod();
  const mounts = [at(volume('beside'), '/varka-app/data')];
  assert.equal(await shell(pod, 'echo here > /varka-app/pid', mounts), '');
  assert.equal(await shell(pod, 'cat /varka-app/pid', mounts), 'here');
  await pod.destroy();
});

test('read-only means it, for a directory and for a file, over what is there and what is not', async () => {
  const pod = createPod();
  const files = volume('files', { a: 'A' });
  const mounts = [at(files, '/varka-ro', true), at(join(files, 'a'), '/etc/hostname', true), at(files, '/opt', true)];
  for (const path of ['/varka-ro/a', '/varka-ro/b', '/etc/hostname', '/opt/b']) {
    assert.match(await shell(pod, `echo x > ${path}`, mounts), /[Rr]ead-only file system/, path);
  }
  assert.equal(await shell(pod, 'cat /varka-ro/a /etc/hostname /opt/a', mounts), 'AAA');
  await pod.destroy();
});

test('a mount inside another, even a read-only one', async () => {
  const pod = createPod();
  const outer = volume('outer', { a: 'A' });
  const mounts = [at(outer, '/varka-outer', true), at(volume('inner', { b: 'B' }), '/varka-outer/in/side')];
  assert.equal(
    await shell(pod, 'cat /varka-outer/a /varka-outer/in/side/b; echo x > /varka-outer/in/side/c', mounts),
    'AB',
  );
  await pod.destroy();
});

test('a mount that covers what the program needs, shown again by a mount of itself', async () => {
  const pod = createPod();
  const needed = join(directory, 'clone');
  mkdirSync(needed, { recursive: true });
  writeFileSync(join(needed, 'program'), 'echo runs');
  const parent = tmpdir();
  const mounts = [at(volume('scratch'), parent), at(directory, directory)];
  assert.equal(
    await shell(pod, `. ./program; ls -A ${parent}`, mounts, needed),
    `runs\n${directory.slice(parent.length + 1)}`,
  );
  // And a place below it that is not there is not made on the machine.
  const below = [...mounts, at(volume('below', { x: 'X' }), join(needed, 'conf/x'))];
  assert.equal(await shell(pod, 'cat conf/x/x; . ./program', below, needed), 'Xruns');
  assert.equal(existsSync(join(needed, 'conf')), false);
  await pod.destroy();
});

test('where the machine has a directory a file can be mounted, and the other way round', async () => {
  const pod = createPod();
  const files = volume('kinds', { f: 'F' });
  const machine = join(directory, 'machine');
  mkdirSync(join(machine, 'a/b'), { recursive: true });
  writeFileSync(join(machine, 'c'), 'c');
  const mounts = [at(join(files, 'f'), join(machine, 'a')), at(files, join(machine, 'c'))];
  assert.equal(await shell(pod, 'cat a c/f', mounts, machine), 'FF');
  assert.equal(readFileSync(join(machine, 'c'), 'utf8'), 'c');
  await pod.destroy();
});

test('a directory in memory is one to all containers of the pod, and no larger than asked', async () => {
  const path = volume('memory');
  const pod = createPod([{ path, sizeBytes: 65_536 }]);
  assert.equal(
    await shell(pod, 'echo x > /varka-memory/x; stat -f -c %T /varka-memory', [at(path, '/varka-memory')]),
    'tmpfs',
  );
  assert.equal(await shell(pod, 'cat /varka-other/x', [at(path, '/varka-other')]), 'x');
  assert.match(
    await shell(pod, 'head -c 100000 /dev/zero > /varka-other/big', [at(path, '/varka-other')]),
    /[Nn]o space left/,
  );
  assert.deepEqual(readdirSync(path), []);
  await pod.destroy();
});

test('a source that is not there is told by name', () => {
  const pod = createPod();
  assert.throws(
    () => pod.spawn(['/bin/true'], { env: {}, cwd: '/', mounts: [at(join(directory, 'nowhere'), '/x')] }),
    /nowhere/,
  );
});

/** Files enough to run a shell: the machine's own, with whatever it is linked to. */
function shellImage(): string {
  const image = volume('image');
  const shell = realpathSync('/bin/sh');
  const libraries = spawnSync('ldd', [shell], { encoding: 'utf8' }).stdout.match(/\/\S+/g) ?? [];
  for (const file of [...libraries, '/etc/only-here']) mkdirSync(join(image, dirname(file)), { recursive: true });
  for (const file of libraries) copyFileSync(file, join(image, file));
  mkdirSync(join(image, 'bin'), { recursive: true });
  copyFileSync(shell, join(image, 'bin/sh'));
  writeFileSync(join(image, 'etc/only-here'), 'image\n');
  return image;
}

test('an image’s files are the root directory; changes are the container’s own, the pod’s names are there', async () => {
  const pod = createPod();
  const image = shellImage();
  const secret = volume('secret', { password: 's3cret\n' });
  const inside = async (layer: string, script: string, mounts: readonly Mount[] = []): Promise<string> => {
    const root = { image, layer: join(directory, 'layers', layer) };
    const env = { PATH: '/bin' };
    const { child, stdout, stderr } = pod.spawn(['sh', '-c', script], { env, cwd: '/etc', mounts, root });
    let output = '';
    for (const stream of [stdout, stderr]) stream.on('data', (chunk) => (output += chunk));
    await Promise.all([once(child, 'exit'), once(stdout, 'close'), once(stderr, 'close')]);
    return output.trim();
  };
  const show = (file: string): string => `read -r line < ${file}; echo "$line"`;
  assert.equal(await inside('a', `${show('only-here')}; ${show('hostname')}`), `image\npod-${made}`);
  const top = [...readdirSync(image), 'dev', 'proc', 'sys'].sort().map((name) => `/${name}`);
  assert.equal(await inside('a', 'echo /*'), top.join(' '));
  assert.equal(await inside('a', 'echo changed > only-here; echo x > /dev/null; : < /proc/self/stat'), '');
  assert.equal(await inside('a', show('only-here')), 'changed');
  assert.equal(await inside('b', show('only-here')), 'image');
  assert.equal(readFileSync(join(image, 'etc/only-here'), 'utf8'), 'image\n');
  const mounts = [at(secret, '/run/secrets/db', true), at(join(secret, 'password'), '/etc/only-here')];
  assert.equal(
    await inside('c', `${show('/run/secrets/db/password')}; ${show('only-here')}`, mounts),
    's3cret\ns3cret',
  );
  assert.match(await inside('c', 'echo x > /run/secrets/db/x', mounts), /[Rr]ead-only file system/);
  await pod.destroy();
});

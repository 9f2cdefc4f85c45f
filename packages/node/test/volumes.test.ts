// What volumes come down to: files, modes, mounts and their order, quantities.
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Clock } from '@varka/kube/client/clock.ts';
import type { ConfigSource } from '../src/config/config-source.ts';
import { fieldForFile, resourceField } from '../src/config/downward.ts';
import { parseQuantity } from '../src/config/quantity.ts';
import { mountFlags } from '../src/netns/container-mounts.ts';
import { writeAtomically } from '../src/volumes/atomic-directory.ts';
import { PodVolumes } from '../src/volumes/pod-volumes.ts';
import { configMapFiles, safePath, secretFiles, VolumeError, type VolumeFiles } from '../src/volumes/volume-files.ts';
import { neededPaths, volumeMounts, withNeeded } from '../src/volumes/volume-mounts.ts';
import { log } from './support/log.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-volume-files-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const files = (texts: Record<string, string>, mode = 0o644): VolumeFiles =>
  new Map(Object.entries(texts).map(([path, text]) => [path, { content: Buffer.from(text), mode }]));
const texts = (found: VolumeFiles): Record<string, string> =>
  Object.fromEntries([...found].map(([path, { content }]) => [path, String(content)]));

describe('quantities', () => {
  const cases: [string, number | undefined][] = [
    ['250m', 0.25],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['1e3', 1000],
    ['2E', 2e18],
    ['.5', 0.5],
    ['-1', -1],
    ['100u', 1e-4],
    ['64Mi', 64 * 2 ** 20],
    ['', undefined],
    ['1 Gi', undefined],
    ['1KiB', undefined],
  ];
  for (const [text, number] of cases) {
    test(JSON.stringify(text), () => {
      const found = parseQuantity(text);
      if (number === undefined || found === undefined) assert.equal(found, number);
      else assert.ok(Math.abs(found - number) <= Math.abs(number) * 1e-12, `${found}`);
    });
  }

  test('a resource in units of its divisor, rounded up', () => {
    const container = { name: 'c', resources: { limits: { cpu: '100m', memory: '65Mi' }, requests: { cpu: '2' } } };
    const of = (resource: string, divisor?: string): string =>
      resourceField({ resource, ...(divisor === undefined ? {} : { divisor }) }, container);
    assert.equal(of('limits.cpu'), '1');
    assert.equal(of('limits.cpu', '1m'), '100');
    assert.equal(of('limits.memory', '1Mi'), '65');
    assert.equal(of('limits.memory', '0'), String(65 * 2 ** 20));
    assert.equal(of('requests.cpu', '1m'), '2000');
    assert.equal(of('requests.memory'), '0');
    assert.ok(Number(resourceField({ resource: 'limits.cpu' }, { name: 'none' })) >= 1);
    assert.throws(() => of('cpu'), /unsupported container resource/);
  });
});

test('labels as a file are sorted, quoted lines', () => {
  const pod = { metadata: { labels: { b: 'x"y', a: '1' } } };
  assert.equal(fieldForFile('metadata.labels', pod), 'a="1"\nb="x\\"y"');
  assert.equal(fieldForFile('metadata.annotations', pod), '');
  assert.throws(() => fieldForFile('status.podIP', pod), /unsupported fieldPath: status\.podIP/);
});

describe('files of a volume', () => {
  const object = { data: { a: 'A', b: 'B' }, binaryData: { c: Buffer.from('C').toString('base64') } };

  test('all keys, or the items, with their own names and modes', () => {
    assert.deepEqual(texts(configMapFiles('m', {}, object)), { a: 'A', b: 'B', c: 'C' });
    const items = [{ key: 'c', path: 'x/./y', mode: 0o400 }];
    const found = configMapFiles('m', { items, defaultMode: 0o600 }, object);
    assert.deepEqual(texts(found), { 'x/y': 'C' });
    assert.equal(found.get('x/y')?.mode, 0o400);
    assert.equal(configMapFiles('m', { defaultMode: 0o600 }, object).get('a')?.mode, 0o600);
  });

  test('what is not there is told, unless it is optional', () => {
    const items = [{ key: 'z', path: 'z' }];
    assert.throws(() => configMapFiles('m', {}, undefined), new VolumeError('configmap "m" not found'));
    assert.throws(() => secretFiles('s', {}, undefined), new VolumeError('secret "s" not found'));
    assert.throws(() => configMapFiles('m', { items }, object), /configmap references non-existent config key: z/);
    assert.throws(() => secretFiles('s', { items }, {}), /references non-existent secret key: z/);
    assert.equal(configMapFiles('m', { optional: true }, undefined).size, 0);
    assert.equal(secretFiles('s', { items, optional: true }, {}).size, 0);
  });

  test('a path cannot lead out of the volume', () => {
    for (const path of ['', '/etc/x', '..', '../x', 'a/../../x', '..data', 'a\0b']) {
      assert.throws(() => safePath(path), VolumeError, path);
    }
    assert.equal(safePath('a//b/./c'), 'a/b/c');
  });
});

test('a pod that ends while its volumes are made has no token renewed any more', async () => {
  const timers = new Set<object>();
  const clock: Clock = {
    now: () => 0,
    after: () => {
      const timer = { cancel: () => timers.delete(timer) };
      timers.add(timer);
      return timer;
    },
  };
  const asked = Promise.withResolvers<void>();
  const token = Promise.withResolvers<string>();
  const config: ConfigSource = {
    configMap: async () => undefined,
    secret: async () => undefined,
    claim: async () => undefined,
    token: () => {
      asked.resolve();
      return token.promise;
    },
    onChange: () => () => undefined,
  };
  const container = { name: 'main', volumeMounts: [{ name: 'token', mountPath: '/t' }] };
  const volumes = [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
  const pod = new PodVolumes({
    ...{ config, clock, log, directory: join(directory, 'own'), claimsDirectory: directory },
    pod: () => ({ metadata: { name: 'p', namespace: 'default' }, spec: { containers: [container], volumes } }),
    warn: (_reason, message) => assert.fail(message),
  });
  const ending = new AbortController();
  const setUp = pod.setUp(ending.signal);
  await asked.promise;
  ending.abort();
  pod.stop();
  token.resolve('a token');
  assert.equal(await setUp, false);
  assert.equal(timers.size, 0);
});

describe('files that change at once', () => {
  test('names lead through ..data; an equal set changes nothing; what went is gone', () => {
    const path = join(directory, 'atomic');
    assert.equal(writeAtomically(path, files({ a: '1', 'd/e': '2' })), true);
    const first = readlinkSync(join(path, '..data'));
    assert.deepEqual([readlinkSync(join(path, 'a')), readlinkSync(join(path, 'd'))], ['..data/a', '..data/d']);
    assert.equal(writeAtomically(path, files({ a: '1', 'd/e': '2' })), false);
    assert.equal(readlinkSync(join(path, '..data')), first);
    writeFileSync(join(path, 'alien'), 'stays');
    assert.equal(writeAtomically(path, files({ a: '1', f: '3' })), true);
    assert.deepEqual(
      readdirSync(path).sort(),
      [readlinkSync(join(path, '..data')), '..data', 'a', 'alien', 'f'].sort(),
    );
    assert.equal(readFileSync(join(path, 'f'), 'utf8'), '3');
  });

  test('what cannot be written whole leaves nothing behind', () => {
    const path = join(directory, 'torn');
    writeAtomically(path, files({ a: '1' }));
    const before = readdirSync(path);
    // One is to be a file and a directory.
    assert.throws(() => writeAtomically(path, files({ b: '1', 'b/c': '2' })));
    assert.deepEqual(readdirSync(path), before);
  });

  test('a mode alone is a change too, and no umask touches it', () => {
    const path = join(directory, 'modes');
    writeAtomically(path, files({ a: '1' }, 0o666));
    assert.equal(statSync(join(path, 'a')).mode & 0o777, 0o666);
    assert.equal(writeAtomically(path, files({ a: '1' }, 0o400)), true);
    assert.equal(statSync(join(path, 'a')).mode & 0o777, 0o400);
  });
});

describe('mounts of a container', () => {
  const volume = join(directory, 'volume');
  mkdirSync(volume);
  const place = (name: string) => (name === 'v' ? { path: volume, readOnly: false } : undefined);
  const mount = (mountPath: string, more = {}) => ({ name: 'v', mountPath, ...more });
  const mounts = (...wanted: ReturnType<typeof mount>[]) =>
    volumeMounts({ name: 'c', volumeMounts: wanted }, place, { WHO: 'me' });

  test('what contains others comes first; a trailing slash means nothing; a relative path begins at the root', () => {
    const paths = mounts(mount('/a/b/c'), mount('/a/'), mount('x/y')).map(({ path }) => path);
    assert.deepEqual(paths, ['/a', '/x/y', '/a/b/c']);
  });

  test('a subPath is made, and may be named by variables', () => {
    assert.equal(mounts(mount('/a', { subPathExpr: 'of/$(WHO)' }))[0]?.source, join(volume, 'of/me'));
    assert.ok(statSync(join(volume, 'of/me')).isDirectory());
    writeFileSync(join(volume, 'file'), '');
    assert.equal(mounts(mount('/a', { subPath: 'file' }))[0]?.source, join(volume, 'file'));
  });

  test('what makes no sense is refused', () => {
    assert.throws(() => mounts(mount('/')), /container c mounts volume "v" at \/: the root directory/);
    assert.throws(() => mounts(mount('/a', { subPath: '../x' })), /must not leave the volume/);
    assert.throws(() => mounts({ name: 'w', mountPath: '/a' }), /the pod has no such volume/);
  });

  test('what a volume covers of the program is shown again, whole', () => {
    const needed = neededPaths(['node', join(directory, 'volume/of/me'), '-x'], '', [directory]);
    assert.ok(needed.includes(directory) && needed.includes(process.execPath) && !needed.includes('-x'));
    const shown = withNeeded(mounts(mount(tmpdir()), mount('/opt')), [join(directory, 'volume/of/me'), '/opt']);
    assert.deepEqual(
      shown.map(({ source, path }) => (source === path ? path : `volume at ${path}`)),
      [tmpdir(), '/opt'].map((path) => `volume at ${path}`).concat(directory),
    );
    assert.deepEqual(withNeeded([], [directory]), []);
  });

  test('a nearer volume decides what must be shown again', () => {
    const both = mounts(mount(tmpdir()), mount(directory));
    const paths = withNeeded(both, [join(volume, 'of')]).map(({ path }) => path);
    assert.deepEqual(paths, [tmpdir(), directory, volume]);
  });
});

test('flags of a mount are read from its topmost line, blanks and all', () => {
  const mountinfo = [
    '30 1 0:1 / / rw,relatime shared:1 - ext4 /dev/x rw',
    '31 30 0:2 / /a\\040b rw,nosuid,nodev - tmpfs none rw',
    '32 31 0:3 / /a\\040b ro,noexec - tmpfs none rw',
  ].join('\n');
  assert.equal(mountFlags(mountinfo, '/a b'), 8);
  assert.equal(mountFlags(mountinfo, '/'), 1 << 21);
  assert.equal(mountFlags(mountinfo, '/none'), 0);
});

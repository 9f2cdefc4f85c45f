// podman and docker by their command line: names, unpacking, pulling, and engines that do not answer.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HostEngine } from '../src/engine/host-engine.ts';

const ID = 'sha256:0123456789abcdef';
const CONFIG = {
  Entrypoint: ['/bin/app'],
  Cmd: ['--port', '80'],
  Env: ['PATH=/bin', 'EMPTY=', 'URL=http://x?a=b'],
  WorkingDir: '/srv',
};

interface Fake {
  readonly engine: HostEngine;
  readonly cache: string;
  /** The command lines it was given so far. */
  calls(): string[];
}

/** Programs named `podman` or `docker` that answer with these scripts, by their first word. */
function fake(t: TestContext, programs: Readonly<Record<string, Readonly<Record<string, string>>>>): Fake {
  const directory = mkdtempSync(join(tmpdir(), 'varka-engine-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const log = join(directory, 'calls');
  for (const [name, answers] of Object.entries(programs)) {
    const cases = Object.entries(answers).map(([word, script]) => `${word}) ${script} ;;`);
    const script = `#!/bin/sh\necho "$0 $*" >> ${log}\ncase "$1" in\n${cases.join('\n')}\n*) echo "Error: no $1" >&2; exit 1 ;;\nesac\n`;
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  }
  const cache = join(directory, 'cache');
  // execFile looks programs up in the environment, so that must lead there too.
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${bin}${delimiter}${before}`;
  t.after(() => {
    process.env['PATH'] = before;
  });
  const calls = (): string[] =>
    existsSync(log)
      ? readFileSync(log, 'utf8')
          .trim()
          .split('\n')
          .map((line) => line.slice(bin.length + 1))
      : [];
  return { engine: new HostEngine(cache, bin), cache, calls };
}

/** As docker prints it; podman writes localhost/ before what it built. */
const images = (name: string): string => `echo "${ID} ${name} v1 <none>"`;
const whole = (name: string): Record<string, string> => ({
  images: images(name),
  image: `echo '${JSON.stringify([{ Config: CONFIG }])}'`,
  create: 'echo pulling >&2; echo c0ffee',
  export:
    'mkdir -p "$3.d/bin" "$3.d/dev" && echo hi > "$3.d/bin/app" && echo x > "$3.d/dev/null" && tar -C "$3.d" -cf "$3" . && rm -r "$3.d"',
  rm: ':',
});

test('an image is found by its full and its short name, unpacked once, and described', async (t) => {
  const { engine, cache, calls } = fake(t, { docker: whole('example.com/shop/cart') });
  assert.equal(engine.name, 'docker');
  const [program, again] = await Promise.all([
    engine.find('example.com/shop/cart:v1'),
    engine.find('example.com/shop/cart:v1'),
  ]);
  const directory = join(cache, 'sha256-0123456789abcdef');
  assert.deepEqual(program, {
    entrypoint: ['/bin/app'],
    defaultArgs: ['--port', '80'],
    env: { PATH: '/bin', EMPTY: '', URL: 'http://x?a=b' },
    workingDir: '/srv',
    root: { id: ID, directory, local: true },
  });
  assert.deepEqual(again, program);
  assert.equal(readFileSync(join(directory, 'bin/app'), 'utf8'), 'hi\n');
  assert.deepEqual(readdirSync(join(directory, 'dev')), []);
  assert.deepEqual(readdirSync(cache), ['sha256-0123456789abcdef']);
  assert.deepEqual(
    calls().map((line) => line.split(' ')[1]),
    ['images', 'image', 'create', 'export', 'rm'],
  );
  assert.equal(await engine.find('example.com/shop/cart:v2'), undefined);
  assert.equal(await engine.find('shop/cart:v1'), undefined);
});

const names: [engine: string, listed: string, asked: string, found: boolean][] = [
  ['docker', 'redis', 'redis:v1', true],
  ['docker', 'redis', 'docker.io/library/redis:v1', true],
  ['podman', 'localhost/my/app', 'my/app:v1', true],
  ['podman', 'localhost/my/app', 'localhost/my/app:v1', true],
  ['podman', 'localhost/my/app', 'docker.io/my/app:v1', false],
  ['podman', 'quay.io/my/app', 'my/app:v1', false],
];
for (const [engineName, listed, asked, found] of names) {
  test(`${engineName} has ${listed}: ${asked} is ${found ? 'that' : 'another'}`, async (t) => {
    const { engine } = fake(t, { [engineName]: whole(listed) });
    assert.equal((await engine.find(asked)) !== undefined, found);
  });
}

test('what a registry has is told from what was built here', async (t) => {
  const listing = `echo "${ID} docker.io/my/pulled v1 sha256:77"; echo "${ID} localhost/my/built v1 sha256:88"`;
  const { engine } = fake(t, { podman: { ...whole('x'), images: listing } });
  assert.equal((await engine.find('my/pulled:v1'))?.root?.local, false);
  assert.equal((await engine.find('my/pulled@sha256:77'))?.root?.local, false);
});

test('with both installed an image of either is found', async (t) => {
  const { engine, calls } = fake(t, { podman: { images: 'exit 0' }, docker: whole('my/app') });
  assert.equal((await engine.find('my/app:v1'))?.root?.id, ID);
  assert.ok(calls().some((line) => line.startsWith('docker export')));
});

test('without an engine nothing is asked; a silent daemon has no images', async (t) => {
  const none = fake(t, {});
  assert.equal(none.engine.name, undefined);
  assert.equal(await none.engine.find('a'), undefined);
  await assert.rejects(none.engine.pull('a'), /no container engine is installed/);
  const { engine } = fake(t, { docker: { images: 'echo "Cannot connect to the daemon" >&2; exit 1' } });
  assert.equal(await engine.find('a'), undefined);
});

test('a pull makes the image known at once; its failure is told in the engine’s words', async (t) => {
  const marker = join(tmpdir(), `varka-pulled-${process.pid}`);
  t.after(() => rmSync(marker, { force: true }));
  const listing = `test ! -e ${marker} || ${images('my/app')}`;
  const pull = `if [ "$3" = my/app:v1 ]; then : > ${marker}; else echo "Error: no such host" >&2; exit 125; fi`;
  const { engine } = fake(t, { docker: { ...whole('my/app'), images: listing, pull } });
  assert.equal(await engine.find('my/app:v1'), undefined);
  await engine.pull('my/app:v1');
  assert.ok((await engine.find('my/app:v1')) !== undefined);
  await assert.rejects(engine.pull('other'), /^Error: docker pull: Error: no such host$/);
});

test('an image that cannot be unpacked leaves nothing half done, and is tried again', async (t) => {
  const { engine, cache, calls } = fake(t, {
    podman: { ...whole('my/app'), export: 'echo "Error: disk full" >&2; exit 1' },
  });
  await assert.rejects(engine.find('my/app:v1'), /podman export: Error: disk full/);
  await assert.rejects(engine.find('my/app:v1'), /podman export: Error: disk full/);
  assert.deepEqual(readdirSync(cache), []);
  assert.equal(calls().filter((line) => line === 'podman rm c0ffee').length, 2);
});

test('closing ends a pull that is under way', { timeout: 30_000 }, async (t) => {
  const { engine, calls } = fake(t, { docker: { pull: 'exec sleep 1000' } });
  const pulling = engine.pull('example.com/large');
  while (calls().length === 0) await new Promise(setImmediate);
  engine.close();
  await assert.rejects(pulling, /^Error: docker pull: The operation was aborted/);
});

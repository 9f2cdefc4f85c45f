// Image names to programs: short names, wildcards, annotations, and what is said when nothing fits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ContainerEngine } from '../src/images/container-engine.ts';
import { ImageCatalog, type ImageProgram } from '../src/images/image-catalog.ts';
import { parseImage } from '../src/images/image-reference.ts';
import { ImageError, ImageResolver, type ImageUse } from '../src/images/image-resolver.ts';
import { shellWords } from '../src/images/shell-words.ts';

describe('image references', () => {
  const cases: [image: string, repository: string | undefined, tag?: string][] = [
    ['redis', 'docker.io/library/redis'],
    ['redis:7.2', 'docker.io/library/redis', '7.2'],
    ['istio/proxyv2', 'docker.io/istio/proxyv2'],
    ['docker.io/redis', 'docker.io/library/redis'],
    ['index.docker.io/istio/pilot:1', 'docker.io/istio/pilot', '1'],
    ['quay.io/team/app:v1', 'quay.io/team/app', 'v1'],
    ['localhost:5000/app', 'localhost:5000/app'],
    ['localhost:5000/app:v2', 'localhost:5000/app', 'v2'],
    ['app@sha256:0123', 'docker.io/library/app'],
    ['', undefined],
    ['a b', undefined],
    ['app:', undefined],
    ['a//b', undefined],
    ['-app', undefined],
  ];
  for (const [image, repository, tag] of cases) {
    test(JSON.stringify(image), () => {
      const parsed = parseImage(image);
      assert.equal(parsed?.repository, repository);
      assert.equal(parsed?.tag, tag);
    });
  }
});

describe('shell words', () => {
  const cases: [line: string, words: string[]][] = [
    ['  node  server.js ', ['node', 'server.js']],
    [`sh -c 'echo "hi"'`, ['sh', '-c', 'echo "hi"']],
    [`a "b c"d\\ e ''`, ['a', 'b cd e', '']],
    [`"a\\"b\\n"`, ['a"b\\n']],
    ['', []],
  ];
  for (const [line, words] of cases) test(line, () => assert.deepEqual(shellWords(line), words));

  test('any words survive quoting', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
        assert.deepEqual(shellWords(line), words);
      }),
    );
  });

  test('open quotes are told', () => {
    assert.throws(() => shellWords('a "b'), /open "/);
    assert.throws(() => shellWords('a \\'), /backslash/);
  });
});

describe('the catalog', () => {
  const catalog = new ImageCatalog([
    { image: 'demo/*', program: { entrypoint: ['/any'] } },
    { image: 'demo/service-a', program: { entrypoint: ['/a'] } },
    { image: 'quay.io/*/service-*', program: { entrypoint: ['/q'] } },
    { image: 'redis', program: { entrypoint: ['/redis'] } },
    { image: 'redis', program: { entrypoint: ['/my-redis'] } },
  ]);
  const found: [image: string, program: string | undefined][] = [
    ['demo/service-a:v2', '/a'],
    ['docker.io/demo/service-b', '/any'],
    ['demo/x/y', undefined],
    ['quay.io/team/service-x@sha256:00', '/q'],
    ['quay.io/team/other', undefined],
    ['redis:7', '/my-redis'],
    ['docker.io/library/redis', '/my-redis'],
    ['rediss', undefined],
  ];
  for (const [image, program] of found) {
    test(`${image} → ${program}`, () => assert.equal(catalog.resolve(image)?.program.entrypoint[0], program));
  }

  test('a row that names the tag wins; one that merely stands in loses', () => {
    const rows = new ImageCatalog([
      { image: 'shop/cart', program: { entrypoint: ['/any'] }, standsIn: true },
      { image: 'shop/cart', tags: ['v2'], program: { entrypoint: ['/v2'] }, standsIn: true },
      { image: 'shop/*', program: { entrypoint: ['/mine'] } },
    ]);
    assert.equal(rows.resolve('shop/cart:v2')?.program.entrypoint[0], '/mine');
    rows.replace([
      { image: 'shop/cart', tags: ['v2'], program: { entrypoint: ['/v2'] } },
      { image: 'shop/cart', program: { entrypoint: ['/any'] } },
    ]);
    assert.equal(rows.resolve('shop/cart:v2')?.program.entrypoint[0], '/v2');
    assert.equal(rows.resolve('shop/cart')?.program.entrypoint[0], '/any');
  });

  test('what makes no sense is refused', () => {
    assert.throws(() => new ImageCatalog([{ image: 'app:v1', program: { entrypoint: ['/x'] } }]), /not a repository/);
    assert.throws(() => new ImageCatalog([{ image: 'app', program: { entrypoint: [] } }]), /empty command/);
  });
});

describe('a container’s program', () => {
  const use = (over: Partial<ImageUse>): ImageUse => ({
    image: 'nobody/app:v1',
    pullPolicy: 'IfNotPresent',
    container: 'app',
    containers: ['istio-proxy', 'app'],
    annotations: {},
    ...over,
  });
  const rows = [
    { image: 'mine/app', program: { entrypoint: ['/mine'], env: { A: '1', B: '2' } } },
    { image: 'demo/app', program: { entrypoint: ['/demo'] }, standsIn: true },
  ];
  const of = async (over: Partial<ImageUse>, engine?: ContainerEngine): Promise<ImageProgram> =>
    (await new ImageResolver(new ImageCatalog(rows), engine).resolve(use(over), () => undefined)).program;

  test('the pod’s annotation comes first, for its default container', async () => {
    const annotations = { 'varka.dev/command': 'node "my app.js"' };
    assert.deepEqual(await of({ annotations }), { entrypoint: ['node', 'my app.js'] });
    await assert.rejects(of({ annotations, container: 'istio-proxy' }), ImageError);
    const named = { 'varka.dev/command.istio-proxy': '["envoy", "-c"]' };
    assert.deepEqual(await of({ annotations: named, container: 'istio-proxy' }), { entrypoint: ['envoy', '-c'] });
  });

  test('annotations give directory and environment, to a known image too', async () => {
    const annotations = { 'varka.dev/working-dir': '/srv', 'varka.dev/env': 'B=3 C="x y"' };
    assert.deepEqual(await of({ image: 'mine/app', annotations }), {
      entrypoint: ['/mine'],
      workingDir: '/srv',
      env: { A: '1', B: '3', C: 'x y' },
    });
    const json = { 'varka.dev/env.app': '{"D": "=1"}', 'varka.dev/command': 'x' };
    assert.deepEqual(await of({ annotations: json }), { entrypoint: ['x'], env: { D: '=1' } });
  });

  const wrong: [annotation: string, value: string, complaint: RegExp][] = [
    ['command', '[1]', /is not a command: it is not an array of strings/],
    ['command', '[', /is not a command/],
    ['command', '""  "', /open "/],
    ['command', '', /it is empty/],
    ['working-dir', 'src', /is not a directory: it is not absolute/],
    ['env', 'A', /"A" has no name and value/],
    ['env', '{"A": 1}', /not all of its values are strings/],
  ];
  for (const [annotation, value, complaint] of wrong) {
    test(`varka.dev/${annotation}: ${value} is refused`, async () => {
      const annotations = { [`varka.dev/${annotation}`]: value };
      await assert.rejects(of({ image: 'mine/app', annotations }), (error) => {
        assert.ok(error instanceof ImageError && error.reason === 'InvalidImageName', String(error));
        assert.match(error.message, new RegExp(`^annotation varka\\.dev/${annotation} `));
        assert.match(error.message, complaint);
        return true;
      });
    });
  }

  test('a name that is none, and one that nobody knows', async () => {
    await assert.rejects(of({ image: 'a b' }), /couldn't parse image name "a b": invalid reference format/);
    await assert.rejects(of({}), (error) => {
      assert.ok(error instanceof ImageError && error.reason === 'ErrImagePull');
      assert.match(error.message, /varka\.yaml \(images: \[\{image: "nobody\/app", command.*install podman or docker/);
      return true;
    });
    await assert.rejects(of({ pullPolicy: 'Never' }), (error) => {
      assert.ok(error instanceof ImageError && error.reason === 'ErrImageNeverPull');
      assert.match(
        error.message,
        /^Container image "nobody\/app:v1" is not present with pull policy of Never; add one to/,
      );
      return true;
    });
  });

  describe('with a container engine', () => {
    const rootOf = (local: boolean) => ({ id: 'sha256:1', directory: '/images/1', local });
    const image: ImageProgram = { entrypoint: ['/init'], root: rootOf(false) };
    /** An engine that has these images, and can fetch those. */
    function engineWith(present: string[], fetchable: string[] = []): ContainerEngine & { pulled: string[] } {
      const pulled: string[] = [];
      return {
        pulled,
        name: 'podman',
        find: async (name) =>
          present.includes(name) ? { ...image, root: rootOf(name.startsWith('built/')) } : undefined,
        pull: async (name) => {
          pulled.push(name);
          if (!fetchable.includes(name)) throw new Error(`podman pull ${name}: no such host`);
          present.push(name);
        },
      };
    }

    test('its image comes before a program that stands in, but not before the user’s word', async () => {
      const engine = engineWith(['demo/app', 'mine/app', 'nobody/app:v1']);
      assert.deepEqual(await of({ image: 'demo/app' }, engine), image);
      assert.deepEqual((await of({ image: 'mine/app' }, engine)).entrypoint, ['/mine']);
      assert.equal((await of({}, engine)).root?.id, 'sha256:1');
      assert.deepEqual((await of({ image: 'demo/app' }, engineWith([]))).entrypoint, ['/demo']);
    });

    test('what is missing is fetched, and by policy what is there; nothing for what has a stand-in', async () => {
      const engine = engineWith(['x/there:v1'], ['x/missing:v1', 'x/there:v1']);
      assert.deepEqual(await of({ image: 'x/missing:v1' }, engine), image);
      await of({ image: 'x/there:v1' }, engine);
      assert.deepEqual(engine.pulled, ['x/missing:v1']);
      await of({ image: 'x/there:v1', pullPolicy: 'Always' }, engine);
      await of({ image: 'demo/app', pullPolicy: 'Always' }, engine);
      assert.deepEqual(engine.pulled, ['x/missing:v1', 'x/there:v1']);
      const local = engineWith(['built/app']);
      await of({ image: 'built/app', pullPolicy: 'Always' }, local);
      assert.deepEqual(local.pulled, []);
    });

    test('a failed pull is told in the engine’s words, with what else can be done', async () => {
      await assert.rejects(
        of({}, engineWith([])),
        /^ImageError: podman pull nobody\/app:v1: no such host; no program.*pull or build it with podman/,
      );
      await assert.rejects(of({ pullPolicy: 'Never' }, engineWith([])), /not present with pull policy of Never/);
    });
  });
});

// Image names to programs: short names, wildcards, annotations, and what is said when nothing fits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ImageCatalog, type ImageUse } from '../src/images/image-catalog.ts';
import { parseImage } from '../src/images/image-reference.ts';
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
    test(`${image} → ${program}`, () => assert.equal(catalog.resolve(image)?.entrypoint[0], program));
  }

  const use = (over: Partial<ImageUse>): ImageUse => ({
    image: 'nobody/app:v1',
    container: 'app',
    containers: ['istio-proxy', 'app'],
    annotations: {},
    ...over,
  });
  test('the pod’s annotation comes first, for its default container', () => {
    const annotations = { 'varka.dev/command': 'node "my app.js"' };
    assert.deepEqual(catalog.resolveFor(use({ annotations })), {
      kind: 'program',
      program: { entrypoint: ['node', 'my app.js'] },
    });
    assert.equal(catalog.resolveFor(use({ annotations, container: 'istio-proxy' })).kind, 'unknown');
    const named = { 'varka.dev/command.istio-proxy': '["envoy", "-c"]' };
    assert.deepEqual(catalog.resolveFor(use({ annotations: named, container: 'istio-proxy' })), {
      kind: 'program',
      program: { entrypoint: ['envoy', '-c'] },
    });
  });

  test('what is wrong is said', () => {
    const unknown = catalog.resolveFor(use({}));
    assert.ok(unknown.kind === 'unknown');
    assert.match(unknown.message, /images: \[\{image: "nobody\/app", command/);
    for (const value of ['[1]', '[', '""  "', '']) {
      const bad = catalog.resolveFor(use({ annotations: { 'varka.dev/command': value } }));
      assert.ok(bad.kind === 'invalid', value);
      assert.match(bad.message, /annotation varka\.dev\/command is not a command/);
    }
    assert.equal(catalog.resolveFor(use({ image: 'a b' })).kind, 'invalid');
    assert.throws(() => new ImageCatalog([{ image: 'app:v1', program: { entrypoint: ['/x'] } }]), /not a repository/);
    assert.throws(() => new ImageCatalog([{ image: 'app', program: { entrypoint: [] } }]), /empty command/);
  });
});

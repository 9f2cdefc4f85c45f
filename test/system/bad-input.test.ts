// What is wrong is told at once: what, where and what to do next; and what ran before goes on running.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leftovers, traces } from './support/leftovers.ts';
import { burst } from './support/load.ts';
import { Mesh } from './support/mesh.ts';
import { inPath, namespacesAllowed, ordinaryUser, skipUnless } from './support/peers.ts';

const skip = skipUnless(namespacesAllowed());
const AT_ONCE_MS = 10_000;

const files = mkdtempSync(join(tmpdir(), 'varka-bad-'));
after(() => rmSync(files, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(files, name);
  writeFileSync(path, text);
  return path;
}

const istio = (kind: string, name: string, spec: unknown) =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${JSON.stringify(spec)}\n`;
const virtualService = (name: string, http: unknown, more: object = {}) =>
  istio('VirtualService', name, { hosts: ['web'], http, ...more });
const route = (destination: object, weight?: unknown) => ({ destination, ...(weight === undefined ? {} : { weight }) });

describe('what keeps a mesh from starting', { skip }, () => {
  const cases: [title: string, args: () => string[], ...expected: RegExp[]][] = [
    ['a file that is not there', () => ['-f', '/nowhere/x.yaml'], /VARKA301: .*\/nowhere\/x\.yaml/],
    ['a file that is not YAML', () => ['-f', file('a.yaml', 'kind: [\n')], /VARKA304: .*a\.yaml:2:1: not YAML/],
    [
      'a document without a kind',
      () => ['-f', file('b.yaml', 'apiVersion: v1\nmetadata: {name: x}\n')],
      /VARKA306: .*b\.yaml:1 .*no kind/,
    ],
    [
      'a kind nobody serves',
      () => [
        '-f',
        file(
          'c.yaml',
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: {name: x}\n',
        ),
      ],
      /VARKA307: .*c\.yaml:5 \(document 2\): no kind VirtualServise/,
      /VirtualService \(networking\.istio\.io\/v1\)/,
    ],
    ['a port that is no number', () => ['--gateway-port', 'http'], /VARKA103: --gateway-port http is not a port/],
    ['a profile name with a slash', () => ['--profile', '../x'], /VARKA101/],
  ];
  for (const [title, args, ...expected] of cases) {
    test(title, async (t) => {
      const mesh = new Mesh();
      t.after(() => mesh.dispose());
      const begin = performance.now();
      const up = await mesh.varka('up', ...args());
      assert.equal(up.code, 1, up.stdout);
      for (const text of expected) assert.match(up.stderr, text);
      assert.match(up.stderr, /\n {2}why: {2}.+\n {2}next: .+\n$/);
      assert.ok(performance.now() - begin < AT_ONCE_MS);
      assert.match((await mesh.varka('status')).stderr, /VARKA108/);
    });
  }

  test('a damaged store', async (t) => {
    const mesh = new Mesh();
    t.after(() => mesh.dispose());
    assert.equal((await mesh.up()).code, 0);
    assert.equal((await mesh.varka('down')).code, 0);
    const store = join(mesh.directory, 'store');
    const database = readdirSync(store).find((name) => name.endsWith('.db')) ?? '';
    for (const name of readdirSync(store)) rmSync(join(store, name));
    writeFileSync(join(store, database), 'this is no database, '.repeat(1_000));
    const up = await mesh.up();
    assert.equal(up.code, 1);
    assert.match(up.stderr, /VARKA207: the store \S+\.db cannot be read/);
    const [, from = '', to = ''] = /mv (\S+) (\S+) /.exec(up.stderr) ?? [];
    assert.equal((await mesh.run('mv', [from, to])).code, 0); // the advice, followed
    const again = await mesh.up();
    assert.equal(again.code, 0, again.stdout + again.stderr);
  });

  test('a varka.yaml that makes no sense', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'varka-cwd-'));
    const mesh = new Mesh({ cwd: directory });
    t.after(async () => {
      await mesh.dispose();
      rmSync(directory, { recursive: true, force: true });
    });
    writeFileSync(join(directory, 'varka.yaml'), 'images:\n  - image: my/app\n    comand: [x]\n');
    const up = await mesh.varka('up');
    assert.equal(up.code, 1);
    assert.match(up.stderr, /VARKA309: varka\.yaml:3: unknown field comand/);
  });

  const rootPeer = ordinaryUser();
  test('a full disk', { skip: skipUnless(rootPeer) }, async (t) => {
    const mesh = new Mesh();
    t.after(() => mesh.dispose());
    const script = `mount -t tmpfs -o size=96k tmpfs "$VARKA_HOME" && exec "$0" "$@"`;
    const up = await mesh.run('unshare', [
      '--mount',
      'sh',
      '-c',
      script,
      process.execPath,
      Mesh.program,
      'up',
      '--api-port',
      '0',
      '--gateway-port',
      '0',
    ]);
    assert.equal(up.code, 1, up.stdout);
    assert.match(up.stderr, /VARKA208: the disk is full/);
  });

  test('a machine without util-linux, for one who wants namespaces', async (t) => {
    const mesh = new Mesh({ env: { PATH: files } });
    t.after(() => rmSync(mesh.home, { recursive: true, force: true }));
    const up = await mesh.varka('up', '--sandbox', 'netns', '--api-port', '0', '--gateway-port', '0');
    assert.equal(up.code, 1, up.stdout);
    assert.match(up.stderr, /VARKA202: the program `setpriv` is missing/);
    assert.ok(inPath('setpriv') !== undefined);
  });
});

describe('what a mesh takes in its stride', { skip }, () => {
  const mesh = new Mesh();
  after(() => mesh.dispose());
  before(async () => {
    const up = await mesh.up('-f', 'demos/chain');
    assert.equal(up.code, 0, up.stdout + up.stderr);
    assert.equal((await mesh.varka('down')).code, 0);
  });

  /** Up again with one more file: the mesh of before, and what is said about the file. */
  const withFile = async (path: string, ...args: string[]) => {
    const up = await mesh.up('-f', path, ...args);
    assert.match(up.stdout, /also here from before: servicemesh-apps \(4 Deployments\)/);
    const status = await mesh.status();
    const [answer] = await burst(`${status.gateway.http}/service-a`, 1, 1);
    const [elsewhere] = await burst(`${status.gateway.http}/dangling`, 1, 1);
    const running = traces(mesh);
    assert.equal((await mesh.varka('down')).code, 0);
    assert.deepEqual(leftovers(mesh, running), []);
    assert.equal(answer?.status, 200);
    assert.match(answer?.body ?? '', /Service C/);
    return { up, status, dangling: elsewhere?.status };
  };

  test('objects that the API refuses are told one by one, the others applied', async () => {
    const path = file(
      'refused.yaml',
      [
        virtualService('weight', [{ route: [route({ host: 'web' }, 'ten')] }]),
        virtualService('field', [{ route: [route({ host: 'web' })], retry: 3 }]),
        virtualService('regex', [{ match: [{ uri: { regex: '(?=a)b' } }], route: [route({ host: 'web' })] }]),
        virtualService('missing', [{ route: [{ weight: 1 }] }]),
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n',
      ].join('---\n'),
    );
    const { up } = await withFile(path);
    assert.equal(up.code, 1);
    assert.match(up.stdout, /applied 2 of 5 objects/);
    // Istio's kinds take fields that they do not know, as in a real cluster with validation off; but not in silence.
    assert.match(up.stdout, /refused\.yaml:6: unknown field "spec\.http\[0\]\.retry"/);
    const told = up.stdout.split('error VARKA308: ').slice(1);
    const expected = [
      /refused\.yaml:1 \(document 1\): VirtualService weight: .*weight/,
      /document 3\): VirtualService regex: .*is not a valid pattern/,
      /document 4\): VirtualService missing: .*destination/,
    ];
    assert.equal(told.length, expected.length, up.stdout);
    for (const [index, text] of expected.entries()) {
      assert.match(told[index] ?? '', text);
      assert.match(told[index] ?? '', /next: .*kubectl apply -f /);
    }
  });

  test('a route to a subset that does not exist answers 503, and is a finding, as is an unknown gateway', async () => {
    const path = file(
      'dangling.yaml',
      istio('VirtualService', 'dangling', {
        hosts: ['*'],
        gateways: ['chain-gateway', 'no-gateway'],
        http: [{ match: [{ uri: { prefix: '/dangling' } }], route: [route({ host: 'service-a', subset: 'nowhere' })] }],
      }),
    );
    const { up, status, dangling } = await withFile(path, '--namespace', 'servicemesh-apps');
    assert.equal(up.code, 0, up.stdout);
    assert.equal(dangling, 503);
    const about = status.findings.filter(({ object }) => object === 'VirtualService servicemesh-apps/dangling');
    for (const name of ['nowhere', 'no-gateway']) {
      assert.ok(
        about.some(({ message }) => message.includes(name)),
        JSON.stringify(status.findings),
      );
    }
  });

  test('an image that nobody knows', async () => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'mystery' },
      spec: {
        selector: { matchLabels: { app: 'm' } },
        template: {
          metadata: { labels: { app: 'm' } },
          spec: { containers: [{ name: 'm', image: 'example.com/mystery:1' }] },
        },
      },
    };
    const begin = performance.now();
    const { up, status } = await withFile(file('image.yaml', JSON.stringify(deployment)));
    assert.ok(performance.now() - begin < 30_000); // far less than --wait
    assert.equal(up.code, 1);
    assert.match(status.pods.find(({ name }) => name.startsWith('mystery-'))?.stuck ?? '', /add one to varka\.yaml/);
    assert.match(
      up.stdout,
      /VARKA403: one Deployment is not available: default\/mystery \(container m: (ErrImagePull|ImagePullBackOff): .*varka\.yaml/,
    );
    assert.equal(status.pods.find(({ name }) => name.startsWith('mystery-'))?.ready, '0/1');
  });
});

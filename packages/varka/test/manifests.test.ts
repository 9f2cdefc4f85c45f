// What -f accepts, in which order, and how it says what it does not accept.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { type ProblemName, VarkaError } from '../src/errors.ts';
import { parseManifest, readManifests } from '../src/manifests/read.ts';
import { resolveKinds } from '../src/manifests/resolve.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-manifests-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(path: string, text: string): string {
  const full = join(directory, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;

function refuses(action: () => unknown, name: ProblemName, ...texts: RegExp[]): void {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof VarkaError, String(error));
    assert.equal(error.problem.name, name, error.message);
    for (const text of texts) assert.match(`${error.problem.what} ${error.problem.why} ${error.problem.next}`, text);
    return true;
  });
}

async function refusesToRead(paths: string[], name: ProblemName, text: RegExp): Promise<void> {
  await assert.rejects(readManifests(paths, directory, Readable.from([])), (error: unknown) => {
    refuses(
      () => {
        throw error;
      },
      name,
      text,
    );
    return true;
  });
}

test('every document of a file is read and knows its line', () => {
  const documents = parseManifest('x.yaml', `# first\n${configMap('a')}---\n---\n${configMap('b')}...\n`);
  assert.deepEqual(
    documents.map(({ object, line, index }) => [object.metadata?.name, line, index]),
    [
      ['a', 2, 1],
      ['b', 8, 3],
    ],
  );
});

test('a directory is read in the order of names, its folders too, other files left alone', async () => {
  file('dir/20.yml', configMap('c'));
  file('dir/10.yaml', configMap('a'));
  file('dir/15/x.json', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } }));
  file('dir/readme.md', '# not a manifest: [');
  const names = (await readManifests(['dir'], directory)).map(({ object }) => object.metadata?.name);
  assert.deepEqual(names, ['a', 'b', 'c']);
});

test('of a demo only manifests/ is read', async () => {
  file('demo/package.json', '{"name": "demo"}');
  file('demo/manifests/a.yaml', configMap('inside'));
  assert.deepEqual(
    (await readManifests(['demo'], directory)).map(({ path, object }) => [path, object.metadata?.name]),
    [['demo/manifests/a.yaml', 'inside']],
  );
});

test('a List counts as its items', () => {
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'in-list' } }],
  };
  assert.equal(parseManifest('x.json', JSON.stringify(list))[0]?.object.metadata?.name, 'in-list');
});

test('what is not YAML is told with line and column', () => {
  refuses(
    () => parseManifest('bad.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n'),
    'not-yaml',
    /bad\.yaml:4:1/,
  );
  refuses(() => parseManifest('tab.yaml', 'apiVersion: v1\nmetadata:\n\tname: a\n'), 'not-yaml', /tab\.yaml:3:/);
  refuses(() => parseManifest('twice.yaml', 'kind: A\nkind: B\n'), 'not-yaml', /twice\.yaml:2:/, /unique/);
});

test('a small file cannot unfold into a huge one', () => {
  const levels = Array.from(
    { length: 9 },
    (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(', ')}]`,
  );
  refuses(() => parseManifest('bomb.yaml', `a0: &a0 x\n${levels.join('\n')}\n`), 'not-yaml', /alias/);
});

test('a document that is no object is refused, naming what it lacks', () => {
  refuses(
    () => parseManifest('x.yaml', `${configMap('a')}---\n- just\n- a list\n`),
    'not-an-object',
    /x\.yaml:6 \(document 2\)/,
    /mapping/,
  );
  refuses(() => parseManifest('x.yaml', 'metadata: {name: a}\n'), 'not-an-object', /no apiVersion/);
  refuses(() => parseManifest('x.yaml', 'apiVersion: v1\nmetadata: {name: a}\n'), 'not-an-object', /no kind/);
  refuses(() => parseManifest('x.yaml', 'apiVersion: v1\nkind: ConfigMap\n'), 'not-an-object', /no metadata/);
  refuses(() => parseManifest('x.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n'), 'not-an-object', /no name/);
});

test('what is not there, or holds nothing, is told', async () => {
  await refusesToRead(['nowhere.yaml'], 'file-missing', /nowhere\.yaml/);
  mkdirSync(join(directory, 'empty'));
  await refusesToRead(['empty'], 'directory-empty', /empty/);
});

test('- is the standard input', async () => {
  const documents = await readManifests(
    ['-'],
    directory,
    Readable.from([configMap('typed').slice(0, 20), configMap('typed').slice(20)]),
  );
  assert.deepEqual(
    documents.map(({ path, object }) => [path, object.metadata?.name]),
    [['-', 'typed']],
  );
  await refusesToRead(['-'], 'nothing-to-apply', /- holds no object/);
});

const SERVED = [
  { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
  { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true },
  { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService', plural: 'virtualservices', namespaced: true },
];
const named = (apiVersion: string, kind: string) =>
  parseManifest('x.yaml', `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`);

test('a kind nobody serves is told with what is near it', () => {
  refuses(
    () => resolveKinds(named('networking.istio.io/v1', 'VirtualServise'), SERVED),
    'unknown-kind',
    /x\.yaml:1/,
    /VirtualService \(networking\.istio\.io\/v1\)/,
  );
  refuses(() => resolveKinds(named('extensions/v1beta1', 'Deployment'), SERVED), 'unknown-kind', /served as apps\/v1/);
  refuses(() => resolveKinds(named('example.com/v1', 'Zebra'), SERVED), 'unknown-kind', /CustomResourceDefinition/);
});

test('a kind that a definition among the documents brings along is known', () => {
  const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: zebras.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Zebra, plural: zebras}, versions: [{name: v1, served: true}]}
---
apiVersion: example.com/v1
kind: Zebra
metadata: {name: marty}
`;
  const definitions = {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    namespaced: false,
  };
  const kinds = resolveKinds(parseManifest('x.yaml', definition), [...SERVED, definitions]).map(
    ({ kind }) => kind.plural,
  );
  assert.deepEqual(kinds, ['customresourcedefinitions', 'zebras']);
});

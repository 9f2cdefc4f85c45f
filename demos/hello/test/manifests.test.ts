// The manifests against the program: images that are there, a port that is served, subsets that have pods.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { helloImages } from '../images.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Record<string, unknown>;
}

interface Template {
  readonly metadata: { readonly labels: { readonly version: string } };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

const directory = new URL('../manifests/', import.meta.url);
const manifests = readdirSync(directory)
  .sort()
  .flatMap((file) => parseAllDocuments(readFileSync(new URL(file, directory), 'utf8')))
  .map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
const specOf = <T>(kind: string): T[] => manifests.filter((one) => one.kind === kind).map(({ spec }) => spec as T);

test('come in an order in which each finds what it needs', () => {
  assert.equal(manifests[0]?.kind, 'Namespace');
  for (const { kind, metadata } of manifests.slice(1))
    assert.equal(metadata.namespace, 'hello', `${kind} ${metadata.name}`);
});

test('run images that the catalog has, in versions that the rules name', () => {
  const templates = specOf<{ template: Template }>('Deployment').map(({ template }) => template);
  for (const { spec } of templates) {
    const image = spec.containers[0]?.image.replace(/:[^:]*$/, '');
    assert.ok(
      helloImages.some((row) => row.image === image),
      image,
    );
  }
  const versions = templates.map(({ metadata }) => metadata.labels.version);
  assert.deepEqual(versions, ['v1', 'v2', 'v3', 'v4', 'v5', 'v6']);
  const [rule] = specOf<{ subsets: { name: string; labels: { version: string } }[] }>('DestinationRule');
  assert.deepEqual(
    rule?.subsets.map(({ name, labels }) => [name, labels.version]),
    versions.map((version) => [version, version]),
  );
});

test('the image rows lead to a program that is there', () => {
  for (const { module } of helloImages) assert.ok(existsSync(fileURLToPath(module)), module.href);
});

// The manifests, of both generations, against the programs: images that are there, names that lead somewhere.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { relayImages } from '../images.ts';

interface Manifest {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
  readonly spec?: { readonly template?: { readonly spec: { readonly containers: readonly Container[] } } };
}

interface Container {
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
}

function read(folder: string): Manifest[] {
  const directory = new URL(`../${folder}/`, import.meta.url);
  return readdirSync(directory)
    .sort()
    .flatMap((file) => parseAllDocuments(readFileSync(new URL(file, directory), 'utf8')))
    .map((document) => {
      assert.deepEqual(document.errors, []);
      return document.toJS() as Manifest;
    });
}

const containersOf = (manifests: readonly Manifest[]): Container[] =>
  manifests.flatMap(({ spec }) => [...(spec?.template?.spec.containers ?? [])]);
const manifests = read('manifests');

for (const folder of ['manifests', 'legacy']) {
  describe(folder, () => {
    test('runs images that the catalog has', () => {
      for (const { image } of containersOf(read(folder)))
        assert.ok(
          relayImages.some((row) => row.image === image.replace(/:[^:]*$/, '')),
          image,
        );
    });

    test('asks services that are there, or names that one stands in for', () => {
      const services = read(folder).filter(({ kind }) => kind === 'Service');
      const clock = manifests.find(({ metadata }) => metadata.name === 'clock');
      const names = [
        ...services.map(({ metadata }) => metadata.name),
        ...(clock?.metadata.annotations?.['varka.dev/external-names'] ?? '').split(','),
      ];
      const asked = containersOf(read(folder)).flatMap(({ env = [] }) =>
        env.filter(({ name }) => name === 'UPSTREAM_URI'),
      );
      assert.equal(asked.length, 4);
      for (const { value } of asked) assert.ok(names.includes(new URL(value).hostname), value);
    });
  });
}

test('the legacy generation is one', () => {
  const versions = new Set(read('legacy').map(({ kind, apiVersion }) => `${kind} ${apiVersion}`));
  assert.ok(versions.has('Deployment extensions/v1beta1') && versions.has('Ingress extensions/v1beta1'));
});

test('the image rows lead to programs that are there', () => {
  for (const { module } of relayImages) assert.ok(existsSync(fileURLToPath(module)), module.href);
});

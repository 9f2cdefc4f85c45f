// The manifests against the programs: what they name is there, and ports and variables are those that are read.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { chainImages } from '../images.ts';

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: Record<string, unknown>;
}

interface Container {
  name: string;
  image: string;
  env: { name: string; value: string }[];
  ports: { name: string; containerPort: number }[];
  readinessProbe: { httpGet: { path: string; port: string }; periodSeconds: number; initialDelaySeconds?: number };
}

const read = (folder: string): Manifest[] => {
  const directory = new URL(`../${folder}/`, import.meta.url);
  return readdirSync(directory)
    .sort()
    .flatMap((file) => parseAllDocuments(readFileSync(new URL(file, directory), 'utf8')))
    .map((document) => {
      assert.deepEqual(document.errors, []);
      return document.toJS() as Manifest;
    });
};

const manifests = read('manifests');
const of = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
const containerOf = (deployment: Manifest): Container =>
  (deployment.spec as { template: { spec: { containers: Container[] } } }).template.spec.containers[0]!;

describe('the manifests', () => {
  it('come in an order in which each finds what it needs', () => {
    assert.equal(manifests[0]?.kind, 'Namespace');
    const kinds = manifests.map(({ kind }) => kind);
    assert.ok(kinds.indexOf('ServiceMeshMemberRoll') < kinds.indexOf('Deployment'), 'or pods start without sidecars');
  });

  it('are in the namespace of the demo, or of the mesh', () => {
    for (const { kind, metadata } of [...manifests, ...read('canary')]) {
      if (kind === 'Namespace') continue;
      const expected = kind.startsWith('ServiceMesh') ? 'istio-system' : 'servicemesh-apps';
      assert.equal(metadata.namespace, expected, `${kind} ${metadata.name}`);
    }
  });

  it('run images that the catalog has, with variables that the programs read', () => {
    const deployments = of('Deployment');
    assert.deepEqual(
      deployments.map(({ metadata }) => metadata.name),
      ['service-a', 'service-b', 'service-c-v1', 'service-c-v2'],
    );
    for (const deployment of deployments) {
      const container = containerOf(deployment);
      const row = chainImages.find(({ image }) => container.image === `${image}:1.0`);
      assert.ok(row, container.image);
      const source =
        readFileSync(row.module, 'utf8') + readFileSync(new URL('../../kit/src/serve.ts', import.meta.url));
      for (const { name } of container.env) assert.ok(source.includes(`process.env['${name}']`), name);
      assert.equal(container.env.find(({ name }) => name === 'PORT')?.value, String(container.ports[0]?.containerPort));
      assert.deepEqual(container.readinessProbe.httpGet, { path: '/health', port: 'http' });
      assert.equal(container.readinessProbe.periodSeconds, 1);
      assert.equal(container.readinessProbe.initialDelaySeconds, undefined);
    }
  });

  it('point each service at the next one', () => {
    const hosts = of('Service').map(({ metadata, spec }) => {
      const { ports } = spec as { ports: { port: number }[] };
      return `${metadata.name}:${ports[0]?.port}`;
    });
    const variables = of('Deployment').flatMap((deployment) => containerOf(deployment).env);
    for (const { name, value } of variables) if (name.endsWith('_HOST')) assert.ok(hosts.includes(value), value);
    assert.deepEqual(hosts, ['service-a:8080', 'service-b:8080', 'service-c:8080']);
  });
});

describe('the image rows', () => {
  it('lead to programs that are there', () => {
    assert.equal(chainImages.length, 6);
    for (const { module } of chainImages) assert.ok(existsSync(fileURLToPath(module)), module.href);
  });
});

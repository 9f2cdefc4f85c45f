// The manifests against the programs: what they name is there, and the story's steps fit what they follow.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engineImages } from '@varka/demo-engines/images.ts';
import { parseAllDocuments } from 'yaml';
import { pitstopImages } from '../images.ts';
import { STANDARD_PORTS } from '../src/programs.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly selector?: Record<string, unknown>;
    readonly ports?: readonly { readonly port: number; readonly targetPort: number; readonly nodePort?: number }[];
    readonly template?: {
      readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
      readonly spec: { readonly containers: readonly Container[] };
    };
  };
}

interface Container {
  readonly image: string;
  readonly ports?: readonly { readonly containerPort: number }[];
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

const manifests = read('manifests');
const steps = ['release', 'faults', 'authorization'].flatMap(read);
const of = (kind: string, from = manifests) => from.filter((manifest) => manifest.kind === kind);
const labelsOf = ({ spec }: Manifest) => spec.template?.metadata.labels ?? {};

describe('the manifests', () => {
  it('begin with the namespace that all are in', () => {
    assert.equal(manifests[0]?.kind, 'Namespace');
    for (const { kind, metadata } of [...manifests.slice(1), ...steps]) {
      assert.equal(metadata.namespace, 'pitstop', `${kind} ${metadata.name}`);
    }
  });

  it('run images that stand for a program, the two versions of the customer API among them', () => {
    for (const { metadata, spec } of [...of('Deployment'), ...of('Deployment', steps)]) {
      const image = spec.template?.spec.containers[0]?.image ?? '';
      const [repository, tag = ''] = image.split(':');
      const rows = [...pitstopImages, ...engineImages].filter((row) => row.image === repository);
      assert.ok(
        rows.some(({ tags }) => tags?.includes(tag) ?? true),
        `${metadata.name}: ${image}`,
      );
    }
  });

  it('give sidecars to the web app, the APIs and the database', () => {
    const injected = of('Deployment')
      .filter(({ spec }) => spec.template?.metadata.annotations['sidecar.istio.io/inject'] === 'true')
      .map(({ metadata }) => metadata.name);
    assert.deepEqual(injected, [
      'sqlserver',
      'customermanagementapi-v1',
      'vehiclemanagementapi',
      'workshopmanagementapi',
      'webapp',
    ]);
  });

  it('have Services whose pods listen where they say, on the ports that the programs know each other by', () => {
    for (const { metadata, spec } of of('Service')) {
      const pods = of('Deployment').filter((deployment) =>
        Object.entries(spec.selector ?? {}).every(([key, value]) => labelsOf(deployment)[key] === value),
      );
      assert.equal(pods.length, 1, metadata.name);
      const open = pods[0]?.spec.template?.spec.containers[0]?.ports?.map(({ containerPort }) => containerPort) ?? [];
      for (const { targetPort } of spec.ports ?? []) assert.ok(open.includes(targetPort), metadata.name);
    }
    for (const name of ['webapp', 'customermanagementapi', 'sqlserver', 'logserver'] as const) {
      const service = of('Service').find(({ metadata }) => metadata.name === name);
      assert.deepEqual(
        service?.spec.ports?.map(({ port }) => port),
        [STANDARD_PORTS[name]],
      );
    }
    const nodePorts = of('Service').flatMap(({ spec }) => spec.ports?.flatMap(({ nodePort }) => nodePort ?? []) ?? []);
    assert.equal(new Set(nodePorts).size, nodePorts.length);
  });

  it('release version 2.0 step by step', () => {
    const [first, both] = [of('Service'), of('Service', steps)].map((from) =>
      from.find(({ metadata }) => metadata.name === 'customermanagementapi'),
    );
    assert.deepEqual(first?.spec.selector, { app: 'customermanagementapi', version: '1.0' });
    assert.deepEqual(both?.spec, { ...first?.spec, selector: { app: 'customermanagementapi' } });
    const [version2] = of('Deployment', steps);
    assert.deepEqual(version2 && labelsOf(version2), { app: 'customermanagementapi', version: '2.0' });
  });
});

describe('the image rows', () => {
  it('lead to programs that are there', () => {
    for (const { module } of pitstopImages) assert.ok(existsSync(fileURLToPath(module)), module.href);
  });
});

// A client-side apply against an API that keeps what it is given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@varka/kube/object.ts';
import { StatusError } from '@varka/kube/status-error.ts';
import type { Problem } from '../src/errors.ts';
import { type Applied, applyAll } from '../src/manifests/apply.ts';
import type { ApplyApi } from '../src/manifests/apply-api.ts';
import { parseManifest } from '../src/manifests/read.ts';
import { resolveKinds } from '../src/manifests/resolve.ts';

const SERVED = ['Namespace', 'ConfigMap', 'Secret', 'Pod'].map((kind) => ({
  group: '',
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced: kind !== 'Namespace',
}));

class MemoryApi implements ApplyApi {
  readonly objects = new Map<string, KubeObject>();
  readonly calls: string[] = [];
  #revision = 0;

  async get(kind: { plural: string }, name: string, namespace?: string) {
    return this.objects.get(`${kind.plural}/${namespace}/${name}`);
  }

  async create(kind: { plural: string }, object: KubeObject) {
    const { name = '', namespace } = object.metadata ?? {};
    this.calls.push(`create ${kind.plural}/${namespace}/${name}`);
    if (name === 'refused') throw StatusError.badRequest('not this one');
    return {
      object: this.#store(`${kind.plural}/${namespace}/${name}`, object),
      warnings: name === 'odd' ? ['an odd name'] : [],
    };
  }

  async patch(kind: { plural: string }, name: string, namespace: string | undefined, patch: unknown) {
    const key = `${kind.plural}/${namespace}/${name}`;
    this.calls.push(`patch ${key} ${Object.keys((patch as { data?: object }).data ?? {}).join()}`);
    const { data, metadata } = patch as { data: Record<string, string | null>; metadata: object };
    const live = this.objects.get(key) as { data?: object; metadata?: object };
    const merged = Object.entries({ ...live.data, ...data }).filter(([, value]) => value !== null);
    return {
      object: this.#store(key, {
        ...live,
        metadata: { ...live.metadata, ...metadata },
        data: Object.fromEntries(merged),
      }),
      warnings: [],
    };
  }

  #store(key: string, object: KubeObject): KubeObject {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    this.objects.set(key, stored);
    return stored;
  }
}

async function apply(api: ApplyApi, text: string) {
  const applied: Applied[] = [];
  const rejected: Problem[] = [];
  await applyAll({
    api,
    documents: resolveKinds(parseManifest('x.yaml', text), SERVED),
    namespace: 'team',
    kubeconfig: '/k',
    onApplied: (one) => void applied.push(one),
    onRejected: (one) => void rejected.push(one),
  });
  return { applied: applied.map(({ action, object }) => `${action} ${object.metadata?.name}`), rejected, all: applied };
}

const configMap = (name: string, data: object) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${JSON.stringify(data)}\n`;

test('namespaces come first, programs last, and what names none goes to the namespace asked for', async () => {
  const api = new MemoryApi();
  const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n';
  const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n';
  await apply(api, `${pod}---\n${configMap('a', {})}---\n${namespace}`);
  assert.deepEqual(api.calls, ['create namespaces/undefined/team', 'create configmaps/team/a', 'create pods/team/p']);
});

test('a second apply changes nothing; a changed one only what changed', async () => {
  const api = new MemoryApi();
  assert.deepEqual((await apply(api, configMap('a', { x: '1', y: '2' }))).applied, ['created a']);
  assert.deepEqual((await apply(api, configMap('a', { x: '1', y: '2' }))).applied, ['unchanged a']);
  assert.deepEqual((await apply(api, configMap('a', { x: '9' }))).applied, ['configured a']);
  assert.deepEqual(api.calls.at(-1), 'patch configmaps/team/a x,y');
  assert.deepEqual(api.objects.get('configmaps/team/a')?.['data'], { x: '9' });
});

test('a refusal is told with its place, and the others are applied', async () => {
  const { applied, rejected } = await apply(new MemoryApi(), `${configMap('refused', {})}---\n${configMap('b', {})}`);
  assert.deepEqual(applied, ['created b']);
  assert.equal(rejected.length, 1);
  assert.match(rejected[0]?.what ?? '', /^x\.yaml:1 \(document 1\): ConfigMap refused: not this one$/);
});

test("the server's remarks are heard", async () => {
  assert.deepEqual((await apply(new MemoryApi(), configMap('odd', {}))).all[0]?.warnings, ['an odd name']);
});

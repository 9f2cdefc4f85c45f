import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PodBackend } from '../src/server/pod-backend.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';
import { localPods } from './support/local-pods.ts';

const measured = { takenAt: Date.parse('2026-01-02T03:04:05.678Z'), windowMs: 15_020 };
const usage: PodBackend['usage'] = () => ({
  pods: [
    {
      ...measured,
      namespace: 'default',
      name: 'web',
      containers: [
        { name: 'app', cpuNanocores: 12_345_678.4, memoryBytes: 33 * 1024 * 1024 },
        { name: 'side', cpuNanocores: 0, memoryBytes: 1024 },
      ],
    },
    // Gone from the API since it was measured.
    { ...measured, namespace: 'default', name: 'gone', containers: [] },
  ],
  nodes: [{ ...measured, name: 'one', cpuNanocores: 1.5e9, memoryBytes: 2 ** 30 }],
});

describe('metrics', () => {
  let api: ApiFixture;
  const base = '/apis/metrics.k8s.io/v1beta1';
  const items = async (path: string) => (await api.call('GET', `${base}${path}`)).body.items;

  before(async () => {
    api = await startApi({ podBackend: localPods({ usage }) });
    const containers = [{ name: 'app', image: 'x' }];
    for (const name of ['web', 'idle'])
      await api.call('POST', '/api/v1/namespaces/default/pods', {
        body: { metadata: { name, labels: { app: name } }, spec: { containers } },
      });
    await api.call('POST', '/api/v1/nodes', { body: { metadata: { name: 'one' } } });
  });
  after(() => api.close());

  test('of pods: each container, with the labels of its pod', async () => {
    const { code, body } = await api.call('GET', `${base}/namespaces/default/pods/web`);
    assert.equal(code, 200);
    assert.deepEqual(body, {
      kind: 'PodMetrics',
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: {
        labels: { app: 'web' },
        name: 'web',
        namespace: 'default',
        creationTimestamp: '2026-01-02T03:04:05Z',
      },
      timestamp: '2026-01-02T03:04:05Z',
      window: '15.02s',
      containers: [
        { name: 'app', usage: { cpu: '12345678n', memory: '33792Ki' } },
        { name: 'side', usage: { cpu: '0n', memory: '1Ki' } },
      ],
    });
  });

  test('of all pods, by namespace and by label', async () => {
    assert.equal((await items('/pods')).length, 1);
    assert.equal((await items('/namespaces/default/pods?labelSelector=app%3Dweb')).length, 1);
    assert.equal((await items('/pods?labelSelector=app%3Didle')).length, 0);
    assert.equal((await items('/namespaces/kube-system/pods')).length, 0);
  });

  test('of nodes', async () => {
    const [node] = await items('/nodes');
    assert.deepEqual(node?.['usage'], { cpu: '1500000000n', memory: '1048576Ki' });
    assert.equal((await api.call('GET', `${base}/nodes/one`)).code, 200);
  });

  test('what is not measured is not found, and nothing can be written or watched', async () => {
    const { code, body } = await api.call('GET', `${base}/namespaces/default/pods/idle`);
    assert.deepEqual([code, body.message], [404, 'podmetrics.metrics.k8s.io "default/idle" not found']);
    assert.equal((await api.call('DELETE', `${base}/namespaces/default/pods/web`)).code, 405);
    assert.equal((await api.call('GET', `${base}/pods?watch=true`)).code, 405);
    const { body: served } = await api.call('GET', base);
    assert.deepEqual(
      (served['resources'] as { name: string; verbs: string[] }[]).map(({ name, verbs }) => [name, verbs]),
      [
        ['pods', ['get', 'list']],
        ['nodes', ['get', 'list']],
      ],
    );
  });
});

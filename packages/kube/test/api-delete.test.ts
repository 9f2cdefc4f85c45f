import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from '../src/object.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const PODS = '/api/v1/namespaces/default/pods';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = 'application/merge-patch+json';

describe('deleting', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi({ now: () => new Date('2026-01-01T00:00:00.500Z') });
  });
  after(() => api.close());

  const pod = async (name: string, spec: object = {}): Promise<KubeObject> =>
    (
      await api.call('POST', PODS, {
        body: { metadata: { name }, spec: { containers: [{ name: 'a', image: 'x' }], ...spec } },
      })
    ).body;
  const bind = (name: string) => api.call('POST', `${PODS}/${name}/binding`, { body: { target: { name: 'varka' } } });
  const exists = async (path: string) => (await api.call('GET', path)).code === 200;

  test('a pod that nobody runs goes at once', async () => {
    await pod('free');
    assert.equal((await api.call('DELETE', `${PODS}/free`)).body.kind, 'Status');
    assert.equal(await exists(`${PODS}/free`), false);
  });

  test('a running pod is marked, may be hurried but not slowed, and goes when its node lets go', async () => {
    await pod('running');
    await bind('running');
    const marked = await api.call('DELETE', `${PODS}/running`);
    assert.deepEqual(
      [marked.body.kind, marked.body.metadata?.deletionTimestamp, marked.body.metadata?.deletionGracePeriodSeconds],
      ['Pod', '2026-01-01T00:00:30Z', 30],
    );
    const slower = await api.call('DELETE', `${PODS}/running?gracePeriodSeconds=60`);
    assert.equal(slower.body.metadata?.deletionGracePeriodSeconds, 30);
    const faster = await api.call('DELETE', `${PODS}/running`, { body: { gracePeriodSeconds: 5 } });
    assert.deepEqual(
      [faster.body.metadata?.deletionTimestamp, faster.body.metadata?.deletionGracePeriodSeconds],
      ['2026-01-01T00:00:05Z', 5],
    );
    assert.equal((await api.call('DELETE', `${PODS}/running?gracePeriodSeconds=0`)).body.kind, 'Status');
    assert.equal(await exists(`${PODS}/running`), false);
  });

  test('a pod says itself how long it needs', async () => {
    await pod('patient', { terminationGracePeriodSeconds: 7 });
    await bind('patient');
    assert.equal((await api.call('DELETE', `${PODS}/patient`)).body.metadata?.deletionGracePeriodSeconds, 7);
  });

  test('finalizers hold an object back until the last is gone', async () => {
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'held', finalizers: ['a.com/x', 'a.com/y'] } } });
    const deleted = await api.call('DELETE', `${CONFIG_MAPS}/held`);
    assert.equal(deleted.body.metadata?.deletionTimestamp, '2026-01-01T00:00:00Z');
    const set = (finalizers: string[]) =>
      api.call('PATCH', `${CONFIG_MAPS}/held`, { body: { metadata: { finalizers } }, type: MERGE });
    const more = await set(['a.com/x', 'a.com/y', 'a.com/z']);
    assert.match(more.body.message, /no new finalizers can be added if the object is being deleted/);
    assert.equal((await set(['a.com/y'])).code, 200);
    assert.equal(await exists(`${CONFIG_MAPS}/held`), true);
    assert.equal((await set([])).code, 200);
    assert.equal(await exists(`${CONFIG_MAPS}/held`), false);
  });

  test('propagation is left to the garbage collector, as a finalizer', async () => {
    for (const [policy, finalizer] of [
      ['Foreground', 'foregroundDeletion'],
      ['Orphan', 'orphan'],
    ]) {
      await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'owner' } } });
      const deleted = await api.call('DELETE', `${CONFIG_MAPS}/owner`, { body: { propagationPolicy: policy } });
      assert.deepEqual(deleted.body.metadata?.finalizers, [finalizer]);
      await api.call('PATCH', `${CONFIG_MAPS}/owner`, { body: { metadata: { finalizers: null } }, type: MERGE });
      assert.equal(await exists(`${CONFIG_MAPS}/owner`), false);
    }
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'owner' } } });
    assert.equal((await api.call('DELETE', `${CONFIG_MAPS}/owner?propagationPolicy=Background`)).body.kind, 'Status');
    const unknown = await api.call('DELETE', `${CONFIG_MAPS}/owner?propagationPolicy=Sideways`);
    assert.equal(unknown.code, 400);
  });

  test('preconditions', async () => {
    const { body } = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'sure' } } });
    const wrong = await api.call('DELETE', `${CONFIG_MAPS}/sure`, { body: { preconditions: { uid: 'another' } } });
    assert.equal(wrong.code, 409);
    const right = await api.call('DELETE', `${CONFIG_MAPS}/sure`, {
      body: { preconditions: { uid: body.metadata?.uid } },
    });
    assert.equal(right.code, 200);
  });

  test('a namespace takes no more content while it empties, and goes when it is finalized', async () => {
    await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'leaving' } } });
    const deleted = await api.call('DELETE', '/api/v1/namespaces/leaving');
    assert.deepEqual(
      [deleted.body.kind, (deleted.body['status'] as { phase: string }).phase],
      ['Namespace', 'Terminating'],
    );
    const late = await api.call('POST', '/api/v1/namespaces/leaving/configmaps', {
      body: { metadata: { name: 'late' } },
    });
    assert.equal(late.code, 403);
    assert.match(late.body.message, /unable to create new content in namespace leaving because it is being terminated/);
    assert.equal(await exists('/api/v1/namespaces/leaving'), true);
    const finalized = await api.call('PUT', '/api/v1/namespaces/leaving/finalize', {
      body: { metadata: { name: 'leaving' }, spec: { finalizers: [] } },
    });
    assert.equal(finalized.code, 200);
    assert.equal(await exists('/api/v1/namespaces/leaving'), false);
  });

  test('a collection, by label', async () => {
    for (const [name, tier] of [
      ['c1', 'x'],
      ['c2', 'x'],
      ['c3', 'y'],
    ]) {
      await api.call('POST', CONFIG_MAPS, { body: { metadata: { name, labels: { tier } } } });
    }
    assert.equal((await api.call('DELETE', `${CONFIG_MAPS}?labelSelector=tier%3Dx`)).body.items.length, 2);
    assert.deepEqual(
      [await exists(`${CONFIG_MAPS}/c1`), await exists(`${CONFIG_MAPS}/c2`), await exists(`${CONFIG_MAPS}/c3`)],
      [false, false, true],
    );
  });

  test('dryRun deletes nothing', async () => {
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'dry' } } });
    assert.equal((await api.call('DELETE', `${CONFIG_MAPS}/dry`, { body: { dryRun: ['All'] } })).code, 200);
    assert.equal(await exists(`${CONFIG_MAPS}/dry`), true);
  });
});

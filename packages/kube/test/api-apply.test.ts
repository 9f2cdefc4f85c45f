import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { record } from '../src/kinds/pod-template.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const BASE = '/apis/apps/v1/namespaces/default/deployments';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const config = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, ...metadata },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'example.com/main:1', ports: [{ containerPort: 80 }] }] },
    },
    ...spec,
  },
});

describe('server-side apply', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  const apply = (path: string, body: unknown, query = 'fieldManager=kubectl') =>
    api.call('PATCH', `${path}?${query}`, { body, type: 'application/apply-patch+yaml' });

  test('creates with 201, then answers 200 and writes nothing when nothing is new', async () => {
    const created = await apply(`${BASE}/a`, config('a'));
    assert.equal(created.code, 201, created.text);
    assert.equal(record(created.body['spec'])['replicas'], 1);
    const [entry, ...others] = created.body.metadata?.managedFields ?? [];
    assert.deepEqual([entry?.manager, entry?.operation, others.length], ['kubectl', 'Apply', 0]);
    const again = await apply(`${BASE}/a`, config('a'));
    assert.equal(again.code, 200);
    assert.equal(again.body.metadata?.resourceVersion, created.body.metadata?.resourceVersion);
  });

  test('needs a manager and its own kind, and takes no managedFields', async () => {
    const nameless = await apply(`${BASE}/b`, config('b'), '');
    assert.equal(nameless.code, 422);
    assert.match(nameless.body.message, /fieldManager: Required value: is required for apply patch/);
    assert.equal((await apply(`${BASE}/b`, { ...config('b'), kind: 'Pod' })).code, 400);
    const managed = await apply(`${BASE}/b`, config('b', {}, { managedFields: [] }));
    assert.match(managed.body.message, /metadata\.managedFields must be nil/);
    const unknown = await apply(`${BASE}/b`, config('b', { colour: 1 }), 'fieldManager=kubectl&fieldValidation=Strict');
    assert.match(unknown.body.message, /unknown field "spec.colour"/);
    assert.equal((await api.call('GET', `${BASE}/b`)).code, 404);
  });

  test('what others have written conflicts, is told field by field, and is taken over by force', async () => {
    await apply(`${BASE}/c`, config('c', { replicas: 2 }));
    await api.call('PATCH', `${BASE}/c?fieldManager=scaler`, {
      body: { spec: { replicas: 5 } },
      type: 'application/merge-patch+json',
    });
    const refused = await apply(`${BASE}/c`, config('c', { replicas: 2 }));
    assert.equal(refused.code, 409);
    assert.equal(
      refused.body.message,
      'Apply failed with 1 conflict: conflict with "scaler" using apps/v1: .spec.replicas',
    );
    assert.deepEqual(record(refused.body['details'])['causes'], [
      { reason: 'FieldManagerConflict', message: 'conflict with "scaler" using apps/v1', field: '.spec.replicas' },
    ]);
    await api.call('PATCH', `${BASE}/c/scale`, {
      body: { spec: { replicas: 6 } },
      type: 'application/merge-patch+json',
      headers: { 'user-agent': 'kubectl/v1.32 (linux)' },
    });
    assert.match(
      (await apply(`${BASE}/c`, config('c', { replicas: 2 }))).body.message,
      /conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    );
    // Whoever leaves the field to the other has no conflict.
    assert.equal((await apply(`${BASE}/c`, config('c'))).code, 200);
    const forced = await apply(`${BASE}/c`, config('c', { replicas: 2 }), 'fieldManager=kubectl&force=true');
    assert.equal(record(forced.body['spec'])['replicas'], 2);
    assert.deepEqual(
      forced.body.metadata?.managedFields?.map((one) => one.manager),
      ['kubectl'],
    );
  });

  test('a field that is applied no longer goes back to its default', async () => {
    await apply(`${BASE}/d`, config('d', { replicas: 3, revisionHistoryLimit: 2 }, { labels: { a: '1', b: '2' } }));
    const { body } = await apply(`${BASE}/d`, config('d', {}, { labels: { a: '1' } }));
    assert.deepEqual(body.metadata?.labels, { a: '1' });
    const { replicas, revisionHistoryLimit } = record(body['spec']);
    assert.deepEqual([replicas, revisionHistoryLimit], [1, 10]);
  });

  test('goes on where kubectl apply without --server-side left off', async () => {
    const before = config('e', { replicas: 3 });
    const annotated = config('e', { replicas: 3 }, { annotations: { [LAST_APPLIED]: JSON.stringify(before) } });
    await api.call('POST', `${BASE}?fieldManager=kubectl-client-side-apply`, { body: annotated });
    const applied = await apply(`${BASE}/e`, config('e', { replicas: 4 }));
    assert.equal(applied.code, 200, applied.text);
    const annotation = applied.body.metadata?.annotations?.[LAST_APPLIED] ?? '';
    assert.equal(record(JSON.parse(annotation)['spec'])['replicas'], 4);
    // What no manager was kept account of is a conflict only where it changes.
    await api.call('POST', BASE, { body: config('f', { replicas: 3 }) });
    assert.match(
      (await apply(`${BASE}/f`, config('f', { replicas: 4 }))).body.message,
      /conflict with "before-first-apply" using apps\/v1: \.spec\.replicas/,
    );
  });

  test('nobody is asked to keep account who has not asked for it', async () => {
    const { body } = await api.call('POST', BASE, { body: config('g') });
    assert.equal(body.metadata?.managedFields, undefined);
    const named = await api.call('PATCH', `${BASE}/g?fieldManager=me`, {
      body: { metadata: { labels: { x: '1' } } },
      type: 'application/merge-patch+json',
    });
    assert.deepEqual(named.body.metadata?.managedFields?.[0]?.fieldsV1, {
      'f:metadata': { 'f:labels': { 'f:x': {} } },
    });
  });

  test('a status is applied through its own path', async () => {
    await apply(`${BASE}/h`, config('h'));
    const status = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'h' }, status: { replicas: 7 } };
    const applied = await apply(`${BASE}/h/status`, status, 'fieldManager=probe');
    assert.equal(applied.code, 200, applied.text);
    assert.equal(record(applied.body['status'])['replicas'], 7);
    assert.equal(record(applied.body['spec'])['replicas'], 1);
    const entry = applied.body.metadata?.managedFields?.find((one) => one.manager === 'probe');
    assert.equal(entry?.subresource, 'status');
    assert.equal((await apply(`${BASE}/none/status`, { ...status, metadata: {} }, 'fieldManager=probe')).code, 404);
  });

  test('a dry run leaves everything as it is; a legacy version applies to the one object', async () => {
    const dry = await apply(`${BASE}/i`, config('i'), 'fieldManager=kubectl&dryRun=All');
    assert.equal(dry.code, 201);
    assert.equal((await api.call('GET', `${BASE}/i`)).code, 404);
    const legacy = { ...config('i'), apiVersion: 'extensions/v1beta1' };
    const { selector: _, ...spec } = legacy.spec;
    const applied = await apply(BASE.replace('apps/v1', 'extensions/v1beta1').concat('/i'), { ...legacy, spec });
    assert.equal(applied.code, 201, applied.text);
    assert.equal((await apply(`${BASE}/i`, config('i', { replicas: 2 }))).code, 200);
  });

  test('who may only patch may not create this way', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    const rules = [{ verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'] }];
    await api.call('POST', `${rbac}/roles`, { body: { metadata: { name: 'patcher' }, rules } });
    await api.call('POST', `${rbac}/rolebindings`, {
      body: {
        metadata: { name: 'patcher' },
        roleRef: { kind: 'Role', name: 'patcher' },
        subjects: [{ kind: 'User', name: 'jane' }],
      },
    });
    const refused = await api.call('PATCH', `${BASE}/new?fieldManager=x`, {
      body: config('new'),
      type: 'application/apply-patch+yaml',
      headers: { 'impersonate-user': 'jane' },
    });
    assert.match(refused.body.message, /User "jane" cannot create resource "deployments"/);
  });
});

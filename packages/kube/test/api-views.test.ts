import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { record } from '../src/kinds/pod-template.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const INGRESSES = 'namespaces/default/ingresses';
const DEPLOYMENTS = 'namespaces/default/deployments';

const deployment = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: {
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'example.com/main:1' }] },
    },
    ...more,
  },
});

describe('kinds that show the objects of others', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  test('an Ingress of extensions/v1beta1 is one of networking.k8s.io/v1, and back', async () => {
    const path = { path: '/.*', backend: { serviceName: 'front', servicePort: 80 } };
    const legacy = await api.call('POST', `/apis/extensions/v1beta1/${INGRESSES}`, {
      body: {
        apiVersion: 'extensions/v1beta1',
        kind: 'Ingress',
        metadata: { name: 'old', annotations: { 'kubernetes.io/ingress.class': 'istio' } },
        spec: { backend: { serviceName: 'rest', servicePort: 'web' }, rules: [{ http: { paths: [path] } }] },
      },
    });
    assert.equal(legacy.code, 201, legacy.text);
    assert.equal(legacy.body.apiVersion, 'extensions/v1beta1');
    assert.deepEqual(legacy.body['spec'], {
      backend: { serviceName: 'rest', servicePort: 'web' },
      rules: [{ http: { paths: [path] } }],
    });
    const modern = await api.call('GET', `/apis/networking.k8s.io/v1/${INGRESSES}/old`);
    assert.deepEqual(modern.body['spec'], {
      defaultBackend: { service: { name: 'rest', port: { name: 'web' } } },
      rules: [
        {
          http: {
            paths: [
              {
                path: '/.*',
                pathType: 'ImplementationSpecific',
                backend: { service: { name: 'front', port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    });
    assert.equal(modern.body.metadata?.uid, legacy.body.metadata?.uid);
  });

  test('a change through the view is a change of the object, under the rules of its kind', async () => {
    const patched = await api.call('PATCH', `/apis/extensions/v1beta1/${INGRESSES}/old`, {
      type: 'application/merge-patch+json',
      body: { spec: { backend: { serviceName: 'other' } } },
    });
    assert.equal(patched.code, 200, patched.text);
    const modern = await api.call('GET', `/apis/networking.k8s.io/v1/${INGRESSES}/old`);
    assert.deepEqual(record(modern.body['spec'])['defaultBackend'], {
      service: { name: 'other', port: { name: 'web' } },
    });
    const refused = await api.call('PATCH', `/apis/extensions/v1beta1/${INGRESSES}/old`, {
      type: 'application/merge-patch+json',
      body: { spec: { backend: null, rules: null } },
    });
    assert.equal(refused.code, 422);
    assert.match(refused.body.message, /either `defaultBackend` or `rules` must be specified/);
  });

  test('a Deployment without a selector gets one from its template, and is deleted from either side', async () => {
    const created = await api.call('POST', `/apis/extensions/v1beta1/${DEPLOYMENTS}`, { body: deployment('shop') });
    assert.equal(created.code, 201, created.text);
    const modern = await api.call('GET', `/apis/apps/v1/${DEPLOYMENTS}/shop`);
    assert.deepEqual(record(modern.body['spec'])['selector'], { matchLabels: { app: 'shop' } });
    const scaled = await api.call('PATCH', `/apis/extensions/v1beta1/${DEPLOYMENTS}/shop/scale`, {
      type: 'application/merge-patch+json',
      body: { spec: { replicas: 3 } },
    });
    assert.equal(scaled.code, 200, scaled.text);
    const deleted = await api.call('DELETE', `/apis/extensions/v1beta1/${DEPLOYMENTS}/shop`);
    assert.equal(deleted.code, 200);
    assert.equal((await api.call('GET', `/apis/apps/v1/${DEPLOYMENTS}/shop`)).code, 404);
  });

  test('a watch and a table of the view speak its version', async () => {
    const events = api.watch(`/apis/extensions/v1beta1/${INGRESSES}?watch=1`);
    const { value } = await events.next();
    assert.equal(value?.object.apiVersion, 'extensions/v1beta1');
    await events.return(undefined);
    const table = await api.call('GET', `/apis/extensions/v1beta1/${INGRESSES}`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    assert.match(table.text, /"old"/);
    const [row] = table.body['rows'] as { cells: unknown[] }[];
    assert.deepEqual(row?.cells.slice(0, 2), ['old', '<none>'], 'an annotation is no class to show');
  });

  test('namespaces are projects', async () => {
    const projects = await api.call('GET', '/apis/project.openshift.io/v1/projects');
    assert.ok(projects.body.items.some((one) => one.kind === 'Project' && one.metadata?.name === 'default'));
    await api.call('POST', '/apis/project.openshift.io/v1/projects', { body: { metadata: { name: 'mine' } } });
    assert.equal((await api.call('GET', '/api/v1/namespaces/mine')).code, 200);
  });

  test('an autoscaler of v1 and of v2 is one', async () => {
    const base = 'namespaces/default/horizontalpodautoscalers';
    const spec = { scaleTargetRef: { kind: 'Deployment', name: 'shop' }, maxReplicas: 4 };
    const created = await api.call('POST', `/apis/autoscaling/v1/${base}`, {
      body: { metadata: { name: 'shop' }, spec: { ...spec, targetCPUUtilizationPercentage: 70 } },
    });
    assert.equal(created.code, 201, created.text);
    assert.match(String(created.headers['warning']), /nothing is scaled/);
    const v2 = await api.call('GET', `/apis/autoscaling/v2/${base}/shop`);
    assert.deepEqual(record(v2.body['spec'])['metrics'], [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
    ]);
    const v1 = await api.call('GET', `/apis/autoscaling/v1/${base}/shop`);
    assert.equal(record(v1.body['spec'])['targetCPUUtilizationPercentage'], 70);
  });

  test('what v1 cannot say of an autoscaler outlives a write through it', async () => {
    const path = (version: string) => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers/shop`;
    const cpu = (averageUtilization: number) => ({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
    });
    const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'Value', value: '1Gi' } } };
    const behavior = { scaleUp: { stabilizationWindowSeconds: 5 } };
    const merge = (version: string, spec: object) =>
      api.call('PATCH', path(version), { type: 'application/merge-patch+json', body: { spec } });
    await merge('v2', { metrics: [memory, cpu(70)], behavior });
    const changed = await merge('v1', { targetCPUUtilizationPercentage: 50 });
    assert.equal(changed.code, 200, changed.text);
    assert.equal(record(changed.body['spec'])['targetCPUUtilizationPercentage'], 50);
    const kept = record((await api.call('GET', path('v2'))).body['spec']);
    assert.deepEqual([kept['metrics'], kept['behavior']], [[cpu(50), memory], behavior]);
  });
});

describe('kinds that nothing acts on', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  test('say so to whoever writes one, and not to whoever changes nothing', async () => {
    const path = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
    const body = { metadata: { name: 'closed' }, spec: { podSelector: {} } };
    const created = await api.call('POST', path, { body });
    assert.match(String(created.headers['warning']), /not enforced here: every pod reaches every other/);
    const same = await api.call('PUT', `${path}/closed`, { body });
    assert.equal(same.headers['warning'], undefined);
  });

  test('drop what an Istio kind does not know with a warning, and refuse what it knows to be wrong', async () => {
    const path = '/apis/security.istio.io/v1beta1/namespaces/default/peerauthentications';
    const loose = await api.call('POST', `${path}?fieldValidation=Strict`, {
      body: { metadata: { name: 'default' }, spec: { mtls: { mode: 'STRICT' }, colour: 'red' } },
    });
    assert.equal(loose.code, 201);
    assert.match(String(loose.headers['warning']), /unknown field \\"spec.colour\\".*not carried out/);
    const wrong = await api.call('POST', path, {
      body: { metadata: { name: 'x' }, spec: { mtls: { mode: 'MAYBE' } } },
    });
    assert.match(wrong.body.message, /spec\.mtls\.mode: Unsupported value: "MAYBE"/);
  });

  test('a role rule names verbs, groups and resources', async () => {
    const refused = await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', {
      body: { metadata: { name: 'r' }, rules: [{ verbs: [] }, { verbs: ['get'] }] },
    });
    assert.equal(refused.code, 422);
    assert.match(refused.body.message, /verbs must contain at least one value/);
    assert.match(refused.body.message, /must supply at least one resource/);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from '../src/object.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const SERVICES = '/api/v1/namespaces/default/services';
const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const VIRTUAL_SERVICES = '/apis/networking.istio.io/v1beta1/namespaces/default/virtualservices';

const deployment = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image: 'app:1' }] } },
    ...spec,
  },
});
const spec = (object: KubeObject) => object['spec'] as Record<string, unknown>;

describe('objects over the API', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  test('created, read, replaced, listed, deleted', async () => {
    const created = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'life' }, data: { a: '1' } } });
    assert.equal(created.code, 201);
    const { metadata } = created.body;
    assert.match(metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.match(metadata?.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual([created.body.apiVersion, created.body.kind, metadata?.namespace], ['v1', 'ConfigMap', 'default']);
    assert.deepEqual((await api.call('GET', `${CONFIG_MAPS}/life`)).body, created.body);
    const replaced = await api.call('PUT', `${CONFIG_MAPS}/life`, {
      body: { metadata: { name: 'life' }, data: { a: '2' } },
    });
    assert.equal(replaced.code, 200);
    assert.equal(replaced.body.metadata?.uid, metadata?.uid);
    assert.ok(Number(replaced.body.metadata?.resourceVersion) > Number(metadata?.resourceVersion));
    const list = await api.call('GET', `${CONFIG_MAPS}?fieldSelector=metadata.name=life`);
    assert.equal(list.body.kind, 'ConfigMapList');
    assert.deepEqual(list.body.items, [replaced.body]);
    const deleted = await api.call('DELETE', `${CONFIG_MAPS}/life`);
    assert.equal(deleted.code, 200);
    assert.deepEqual([deleted.body.kind, deleted.body['status']], ['Status', 'Success']);
    const gone = await api.call('GET', `${CONFIG_MAPS}/life`);
    assert.equal(gone.code, 404);
    assert.equal(gone.body.message, 'configmaps "life" not found');
  });

  test('a write that changes nothing makes no new revision', async () => {
    const body = { metadata: { name: 'still' }, data: { a: '1' } };
    const created = await api.call('POST', CONFIG_MAPS, { body });
    const again = await api.call('PUT', `${CONFIG_MAPS}/still`, { body });
    assert.equal(again.body.metadata?.resourceVersion, created.body.metadata?.resourceVersion);
  });

  test('an outdated resourceVersion or another uid is a conflict', async () => {
    const created = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'race' }, data: {} } });
    const stale = { ...created.body, data: { by: 'me' } };
    await api.call('PUT', `${CONFIG_MAPS}/race`, { body: { ...created.body, data: { by: 'other' } } });
    const conflict = await api.call('PUT', `${CONFIG_MAPS}/race`, { body: stale });
    assert.equal(conflict.code, 409);
    assert.equal(conflict.body.reason, 'Conflict');
    assert.match(
      conflict.body.message,
      /the object has been modified; please apply your changes to the latest version/,
    );
    const wrong = await api.call('PUT', `${CONFIG_MAPS}/race`, {
      body: { metadata: { name: 'race', uid: 'another' } },
    });
    assert.equal(wrong.code, 409);
  });

  test('many patches at once all get through', async () => {
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'busy' } } });
    const patches = Array.from({ length: 30 }, (_, n) =>
      api.call('PATCH', `${CONFIG_MAPS}/busy`, {
        body: { data: { [`k${n}`]: 'x' } },
        type: 'application/merge-patch+json',
      }),
    );
    for (const { code, text } of await Promise.all(patches)) assert.equal(code, 200, text);
    const { body } = await api.call('GET', `${CONFIG_MAPS}/busy`);
    assert.equal(Object.keys(body['data'] as object).length, 30);
  });

  test('what already exists, and where it cannot be', async () => {
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'twice' } } });
    const twice = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'twice' } } });
    assert.deepEqual([twice.code, twice.body.message], [409, 'configmaps "twice" already exists']);
    const nowhere = await api.call('POST', '/api/v1/namespaces/nowhere/configmaps', {
      body: { metadata: { name: 'a' } },
    });
    assert.deepEqual([nowhere.code, nowhere.body.message], [404, 'namespaces "nowhere" not found']);
    const elsewhere = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'a', namespace: 'other' } } });
    assert.equal(elsewhere.code, 400);
    assert.match(elsewhere.body.message, /namespace of the provided object does not match/);
    const kind = await api.call('POST', CONFIG_MAPS, { body: { kind: 'Secret', metadata: { name: 'a' } } });
    assert.match(kind.body.message, /kind in the data \(Secret\) does not match the expected kind \(ConfigMap\)/);
  });

  test('a ConfigMap or Secret of more than a mebibyte is refused', async () => {
    const half = 'x'.repeat(600 * 1024);
    for (const kind of ['configmaps', 'secrets']) {
      const make = (data: object) =>
        api.call('POST', `/api/v1/namespaces/default/${kind}`, { body: { metadata: { name: 'large' }, data } });
      const refused = await make({ a: half, b: half });
      assert.equal(refused.code, 422);
      assert.match(refused.body.message, /data: Too long: may not be more than 1048576 bytes/);
      assert.equal((await make({ a: half })).code, 201);
    }
  });

  test('generateName makes names, and different ones', async () => {
    const make = () => api.call('POST', CONFIG_MAPS, { body: { metadata: { generateName: 'made-' } } });
    const names = (await Promise.all([make(), make(), make()])).map(({ body }) => body.metadata?.name ?? '');
    for (const name of names) assert.match(name, /^made-[b-z2-9]{5}$/);
    assert.equal(new Set(names).size, 3);
  });

  test('names and labels are checked in Kubernetes words', async () => {
    const name = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'Not_Good' } } });
    assert.equal(name.code, 422);
    assert.match(
      name.body.message,
      /^ConfigMap "Not_Good" is invalid: metadata.name: Invalid value: "Not_Good": a lowercase RFC 1123 subdomain must consist/,
    );
    const label = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'a', labels: { k: 'not good' } } } });
    assert.match(label.body.message, /metadata.labels: Invalid value: "not good": a valid label must be/);
    const none = await api.call('POST', CONFIG_MAPS, { body: { metadata: {} } });
    assert.match(none.body.message, /metadata.name: Required value: name or generateName is required/);
  });

  test('dryRun stores nothing', async () => {
    const dry = await api.call('POST', `${CONFIG_MAPS}?dryRun=All`, { body: { metadata: { name: 'dry' } } });
    assert.equal(dry.code, 201);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/dry`)).code, 404);
  });

  test('unknown fields: refused when Strict, told when Warn, silent when Ignore, and never stored', async () => {
    const body = { ...deployment('unknown'), spec: { ...deployment('unknown').spec, foo: 1 } };
    const strict = await api.call('POST', `${DEPLOYMENTS}?fieldValidation=Strict`, { body });
    assert.equal(strict.code, 400);
    assert.equal(
      strict.body.message,
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo"',
    );
    const warned = await api.call('POST', `${DEPLOYMENTS}?fieldValidation=Warn`, { body });
    assert.equal(warned.code, 201);
    assert.equal(warned.headers['warning'], '299 - "unknown field \\"spec.foo\\""');
    assert.equal(spec(warned.body)['foo'], undefined);
    const ignored = await api.call('PUT', `${DEPLOYMENTS}/unknown?fieldValidation=Ignore`, { body });
    assert.deepEqual([ignored.code, ignored.headers['warning']], [200, undefined]);
  });

  test("Istio's kinds tolerate unknown fields even when Strict, with a warning", async () => {
    const body = {
      metadata: { name: 'pool' },
      spec: { host: 'a', trafficPolicy: { connectionPool: { http: { maxConnections: 100, maxRetries: 1 } } } },
    };
    const created = await api.call(
      'POST',
      '/apis/networking.istio.io/v1alpha3/namespaces/default/destinationrules?fieldValidation=Strict',
      { body },
    );
    assert.equal(created.code, 201);
    assert.match(
      String(created.headers['warning']),
      /unknown field \\"spec.trafficPolicy.connectionPool.http.maxConnections\\"/,
    );
    assert.deepEqual(spec(created.body)['trafficPolicy'], { connectionPool: { http: { maxRetries: 1 } } });
  });

  test('a value of the wrong type says where', async () => {
    const native = await api.call('POST', DEPLOYMENTS, { body: deployment('typed', { replicas: 'three' }) });
    assert.equal(native.code, 400);
    assert.match(
      native.body.message,
      /cannot unmarshal string into Go struct field Deployment\.spec\.replicas of type int32/,
    );
    const route = [{ destination: { host: 'a' }, weight: 'half' }];
    const istio = await api.call('POST', VIRTUAL_SERVICES, {
      body: { metadata: { name: 'typed' }, spec: { hosts: ['a'], http: [{ route }] } },
    });
    assert.equal(istio.code, 422);
    assert.match(istio.body.message, /spec\.http\[0\]\.route\[0\]\.weight in body must be of type int32: "string"/);
  });

  test("a kind's versions are one object", async () => {
    await api.call('POST', VIRTUAL_SERVICES, {
      body: {
        apiVersion: 'networking.istio.io/v1beta1',
        kind: 'VirtualService',
        metadata: { name: 'old' },
        spec: { hosts: ['a'] },
      },
    });
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const { body } = await api.call(
        'GET',
        `/apis/networking.istio.io/${version}/namespaces/default/virtualservices/old`,
      );
      assert.equal(body.apiVersion, `networking.istio.io/${version}`);
      assert.deepEqual(spec(body), { hosts: ['a'] });
    }
  });

  test('defaults of a deployment', async () => {
    const { body } = await api.call('POST', DEPLOYMENTS, { body: deployment('defaults') });
    const { replicas, strategy, template } = spec(body) as {
      replicas: number;
      strategy: object;
      template: { spec: Record<string, unknown> };
    };
    assert.equal(replicas, 1);
    assert.deepEqual(strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } });
    assert.deepEqual(
      [template.spec['restartPolicy'], template.spec['dnsPolicy'], template.spec['terminationGracePeriodSeconds']],
      ['Always', 'ClusterFirst', 30],
    );
    assert.equal((template.spec['containers'] as Record<string, unknown>[])[0]?.['imagePullPolicy'], 'IfNotPresent');
    assert.equal(body.metadata?.generation, 1);
  });

  test('generation counts changes of the spec only', async () => {
    await api.call('POST', DEPLOYMENTS, { body: deployment('counted') });
    const merge = (patch: object, sub = '') =>
      api.call('PATCH', `${DEPLOYMENTS}/counted${sub}`, { body: patch, type: 'application/merge-patch+json' });
    assert.equal((await merge({ metadata: { labels: { a: 'b' } } })).body.metadata?.generation, 1);
    assert.equal((await merge({ spec: { replicas: 4 } })).body.metadata?.generation, 2);
    assert.equal((await merge({ status: { replicas: 4 } }, '/status')).body.metadata?.generation, 2);
  });

  test('status is written through its own path only, and that path writes nothing else', async () => {
    await api.call('POST', DEPLOYMENTS, { body: { ...deployment('parts'), status: { replicas: 9 } } });
    const main = await api.call('PATCH', `${DEPLOYMENTS}/parts`, {
      body: { status: { replicas: 9 } },
      type: 'application/merge-patch+json',
    });
    assert.equal(main.body['status'], undefined);
    const sub = await api.call('PATCH', `${DEPLOYMENTS}/parts/status`, {
      body: { spec: { replicas: 9 }, status: { replicas: 2 } },
      type: 'application/merge-patch+json',
    });
    assert.deepEqual([sub.body['status'], spec(sub.body)['replicas']], [{ replicas: 2 }, 1]);
  });

  test('a deployment must select its own pods, and goes on selecting the same', async () => {
    const template = { metadata: { labels: { app: 'other' } }, spec: { containers: [{ name: 'app', image: 'a' }] } };
    const wrong = await api.call('POST', DEPLOYMENTS, { body: deployment('select', { template }) });
    assert.equal(wrong.code, 422);
    assert.match(
      wrong.body.message,
      /spec.template.metadata.labels: Invalid value: \{"app":"other"\}: `selector` does not match template `labels`/,
    );
    await api.call('POST', DEPLOYMENTS, { body: deployment('select') });
    const labels = { app: 'select', more: 'x' };
    const changed = { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } };
    const change = await api.call('PUT', `${DEPLOYMENTS}/select`, { body: deployment('select', changed) });
    assert.match(change.body.message, /spec.selector: Invalid value: .*: field is immutable/);
  });

  test('a pod template is checked', async () => {
    const cases: [object, RegExp][] = [
      [{ containers: [] }, /spec.containers: Required value/],
      [
        {
          containers: [
            { name: 'a', image: 'x' },
            { name: 'a', image: 'y' },
          ],
        },
        /spec.containers\[1\].name: Duplicate value: "a"/,
      ],
      [{ containers: [{ name: 'a' }] }, /spec.containers\[0\].image: Required value/],
      [
        { containers: [{ name: 'a', image: 'x', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
        /volumeMounts\[0\].name: Not found: "v"/,
      ],
      [
        { containers: [{ name: 'a', image: 'x', readinessProbe: {} }] },
        /readinessProbe: Required value: must specify a handler type/,
      ],
      [
        { containers: [{ name: 'a', image: 'x', livenessProbe: { httpGet: { port: 0 } } }] },
        /must be between 1 and 65535/,
      ],
    ];
    for (const [own, expected] of cases) {
      const { code, body } = await api.call('POST', PODS, { body: { metadata: { name: 'checked' }, spec: own } });
      assert.equal(code, 422, JSON.stringify(own));
      assert.match(body.message, expected);
    }
  });

  test("a pod's spec cannot be changed, its image can", async () => {
    await api.call('POST', PODS, {
      body: { metadata: { name: 'fixed' }, spec: { containers: [{ name: 'a', image: 'x:1' }] } },
    });
    const patch = (container: object) =>
      api.call('PATCH', `${PODS}/fixed`, {
        body: { spec: { containers: [{ name: 'a', ...container }] } },
        type: 'application/strategic-merge-patch+json',
      });
    assert.equal((await patch({ image: 'x:2' })).code, 200);
    assert.match(
      (await patch({ command: ['sh'] })).body.message,
      /spec: Forbidden: pod updates may not change fields other than/,
    );
  });

  test('a secret takes text and keeps base64', async () => {
    const path = '/api/v1/namespaces/default/secrets';
    const { body } = await api.call('POST', path, { body: { metadata: { name: 'text' }, stringData: { a: 'hello' } } });
    assert.deepEqual([body['data'], body['stringData'], body['type']], [{ a: 'aGVsbG8=' }, undefined, 'Opaque']);
    const bad = await api.call('POST', path, { body: { metadata: { name: 'bad' }, data: { a: '<secret!>' } } });
    assert.equal(bad.code, 422);
    assert.ok(!bad.body.message.includes('<secret!>'));
  });

  test('services get an address of their own, and keep it', async () => {
    const make = (name: string, own: object = {}) =>
      api.call('POST', SERVICES, { body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...own } } });
    const names = ['s1', 's2', 's3', 's4'];
    const made = await Promise.all(names.map((name) => make(name)));
    const addresses = made.map(({ body }) => String(spec(body)['clusterIP']));
    assert.equal(new Set(addresses).size, 4);
    for (const address of addresses) assert.match(address, /^10\.96\.\d+\.\d+$/);
    assert.deepEqual(spec(made[0]?.body ?? {})['ports'], [{ port: 80, protocol: 'TCP', targetPort: 80 }]);
    const replaced = await api.call('PUT', `${SERVICES}/s1`, {
      body: { metadata: { name: 's1' }, spec: { ports: [{ port: 81 }] } },
    });
    assert.equal(spec(replaced.body)['clusterIP'], addresses[0]);
    const moved = await api.call('PUT', `${SERVICES}/s1`, {
      body: { metadata: { name: 's1' }, spec: { clusterIP: '10.96.9.9', ports: [{ port: 81 }] } },
    });
    assert.match(moved.body.message, /spec.clusterIPs\[0\]: .*may not change once set/);
    const taken = await make('s5', { clusterIP: addresses[1] });
    assert.match(taken.body.message, /provided IP is already allocated/);
    const outside = await make('s5', { clusterIP: '192.168.0.1' });
    assert.match(outside.body.message, /not in the valid range. The range of valid IPs is 10\.96\.0\.0\/16/);
    assert.equal(spec((await make('headless', { clusterIP: 'None' })).body)['clusterIP'], 'None');
    assert.equal(
      spec((await make('outside', { type: 'ExternalName', externalName: 'a.b' })).body)['clusterIP'],
      undefined,
    );
  });

  test('node ports are given out, checked, and taken back', async () => {
    const make = (name: string, nodePort?: number) =>
      api.call('POST', SERVICES, {
        body: {
          metadata: { name },
          spec: { type: 'NodePort', ports: [{ port: 80, ...(nodePort === undefined ? {} : { nodePort }) }] },
        },
      });
    const portOf = (object: KubeObject) => Number((spec(object)['ports'] as { nodePort: number }[])[0]?.nodePort);
    const first = portOf((await make('n1')).body);
    assert.ok(first >= 30_000 && first <= 32_767);
    assert.match(
      (await make('n2', first)).body.message,
      /nodePort: Invalid value: \d+: provided port is already allocated/,
    );
    assert.match((await make('n2', 80)).body.message, /range of valid ports is 30000-32767/);
    await api.call('DELETE', `${SERVICES}/n1`);
    assert.equal(portOf((await make('n2', first)).body), first);
  });

  test('the service of the API itself is there', async () => {
    const { body } = await api.call('GET', `${SERVICES}/kubernetes`);
    assert.equal(spec(body)['clusterIP'], '10.96.0.1');
  });

  test('scale', async () => {
    await api.call('POST', DEPLOYMENTS, { body: deployment('scaled') });
    const { body } = await api.call('GET', `${DEPLOYMENTS}/scaled/scale`);
    assert.deepEqual(
      [body.apiVersion, body.kind, spec(body), body['status']],
      ['autoscaling/v1', 'Scale', { replicas: 1 }, { replicas: 0, selector: 'app=scaled' }],
    );
    const patched = await api.call('PATCH', `${DEPLOYMENTS}/scaled/scale`, {
      body: { spec: { replicas: 5 } },
      type: 'application/merge-patch+json',
    });
    assert.equal(spec(patched.body)['replicas'], 5);
    assert.equal(spec((await api.call('GET', `${DEPLOYMENTS}/scaled`)).body)['replicas'], 5);
    const negative = await api.call('PUT', `${DEPLOYMENTS}/scaled/scale`, {
      body: { metadata: { name: 'scaled' }, spec: { replicas: -1 } },
    });
    assert.equal(negative.code, 422);
  });

  test('binding names the node, once', async () => {
    await api.call('POST', PODS, {
      body: { metadata: { name: 'bound' }, spec: { containers: [{ name: 'a', image: 'x' }] } },
    });
    const bind = () =>
      api.call('POST', `${PODS}/bound/binding`, {
        body: { apiVersion: 'v1', kind: 'Binding', target: { kind: 'Node', name: 'varka' } },
      });
    assert.equal((await bind()).code, 201);
    const pod = await api.call('GET', `${PODS}/bound`);
    assert.equal(spec(pod.body)['nodeName'], 'varka');
    const again = await bind();
    assert.equal(again.code, 409);
    assert.match(again.body.message, /already assigned to node "varka"/);
    const found = await api.call('GET', '/api/v1/pods?fieldSelector=spec.nodeName=varka');
    assert.deepEqual(
      found.body.items.map((one) => one.metadata?.name),
      ['bound'],
    );
  });
});

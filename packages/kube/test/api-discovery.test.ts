import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

interface Resource {
  name: string;
  kind: string;
  namespaced: boolean;
  shortNames?: string[];
  group?: string;
}

describe('discovery', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  test('groups and their versions, the preferred first', async () => {
    const { body } = await api.call('GET', '/apis');
    const groups = body['groups'] as {
      name: string;
      preferredVersion: { version: string };
      versions: { version: string }[];
    }[];
    const istio = groups.find((group) => group.name === 'networking.istio.io');
    assert.equal(istio?.preferredVersion.version, 'v1');
    assert.deepEqual(
      istio?.versions.map((one) => one.version),
      ['v1', 'v1beta1', 'v1alpha3'],
    );
    assert.deepEqual((await api.call('GET', '/apis/apps')).body['preferredVersion'], {
      groupVersion: 'apps/v1',
      version: 'v1',
    });
    assert.deepEqual((await api.call('GET', '/api')).body['versions'], ['v1']);
  });

  test('kinds of a version, with their subresources', async () => {
    const core = (await api.call('GET', '/api/v1')).body['resources'] as Resource[];
    assert.deepEqual(
      core.filter((one) => one.name.startsWith('pods')).map((one) => one.name),
      ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'pods/binding', 'pods/log', 'pods/status'],
    );
    assert.equal(core.find((one) => one.name === 'namespaces')?.namespaced, false);
    const apps = (await api.call('GET', '/apis/apps/v1')).body['resources'] as Resource[];
    assert.deepEqual(
      [
        apps.find((one) => one.name === 'deployments')?.shortNames,
        apps.find((one) => one.name === 'deployments/scale')?.group,
      ],
      [['deploy'], 'autoscaling'],
    );
  });

  test('all at once, in the version asked for', async () => {
    for (const version of ['v2', 'v2beta1']) {
      const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
      const { headers, body } = await api.call('GET', '/apis', { accept });
      assert.equal(
        headers['content-type'],
        `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      );
      assert.deepEqual([body.kind, body.apiVersion], ['APIGroupDiscoveryList', `apidiscovery.k8s.io/${version}`]);
      assert.ok(body.items.some((item) => item.metadata?.name === 'networking.istio.io'));
    }
  });

  test('OpenAPI: every kind of every version, with what kubectl looks for', async () => {
    const index = (await api.call('GET', '/openapi/v3')).body['paths'] as Record<string, { serverRelativeURL: string }>;
    assert.ok(index['api/v1'] && index['apis/networking.istio.io/v1alpha3']);
    for (const { serverRelativeURL } of Object.values(index)) {
      const { code, body } = await api.call('GET', serverRelativeURL);
      assert.equal(code, 200);
      const { schemas } = body['components'] as { schemas: Record<string, Record<string, unknown>> };
      const kinds = Object.values(schemas).flatMap(
        (schema) => (schema['x-kubernetes-group-version-kind'] as object[] | undefined) ?? [],
      );
      const paths = Object.values(body['paths'] as Record<string, Record<string, Record<string, unknown> | undefined>>);
      const creates = paths.flatMap(({ post }) => (post === undefined ? [] : [post]));
      assert.equal(creates.length, kinds.length);
      // What is created only to be answered cannot be patched.
      const patches = paths.flatMap(({ patch }) => (patch === undefined ? [] : [patch]));
      for (const write of [...creates, ...patches]) {
        assert.ok(
          kinds.some((kind) => JSON.stringify(kind) === JSON.stringify(write['x-kubernetes-group-version-kind'])),
        );
        const parameters = (write['parameters'] as { name: string }[]).map((one) => one.name);
        assert.ok(parameters.includes('fieldValidation') && parameters.includes('dryRun'));
      }
      for (const [reference] of JSON.stringify(body).matchAll(/#\/components\/schemas\/[^"]+/g)) {
        assert.ok(
          Object.hasOwn(schemas, reference.slice('#/components/schemas/'.length)),
          `${reference} leads nowhere`,
        );
      }
    }
  });
});

describe('custom resource definitions', () => {
  const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
  const definition = (plural: string, kind: string, versions?: object[]) => ({
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [`${plural.slice(0, 2)}x`] },
      versions: versions ?? [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {}, scale: { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' } },
          additionalPrinterColumns: [{ name: 'Size', type: 'string', jsonPath: '.spec.size' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['size'],
                  properties: {
                    size: { type: 'string', enum: ['s', 'm', 'l'] },
                    count: { type: 'integer', default: 2 },
                    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  },
                },
                status: { type: 'object', properties: { count: { type: 'integer' } } },
              },
            },
          },
        },
      ],
    },
  });
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
    assert.equal((await api.call('POST', CRDS, { body: definition('widgets', 'Widget') })).code, 201);
  });
  after(() => api.close());

  test('a new kind is served at once, by its own schema', async () => {
    const made = await api.call('POST', `${WIDGETS}?fieldValidation=Warn`, {
      body: { metadata: { name: 'a' }, spec: { size: 'm', free: { x: [1] }, bogus: 1 } },
    });
    assert.equal(made.code, 201, made.text);
    assert.deepEqual(made.body['spec'], { size: 'm', count: 2, free: { x: [1] } });
    assert.match(String(made.headers['warning']), /unknown field \\"spec.bogus\\"/);
    const wrong = await api.call('POST', WIDGETS, { body: { metadata: { name: 'b' }, spec: { size: 'xxl' } } });
    assert.equal(wrong.code, 422);
    assert.match(wrong.body.message, /spec.size: Unsupported value: "xxl": supported values: "s", "m", "l"/);
    const scale = await api.call('GET', `${WIDGETS}/a/scale`);
    assert.deepEqual(scale.body['spec'], { replicas: 2 });
    const shown = await api.call('GET', `${WIDGETS}/a`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    assert.deepEqual((shown.body['rows'] as { cells: unknown[] }[])[0]?.cells, ['a', 'm']);
    const listed = (await api.call('GET', '/apis/example.com/v1')).body['resources'] as Resource[];
    assert.deepEqual(
      listed.map((one) => one.name),
      ['widgets', 'widgets/scale', 'widgets/status'],
    );
    assert.equal((await api.call('GET', '/openapi/v3/apis/example.com/v1')).code, 200);
  });

  test('its status says that it is established', async () => {
    const { body } = await api.call('GET', `${CRDS}/widgets.example.com`);
    const { conditions, storedVersions } = body['status'] as {
      conditions: { type: string; status: string }[];
      storedVersions: string[];
    };
    assert.deepEqual(
      conditions.map((one) => `${one.type}=${one.status}`),
      ['NamesAccepted=True', 'Established=True'],
    );
    assert.deepEqual(storedVersions, ['v1']);
  });

  test('what cannot be a kind is refused', async () => {
    const misnamed = await api.call('POST', CRDS, {
      body: { ...definition('gadgets', 'Gadget'), metadata: { name: 'wrong' } },
    });
    assert.match(misnamed.body.message, /metadata.name: .*must be spec.names.plural/);
    const schemaless = await api.call('POST', CRDS, {
      body: definition('gadgets', 'Gadget', [{ name: 'v1', served: true, storage: true }]),
    });
    assert.match(schemaless.body.message, /spec.versions\[0\].schema.openAPIV3Schema: Required value/);
  });

  test('it is still served after a restart, and takes its objects with it when it goes', async () => {
    const { ApiServer } = await import('../src/server/api-server.ts');
    const again = new ApiServer({
      store: api.store,
      tls: api.credentials.server,
      log: { ...console, debug: () => undefined },
    });
    await again.listen({ host: '127.0.0.1', port: 0 });
    assert.ok(again.registry.find('example.com', 'v1', 'widgets'));
    await again.close();
    await api.call('POST', WIDGETS, { body: { metadata: { name: 'last' }, spec: { size: 's' } } });
    await api.call('DELETE', `${CRDS}/widgets.example.com`);
    const events = api.watch(
      `${CRDS}?watch=1&sendInitialEvents=true&fieldSelector=metadata.name%3Dwidgets.example.com`,
    );
    for await (const { type } of events) if (type === 'DELETED' || type === 'BOOKMARK') break;
    assert.equal((await api.call('GET', WIDGETS)).code, 404);
    assert.equal(api.store.list('widgets.example.com').items.length, 0);
  });
});

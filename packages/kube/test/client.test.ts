import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { HttpKubeClient } from '../src/client/http-client.ts';
import { inClusterAccess, KubeconfigError, loadKubeconfig } from '../src/client/kubeconfig.ts';
import { TransportError } from '../src/client/transport.ts';
import { WatchDecodeError } from '../src/client/watch-decoder.ts';
import { ConfigMap, Deployment, Namespace, Pod } from '../src/kinds/refs.ts';
import type { KubeObject, WatchEvent } from '../src/object.ts';
import { isStatus, StatusError } from '../src/status-error.ts';
import { eventually } from './support/eventually.ts';
import { FakeApi } from './support/fake-api.ts';
import { FakeClock } from './support/fake-clock.ts';

const configMap = (name: string, data: Record<string, string> = {}): KubeObject => ({
  metadata: { name, namespace: 'shop' },
  data,
});

describe('the HTTP client', () => {
  let api: FakeApi;
  let client: HttpKubeClient;

  beforeEach(async () => {
    api = await FakeApi.start();
    client = new HttpKubeClient({ server: api.url, token: 'secret' });
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  test('creates, gets, updates, patches, lists and deletes at Kubernetes’ own paths', async () => {
    const created = await client.create(ConfigMap, configMap('a', { x: '1' }));
    assert.equal(created.kind, 'ConfigMap');
    assert.equal(created.apiVersion, 'v1');
    const read = await client.get<KubeObject>(ConfigMap, 'a', 'shop');
    await client.update(ConfigMap, { ...read, data: { x: '2' } });
    await client.patch(ConfigMap, 'a', 'shop', { data: { x: '3' } }, { fieldManager: 'me & you' });
    const list = await client.list<KubeObject>(ConfigMap, {
      namespace: 'shop',
      labelSelector: 'app=a,b!=c',
      limit: 10,
    });
    assert.deepEqual(list.items[0]?.data, { x: '3' });
    assert.equal(list.items[0]?.kind, 'ConfigMap', 'items of a list are given their kind');
    await client.delete(ConfigMap, 'a', 'shop', { propagationPolicy: 'Foreground' });
    assert.deepEqual(api.requests, [
      'POST /api/v1/namespaces/shop/configmaps',
      'GET /api/v1/namespaces/shop/configmaps/a',
      'PUT /api/v1/namespaces/shop/configmaps/a',
      'PATCH /api/v1/namespaces/shop/configmaps/a?fieldManager=me%20%26%20you',
      'GET /api/v1/namespaces/shop/configmaps?labelSelector=app%3Da%2Cb%21%3Dc&limit=10',
      'DELETE /api/v1/namespaces/shop/configmaps/a',
    ]);
    assert.equal(api.headers[0]?.authorization, 'Bearer secret');
    assert.equal(api.headers[3]?.['content-type'], 'application/merge-patch+json');
    assert.equal(JSON.parse(api.bodies[5] ?? '').propagationPolicy, 'Foreground');
  });

  test('posts to a subresource of the object named by metadata.name', async () => {
    api.put('pods', { metadata: { name: 'p', namespace: 'shop' } });
    const bound = (response: ServerResponse) => response.end('{"kind":"Status","status":"Success"}');
    api.script(
      () => true,
      (_request, response) => bound(response),
    );
    const binding = {
      kind: 'Binding',
      apiVersion: 'v1',
      metadata: { name: 'p', namespace: 'shop' },
      target: { name: 'n' },
    };
    await client.create(Pod, binding, 'binding');
    assert.deepEqual(api.requests, ['POST /api/v1/namespaces/shop/pods/p/binding']);
    assert.equal(JSON.parse(api.bodies[0] ?? '').kind, 'Binding');
  });

  test('a failure Status becomes a StatusError', async () => {
    await assert.rejects(client.get(ConfigMap, 'nobody', 'shop'), (error) => isStatus(error, 'NotFound'));
    await client.create(ConfigMap, configMap('a'));
    await assert.rejects(client.create(ConfigMap, configMap('a')), (error) => isStatus(error, 'AlreadyExists'));
    const stale = { ...configMap('a'), metadata: { name: 'a', namespace: 'shop', resourceVersion: '1' } };
    await assert.rejects(client.update(ConfigMap, stale), (error) => isStatus(error, 'Conflict'));
  });

  test('an answer that is not the API’s becomes a StatusError that says what came', async () => {
    api.script(
      () => true,
      (_request, response) => {
        response.writeHead(502, { 'content-type': 'text/html' });
        response.end('<h1>Bad gateway</h1>');
      },
    );
    await assert.rejects(client.get(Pod, 'p', 'shop'), (error) => {
      assert(error instanceof StatusError);
      assert.equal(error.code, 502);
      assert.match(error.message, /text\/html: "<h1>Bad gateway/);
      return true;
    });
    api.script(
      () => true,
      (_request, response) => response.end('hello'),
    );
    await assert.rejects(client.get(Pod, 'p', 'shop'), /answered 200 with .*hello/);
    api.script(
      () => true,
      (_request, response) => response.end('{"kind":"Pod"}'),
    );
    await assert.rejects(client.list(Pod), /a Pod instead of a list/);
  });

  test('comes back when told to (Retry-After), a bounded number of times', async () => {
    const clock = new FakeClock();
    const patient = new HttpKubeClient({ server: api.url }, { clock });
    api.put('namespaces', { metadata: { name: 'shop' } });
    const busy = () =>
      api.script(
        () => true,
        (_request, response) => {
          response.writeHead(429, { 'retry-after': '2', 'content-type': 'application/json' });
          response.end(JSON.stringify(StatusError.of(429, 'TooManyRequests', 'busy').status));
        },
      );
    busy();
    const first = patient.get<KubeObject>(Namespace, 'shop');
    await eventually(() => api.requests.length === 1 && clock.next === 2000, 'waiting as told');
    await clock.advance(2000);
    assert.equal((await first).metadata?.name, 'shop');

    for (let times = 0; times < 4; times += 1) busy();
    const second = assert.rejects(patient.get(Namespace, 'shop'), (error) => isStatus(error, 'TooManyRequests'));
    for (let sent = 3; sent <= 5; sent += 1) {
      await eventually(() => api.requests.length === sent && clock.next === 2000, `request ${sent}`);
      await clock.advance(2000);
    }
    await second;
    assert.equal(api.requests.length, 6);
    patient.close();
  });

  test('gives up on a server that does not answer, and refuses an endless answer', async () => {
    const hasty = new HttpKubeClient({ server: api.url }, { requestTimeoutMs: 50, maxResponseBytes: 1000 });
    api.script(
      () => true,
      () => undefined,
    );
    await assert.rejects(
      hasty.get(Pod, 'p', 'shop'),
      (error) => error instanceof TransportError && error.code === 'ETIMEDOUT',
    );
    api.script(
      () => true,
      (_request, response) => response.end(`"${'x'.repeat(2000)}"`),
    );
    await assert.rejects(hasty.get(Pod, 'p', 'shop'), /larger than 1000 bytes/);
    hasty.close();
  });

  test('says which server could not be reached', async () => {
    const { url } = api;
    await api.close();
    await assert.rejects(client.list(Pod), (error) => {
      assert(error instanceof TransportError);
      assert.equal(error.code, 'ECONNREFUSED');
      assert(error.message.includes(`GET ${url}/api/v1/pods`), error.message);
      return true;
    });
    api = await FakeApi.start();
  });

  test('sends a request again when the server closed the idle connection it went out on', async () => {
    await client.list(Pod);
    api.script(
      () => true,
      (request) => request.socket.resetAndDestroy(),
    );
    assert.deepEqual((await client.list(Pod)).items, []);
    assert.equal(api.requests.length, 3);
    api.script(
      () => true,
      (request) => request.socket.resetAndDestroy(),
    );
    await assert.rejects(client.create(ConfigMap, configMap('once')), TransportError);
    assert.equal(api.requests.length, 4, 'a POST is never sent twice');
  });

  test('a watch yields events until the signal aborts', async () => {
    const stop = new AbortController();
    const seen: WatchEvent[] = [];
    const watching = (async () => {
      for await (const event of client.watch(ConfigMap, { namespace: 'shop', resourceVersion: '0' }, stop.signal)) {
        seen.push(event);
        if (seen.length === 2) stop.abort();
      }
    })();
    await eventually(() => api.watching === 1, 'the watch is open');
    api.put('configmaps', configMap('a', { text: 'ünïcode 🚣' }));
    api.put('configmaps', { metadata: { name: 'elsewhere', namespace: 'other' } });
    api.remove('configmaps', 'shop', 'a');
    await watching;
    assert.deepEqual(
      seen.map((event) => event.type),
      ['ADDED', 'DELETED'],
    );
    assert.deepEqual((seen[0]!.object as KubeObject).data, { text: 'ünïcode 🚣' });
    await eventually(() => api.watching === 0, 'the connection is closed');
  });

  test('a watch ends when the server ends it, and throws when it is cut or refused', async () => {
    const watch = async () => {
      const seen: string[] = [];
      for await (const event of client.watch(Pod, { resourceVersion: '0' }, new AbortController().signal))
        seen.push(event.type);
      return seen;
    };
    const ended = watch();
    await eventually(() => api.watching === 1, 'the watch is open');
    api.endWatches();
    assert.deepEqual(await ended, []);
    const cut = assert.rejects(watch(), TransportError);
    await eventually(() => api.watching === 1, 'the watch is open');
    api.cutWatches();
    await cut;
    api.put('pods', { metadata: { name: 'p', namespace: 'shop' } });
    api.compact();
    await assert.rejects(watch(), (error) => isStatus(error, 'Expired'));
  });

  for (const [what, line, message] of [
    ['no JSON', 'not json\n', /not JSON: not json/],
    ['no event', '{"type":"SURPRISE","object":{}}\n', /not a watch event/],
    ['half an event', '{"type":"ADD', /in the middle of an event/],
    ['an endless line', 'x'.repeat(5000), /longer than 4000 bytes/],
  ] as const) {
    test(`${what} in a watch is an error that ends it`, async () => {
      const strict = new HttpKubeClient({ server: api.url }, { maxEventBytes: 4000 });
      const watching = assert.rejects(
        async () => {
          for await (const event of strict.watch(Pod, { resourceVersion: '0' }, new AbortController().signal)) {
            assert.fail(`yielded ${event.type}`);
          }
        },
        (error) => {
          assert(error instanceof WatchDecodeError, String(error));
          assert.match(error.message, message);
          return true;
        },
      );
      await eventually(() => api.watching === 1, 'the watch is open');
      api.writeRaw(line);
      if (!line.endsWith('\n') && line.length < 4000) api.endWatches();
      await watching;
      await eventually(() => api.watching === 0, 'the connection is closed');
    });
  }

  test('discovers kinds in their preferred versions, without subresources', async () => {
    const documents: Record<string, object> = {
      '/api': { versions: ['v1'] },
      '/apis': {
        groups: [
          {
            name: 'apps',
            versions: [{ groupVersion: 'apps/v1beta1' }, { groupVersion: 'apps/v1' }],
            preferredVersion: { groupVersion: 'apps/v1' },
          },
          // Listed, and gone when it is asked for.
          { name: 'gone.io', versions: [{ groupVersion: 'gone.io/v1' }] },
        ],
      },
      '/api/v1': {
        resources: [
          { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['list', 'watch', 'delete'] },
          { name: 'pods/status', kind: 'Pod', namespaced: true, verbs: ['patch'] },
        ],
      },
      '/apis/apps/v1': { resources: [{ name: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['list'] }] },
      '/apis/apps/v1beta1': {
        resources: [
          { name: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['list'] },
          { name: 'oldthings', kind: 'OldThing', namespaced: false },
        ],
      },
    };
    for (const [path, document] of Object.entries(documents)) {
      api.script(
        (request) => request.url === path,
        (_request, response) => response.end(JSON.stringify(document)),
      );
    }
    assert.deepEqual(await client.discover(), [
      { ...Pod, verbs: ['list', 'watch', 'delete'] },
      { ...Deployment, verbs: ['list'] },
      { group: 'apps', version: 'v1beta1', kind: 'OldThing', plural: 'oldthings', namespaced: false, verbs: [] },
    ]);
  });
});

describe('a kubeconfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'varka-kubeconfig-'));
  after(() => rmSync(directory, { recursive: true }));

  const file = (text: string): string => {
    const path = join(directory, 'config');
    writeFileSync(path, text);
    return path;
  };
  const config = (cluster: string, user: string) => `
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: here, context: {cluster: c, user: u, namespace: shop}}
- {name: there, context: {cluster: other, user: u}}
clusters:
- name: c
  cluster: ${cluster}
- {name: other, cluster: {server: "https://other.example:6443/prefix/"}}
users:
- name: u
  user: ${user}
`;

  test('gives the current context’s server and credentials, inline or from files beside it', () => {
    writeFileSync(join(directory, 'ca.pem'), 'CA');
    const data = Buffer.from('CERT').toString('base64');
    const path = file(
      config(
        '{server: "https://10.0.0.1:6443", certificate-authority: ca.pem}',
        `{client-certificate-data: ${data}, client-key-data: ${data}, token: t}`,
      ),
    );
    assert.deepEqual(loadKubeconfig(path), {
      server: 'https://10.0.0.1:6443',
      ca: 'CA',
      clientCertificate: 'CERT',
      clientKey: 'CERT',
      token: 't',
      namespace: 'shop',
    });
    assert.equal(loadKubeconfig(path, 'there').server, 'https://other.example:6443/prefix');
  });

  test('what cannot be used is refused with where and why', () => {
    const refused = (text: string, message: RegExp, context?: string) =>
      assert.throws(
        () => loadKubeconfig(file(text), context),
        (error) => {
          assert(error instanceof KubeconfigError);
          assert.match(error.message, message);
          return true;
        },
      );
    const good = '{server: "https://a:1"}';
    refused(config(good, '{}'), /no context "elsewhere"; contexts: "here", "there"/, 'elsewhere');
    refused(config('{server: "http://a.example:1"}', '{}'), /only https is allowed/);
    refused(config('{server: "::"}', '{}'), /is not a URL/);
    refused(config('{server: "https://a:1", certificate-authority: missing.pem}', '{}'), /missing\.pem/);
    refused(config(good, '{exec: {command: aws}}'), /logs in with "exec", which Varka does not support/);
    refused('a: [', /not YAML/);
    refused('- just\n- a list', /not a kubeconfig/);
    refused('kind: Config', /no current-context/);
    assert.throws(() => loadKubeconfig(join(directory, 'nowhere')), /cannot read the kubeconfig/);
    assert.equal(
      loadKubeconfig(file(config('{server: "http://127.0.0.1:8001"}', '{}'))).server,
      'http://127.0.0.1:8001',
    );
  });

  test('in a cluster the service account’s files are used, and its token is read when needed', async () => {
    for (const [name, text] of [
      ['ca.crt', 'CA'],
      ['token', 'one\n'],
      ['namespace', 'istio-system\n'],
    ] as const) {
      writeFileSync(join(directory, name), text);
    }
    assert.throws(() => inClusterAccess({}, directory), /not running in a cluster/);
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const access = inClusterAccess(env, directory);
    assert.deepEqual(access, {
      server: 'https://[fd00::1]:443',
      ca: 'CA',
      tokenFile: join(directory, 'token'),
      namespace: 'istio-system',
    });
    const api = await FakeApi.start();
    const clock = new FakeClock();
    const client = new HttpKubeClient({ server: api.url, tokenFile: join(directory, 'token') }, { clock });
    await client.list(Pod);
    writeFileSync(join(directory, 'token'), 'two\n');
    await clock.advance(61_000);
    await client.list(Pod);
    assert.deepEqual(
      api.headers.map((headers) => headers.authorization),
      ['Bearer one', 'Bearer two'],
    );
    client.close();
    await api.close();
  });
});

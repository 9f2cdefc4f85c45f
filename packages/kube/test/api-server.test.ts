import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { AdmissionPlugin } from '../src/server/admission.ts';
import { StatusError } from '../src/status-error.ts';
import { type ApiFixture, silent, startApi } from './support/api-fixture.ts';
import { localPods } from './support/local-pods.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

describe('the server itself', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  /** Sends bytes as they are and returns all that comes back. */
  const raw = async (bytes: string): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port: api.port, ca: api.credentials.ca });
    await once(socket, 'secureConnect');
    socket.write(bytes);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return text;
  };

  test('nobody gets in without a credential; health and version are for all', async () => {
    const none = await api.call('GET', '/api', { headers: { authorization: '' } });
    assert.deepEqual([none.code, none.body.kind, none.body.reason], [401, 'Status', 'Unauthorized']);
    const wrong = await api.call('GET', CONFIG_MAPS, { headers: { authorization: 'Bearer wrong' } });
    assert.equal(wrong.code, 401);
    for (const path of ['/healthz', '/livez', '/readyz']) {
      assert.equal((await api.call('GET', path, { headers: { authorization: '' } })).text, 'ok');
    }
    const version = await api.call('GET', '/version', { headers: { authorization: '' } });
    assert.match(String(version.body['gitVersion']), /^v1\.35\./);
  });

  test('a client certificate of the CA is a credential', async () => {
    const { ca, client } = api.credentials;
    const code = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: api.port, path: CONFIG_MAPS, ca, ...client }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end();
    });
    assert.equal(code, 200);
  });

  test('what is not there, and what is not allowed', async () => {
    for (const path of [
      '/api/v2',
      '/apis/nobody.io',
      '/api/v1/things',
      `${CONFIG_MAPS}/a/b/c/d`,
      '/openapi/v3/apis/no/v1',
    ]) {
      const { code, body } = await api.call('GET', path);
      assert.deepEqual([path, code, body.message], [path, 404, 'the server could not find the requested resource']);
    }
    assert.equal((await api.call('PUT', CONFIG_MAPS, { body: {} })).code, 405);
    assert.equal((await api.call('POST', '/api/v1/configmaps', { body: {} })).code, 400);
    assert.equal((await api.call('GET', '/api/v1/namespaces/%zz')).code, 400);
  });

  test('a body that cannot be read says where', async () => {
    const json = await api.call('POST', CONFIG_MAPS, { body: '{\n  "metadata": {\n    "name": oops\n' });
    assert.equal(json.code, 400);
    assert.match(json.body.message, /not valid JSON: .*line 3/);
    const yaml = await api.call('POST', CONFIG_MAPS, {
      body: 'metadata:\n  name: a\n data: [\n',
      type: 'application/yaml',
    });
    assert.equal(yaml.code, 400);
    assert.match(yaml.body.message, /not valid YAML: .*line 3/);
    assert.equal((await api.call('POST', CONFIG_MAPS, { body: '[1]' })).code, 400);
    assert.equal((await api.call('POST', CONFIG_MAPS)).code, 400);
    assert.equal((await api.call('POST', CONFIG_MAPS, { body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) })).code, 400);
    const deep = await api.call('POST', CONFIG_MAPS, { body: `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}` });
    assert.equal(deep.code, 400);
    assert.match(deep.body.message, /levels deep/);
  });

  test('YAML bodies are taken, and aliases cannot blow up', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  on: "yes"\n';
    assert.deepEqual((await api.call('POST', CONFIG_MAPS, { body, type: 'application/yaml' })).body['data'], {
      on: 'yes',
    });
    const levels = Array.from({ length: 30 }, (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(',')}]`);
    const bomb = await api.call('POST', CONFIG_MAPS, {
      body: `l0: &l0 [x]\n${levels.join('\n')}\n`,
      type: 'application/yaml',
    });
    assert.equal(bomb.code, 400);
  });

  test('formats we do not speak', async () => {
    const { code, body } = await api.call('POST', CONFIG_MAPS, { body: 'x', type: 'application/cbor' });
    assert.equal(code, 415);
    assert.match(body.message, /accepted media types include: application\/json, application\/yaml/);
    assert.equal((await api.call('GET', CONFIG_MAPS, { accept: 'application/vnd.kubernetes.protobuf' })).code, 406);
    assert.equal(
      (await api.call('GET', CONFIG_MAPS, { accept: 'application/vnd.kubernetes.protobuf,application/json' })).code,
      200,
    );
    const strategic = await api.call('PATCH', '/apis/networking.istio.io/v1/namespaces/default/gateways/a', {
      body: '{}',
      type: 'application/strategic-merge-patch+json',
    });
    assert.equal(strategic.code, 415);
  });

  test('too large a body is refused before it is read', async () => {
    const { code, body } = await api.call('POST', CONFIG_MAPS, {
      body: JSON.stringify({ data: { a: 'x'.repeat(3 * 1024 * 1024) } }),
    });
    assert.deepEqual([code, body.reason], [413, 'RequestEntityTooLarge']);
  });

  test('too large headers and broken HTTP get an answer', async () => {
    const large = await raw(`GET /api HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`);
    assert.match(large, /^HTTP\/1\.1 431 /);
    const broken = await raw('this is not http\r\n\r\n');
    assert.match(broken, /^HTTP\/1\.1 400 [\s\S]*"kind":"Status"/);
  });

  test('one server on several sockets, one of them handed over', async () => {
    const other = await api.api.listen({ host: '127.0.0.1', port: 0 });
    assert.notEqual(other, api.port);
    const handed = createServer();
    handed.listen(0, '127.0.0.1');
    await once(handed, 'listening');
    const port = await api.api.listen(handed);
    for (const each of [other, port]) {
      const code = await new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port: each, path: '/healthz', ca: api.credentials.ca }, (response) =>
          resolve(response.statusCode),
        )
          .on('error', reject)
          .end();
      });
      assert.equal(code, 200);
    }
    handed.close();
  });

  test('a port that is taken is an error, not a crash', async () => {
    await assert.rejects(api.api.listen({ host: '127.0.0.1', port: api.port }), { code: 'EADDRINUSE' });
  });
});

describe('admission', () => {
  const seen: string[] = [];
  const plugin: AdmissionPlugin = {
    name: 'test',
    admit: async ({ operation, kind, namespace, object, oldObject }) => {
      if (kind.plural !== 'configmaps') return { allowed: true };
      seen.push(`${operation} ${namespace}/${object.metadata?.name} ${oldObject === undefined ? 'new' : 'old'}`);
      const data = object['data'] as Record<string, string> | undefined;
      if (data?.['refuse'] !== undefined) return { allowed: false, message: 'no such thing' };
      if (data?.['change'] !== undefined)
        return {
          allowed: true,
          object: { ...object, data: { ...data, changed: 'yes' } },
          warnings: ['it was changed'],
        };
      return { allowed: true };
    },
  };
  let api: ApiFixture;
  before(async () => {
    api = await startApi({ admission: [plugin] });
  });
  after(() => api.close());

  test('plugins may look, change, warn and refuse', async () => {
    const plain = await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'plain' } } });
    assert.equal(plain.code, 201);
    const changed = await api.call('POST', CONFIG_MAPS, {
      body: { metadata: { name: 'changed' }, data: { change: 'me' } },
    });
    assert.deepEqual(changed.body['data'], { change: 'me', changed: 'yes' });
    assert.equal(changed.headers['warning'], '299 - "it was changed"');
    const refused = await api.call('POST', CONFIG_MAPS, {
      body: { metadata: { name: 'refused' }, data: { refuse: 'me' } },
    });
    assert.equal(refused.code, 403);
    assert.equal(refused.body.message, 'admission webhook "test" denied the request: no such thing');
    await api.call('PUT', `${CONFIG_MAPS}/plain`, { body: { metadata: { name: 'plain' }, data: { a: 'b' } } });
    await api.call('DELETE', `${CONFIG_MAPS}/plain`);
    assert.deepEqual(seen, [
      'CREATE default/plain new',
      'CREATE default/changed new',
      'CREATE default/refused new',
      'UPDATE default/plain old',
      'DELETE default/plain new',
    ]);
  });
});

describe('logs', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi({
      log: silent,
      podBackend: localPods({
        async *logs(namespace, pod, { container, tailLines, follow }, signal) {
          if (container === 'waiting')
            throw StatusError.badRequest(`container "waiting" in pod "${pod}" is waiting to start`);
          yield Buffer.from(`${namespace}/${pod}/${container} ${tailLines ?? 'all'}\n`);
          if (follow === true && !signal.aborted) await once(signal, 'abort');
        },
      }),
    });
    for (const [name, containers, annotations] of [
      ['one', ['app'], {}],
      ['two', ['app', 'waiting'], {}],
      ['marked', ['app', 'side'], { 'kubectl.kubernetes.io/default-container': 'side' }],
    ] as const) {
      const spec = { containers: containers.map((container) => ({ name: container, image: 'x' })) };
      await api.call('POST', '/api/v1/namespaces/default/pods', { body: { metadata: { name, annotations }, spec } });
    }
  });
  after(() => api.close());
  const log = (pod: string, query = '') => api.call('GET', `/api/v1/namespaces/default/pods/${pod}/log${query}`);

  test('of the only container, the marked one, or the one asked for', async () => {
    assert.equal((await log('one', '?tailLines=3')).text, 'default/one/app 3\n');
    assert.equal((await log('marked')).text, 'default/marked/side all\n');
    assert.equal((await log('two', '?container=app')).text, 'default/two/app all\n');
  });

  test('when it is not clear which, or it cannot be had, a Status says why', async () => {
    const which = await log('two');
    assert.deepEqual(
      [which.code, which.body.message],
      [400, 'a container name must be specified for pod two, choose one of: [app waiting]'],
    );
    assert.equal((await log('two', '?container=no')).body.message, 'container no is not valid for pod two');
    assert.match((await log('two', '?container=waiting')).body.message, /is waiting to start/);
    assert.equal((await log('none')).code, 404);
  });

  test('followed until the client goes', async () => {
    const { ca, token } = api.credentials;
    const sent = request({
      host: '127.0.0.1',
      port: api.port,
      ca,
      path: '/api/v1/namespaces/default/pods/one/log?follow=true',
      headers: { authorization: `Bearer ${token}` },
    });
    sent.end();
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    response.on('error', () => undefined);
    const [chunk] = await once(response, 'data');
    assert.equal(String(chunk), 'default/one/app all\n');
    sent.destroy();
  });
});

test('when the disk is full, writes say so and reads go on', async () => {
  const api = await startApi({}, { maxBytes: 300 * 1024 });
  try {
    await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'kept' } } });
    let answer = await api.call('POST', CONFIG_MAPS, {
      body: { metadata: { name: 'big' }, data: { a: 'x'.repeat(600_000) } },
    });
    for (let n = 0; n < 50 && answer.code === 201; n++) {
      answer = await api.call('POST', CONFIG_MAPS, {
        body: { metadata: { name: `big${n}` }, data: { a: 'x'.repeat(30_000) } },
      });
    }
    assert.equal(answer.code, 507);
    assert.match(answer.body.message, /no room left for the store .*; the change was not stored. Free some disk space/);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/kept`)).code, 200);
  } finally {
    await api.close();
  }
});

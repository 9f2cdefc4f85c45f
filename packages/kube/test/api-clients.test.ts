import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { type ApiFixture, startApi } from './support/api-fixture.ts';
import { eventually } from './support/eventually.ts';
import type { KeepAliveWork } from './support/keep-alive-client.ts';
import { MemoryLogger } from './support/logger.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const LARGE = 900_000;

describe('clients that are slow, large, or gone', () => {
  let api: ApiFixture;
  const log = new MemoryLogger();
  before(async () => {
    api = await startApi({ log });
  });
  after(() => api.close());
  beforeEach(() => {
    log.lines.length = 0;
  });

  const dial = async () => {
    // Node's types leave allowHalfOpen out.
    const options = { host: '127.0.0.1', port: api.port, ca: api.credentials.ca, allowHalfOpen: true };
    const socket = connect(options);
    await once(socket, 'secureConnect');
    return socket;
  };
  const headers = () => ({ authorization: `Bearer ${api.credentials.token}` });
  const put = (name: string, data: Record<string, string>) =>
    api.call('PATCH', `${CONFIG_MAPS}/${name}`, { body: { data }, type: 'application/merge-patch+json' });
  const create = (name: string, data: Record<string, string> = {}) =>
    api.call('POST', CONFIG_MAPS, { body: { metadata: { name }, data } });

  test('large requests after large answers, all on one connection', async () => {
    await create('busy');
    const { ca, token } = api.credentials;
    const work: KeepAliveWork = { port: api.port, path: `${CONFIG_MAPS}/busy`, ca, token, requests: 150 };
    const client = new Worker(new URL('./support/keep-alive-client.ts', import.meta.url), { workerData: work });
    const [outcomes] = (await once(client, 'message')) as [string[]];
    assert.deepEqual(
      outcomes.filter((outcome) => outcome !== '200'),
      [],
    );
  });

  test('a body that breaks off is no failure of the server', async () => {
    const socket = await dial();
    socket.write(`POST ${CONFIG_MAPS} HTTP/1.1\r\nhost: a\r\nauthorization: ${headers().authorization}\r\n`);
    await new Promise((resolve) =>
      socket.write('content-type: application/json\r\ncontent-length: 100\r\n\r\n{"metadata":', resolve),
    );
    socket.destroy();
    await eventually(() => log.at('debug').some((line) => line.includes('went away')), 'the end was noticed');
    assert.deepEqual(log.at('error'), []);
  });

  test('who sent nonsense is let go, even if they never close their side', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;
    const socket = await dial();
    const before = sockets();
    socket.resume().write('nonsense\r\n\r\n');
    await once(socket, 'end');
    // Both ends are in this process: ours stays open, the server's goes.
    await eventually(() => sockets() === before - 1, 'the connection is gone');
    socket.destroy();
  });

  test('a watch whose client does not read is cut off; writers never wait for it', async () => {
    await create('wide');
    const socket = await dial();
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(`GET ${CONFIG_MAPS}?watch=1 HTTP/1.1\r\nhost: a\r\nauthorization: ${headers().authorization}\r\n\r\n`);
    await eventually(async () => {
      await put('wide', { a: `${Math.random()}`.padEnd(LARGE, 'x') });
      return log.at('warn').some((line) => line.startsWith('a watch was cut off because its client does not keep up'));
    }, 'the watch is cut off');
    socket.destroy();
  });

  test('what a watch begins with may be large: it is not behind yet', async () => {
    const names = Array.from({ length: 24 }, (_, n) => `large-${n}`);
    await Promise.all(names.map((name) => create(name, { a: name.padEnd(LARGE, 'x') })));
    const events = api.watch(`${CONFIG_MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true`);
    const seen = new Set<unknown>();
    for await (const { type, object } of events) {
      if (type === 'BOOKMARK') break;
      seen.add(object.metadata?.name);
    }
    assert.deepEqual(
      names.filter((name) => !seen.has(name)),
      [],
    );
  });

  test('a large YAML body is read in moments, and a key that is there twice is refused with its place', async () => {
    const lines = Array.from({ length: 30_000 }, (_, n) => `  key${n}: value`);
    const post = (text: string) => api.call('POST', CONFIG_MAPS, { body: text, type: 'application/yaml' });
    const begun = performance.now();
    const { code } = await post(`metadata:\n  name: many\ndata:\n${lines.join('\n')}\n`);
    assert.equal(code, 201);
    // Comparing each key with each takes eight seconds and more.
    assert.ok(performance.now() - begun < 4_000, `${performance.now() - begun} ms`);
    const twice = await post('metadata:\n  name: twice\ndata:\n  a: "1"\n  b: "2"\n  a: "3"\n');
    assert.equal(twice.code, 400);
    assert.match(twice.body.message, /the key "a" is there twice, line 6 column 3/);
  });

  test('targets that are no paths', async () => {
    for (const target of ['//', '//[', '///healthz?a', '//%5b', '/\\[']) {
      const { code } = await api.call('GET', target);
      assert.ok(code === 400 || code === 404 || code === 200, `${target}: ${code}`);
    }
    assert.deepEqual(log.at('error'), []);
  });
});

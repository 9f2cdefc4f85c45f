// Errors in the proxy's own code: the request or connection that meets one ends, everything else goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, forward, OK, TestProxy, Upstream } from './http-harness.ts';

test('a rule that throws is answered 500, reported, and the next request is served', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide(request) {
      if (request.path === '/bad') throw new Error('a rule broke');
      return forward({ path: request.path });
    },
  });
  const client = await proxy.client(t);
  client.write('GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.message()).body, 'ok');
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 500 Internal Server Error\r\n[\s\S]*\r\nconnection: close\r\n/);
  assert.equal(body, 'internal error');
  await client.end();
  assert.deepEqual(proxy.faults.map(String), ['Error: a rule broke']);
  assert.equal((await proxy.entry(1)).responseCodeDetails, 'internal_error');
  const other = await proxy.client(t);
  other.write('GET /good HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await other.message()).body, 'ok');
});

test('an error while a response is put together is answered 500, and the upstream connection is given up', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const broken = {
    op: 'set',
    name: 'x-a',
    get value(): string {
      throw new Error('an edit broke');
    },
  } as const;
  let edits: readonly (typeof broken)[] = [broken];
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: (request) => ({
      ...forward({ path: request.path }),
      // The answer of our own takes the route's edits too; those of a broken route are not to break that as well.
      get responseHeaders() {
        const now = edits;
        edits = [];
        return now;
      },
    }),
  });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
  await (await upstream.connection(0)).gone();
  assert.deepEqual(proxy.faults.map(String), ['Error: an edit broke']);
});

test('an error that comes back when it is answered closes the connection', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const broken = {
    op: 'set',
    name: 'x-a',
    get value(): string {
      throw new Error('an edit broke');
    },
  } as const;
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: (request) => forward({ path: request.path, responseHeaders: [broken] }),
  });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(await client.end(), '');
  assert.equal(proxy.faults.length, 2);
  await proxy.entry();
  assert.equal(proxy.stats.downstreamRqActive, 0);
});

test('a log that throws costs its line and nothing else', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: {
      accessLogs: [
        {
          log() {
            throw new Error('the log broke');
          },
        },
      ],
    },
  });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await client.message()).body, 'ok');
  }
  assert.equal(proxy.faults.length, 2);
  assert.equal(upstream.connections.length, 1);
});

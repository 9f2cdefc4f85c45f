// Draining: what is under way finishes and says that it was the last; what is idle closes at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, OK, TestProxy, Upstream } from './http-harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('the request in flight is answered with close, and the signal settles when all are gone', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const [busy, idle] = await Promise.all([proxy.client(t), proxy.client(t)]);
  busy.write(GET);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  proxy.drain.begin();
  assert.equal(await idle.end(), '');
  idle.socket.end();
  wire.write(OK);
  assert.match(await busy.end(), /\r\nconnection: close\r\n[\s\S]*ok$/);
  busy.socket.end();
  await proxy.drain.idle;
  assert.equal(proxy.drain.size, 0);
});

test('a response already begun finishes', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(GET);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  wire.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none');
  await client.take('one');
  proxy.drain.begin();
  wire.write('two');
  assert.equal(await client.end(), 'two');
});

test('a connection that comes during the drain is asked to go as soon as it has been served', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  proxy.drain.begin();
  const client = await proxy.client(t);
  await client.end();
});

test('draining with nobody there settles at once', async (t) => {
  const proxy = await TestProxy.listen(t);
  proxy.drain.begin();
  await proxy.drain.idle;
});

// WebSocket: after 101 the connection is a pipe, each direction on its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, OK, TestProxy, Upstream } from './http-harness.ts';

const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n';
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n';

test('bytes pass both ways, and each side ends on its own', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { websocketUpgrade: true } });
  const client = await proxy.client(t);
  client.write(UPGRADE);
  const wire = await upstream.connection(0);
  const head = await wire.take('\r\n\r\n');
  assert.match(head, /\r\nUpgrade: websocket\r\n/);
  assert.match(head, /\r\nconnection: Upgrade\r\n/);
  wire.write(`${SWITCH}first`);
  assert.match(
    await client.take('\r\n\r\n'),
    /^HTTP\/1\.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n/,
  );
  await client.take('first');
  const blob = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 256));
  client.write(blob);
  await wire.until(() => wire.text.length === blob.length, 'the blob');
  assert.deepEqual(Buffer.from(wire.text, 'latin1'), blob);
  client.socket.end();
  await wire.end();
  wire.write('still talking');
  await client.take('still talking');
  wire.socket.end();
  await client.end();
  const entry = await proxy.entry();
  assert.equal(entry.responseCode, 101);
  assert.equal(entry.responseFlags, '');
  assert.equal(entry.bytesReceived, blob.length);
  assert.equal(entry.bytesSent, 'firststill talking'.length);
});

test('a switch the upstream declines is an ordinary response and the last one', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { websocketUpgrade: true } });
  const client = await proxy.client(t);
  client.write(UPGRADE);
  assert.match(await client.end(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nconnection: close\r\n[\s\S]*ok$/);
});

test('an upgrade with a body is refused', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { websocketUpgrade: true } });
  const client = await proxy.client(t);
  client.write(UPGRADE.replace('Host: a', 'Host: a\r\nContent-Length: 3'));
  assert.match(await client.end(), /^HTTP\/1\.1 400 /);
});

test('a listener without upgrades refuses them', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(UPGRADE);
  assert.match(await client.end(), /^HTTP\/1\.1 403 /);
  assert.equal((await proxy.entry()).responseCodeDetails, 'upgrade_failed');
});

test('a client that breaks off takes the tunnel with it', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster], config: { websocketUpgrade: true } });
  const client = await proxy.client(t);
  client.write(UPGRADE);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  wire.write(SWITCH);
  await client.take('\r\n\r\n');
  client.socket.resetAndDestroy();
  await wire.end();
  await proxy.entry();
  assert.equal(cluster.hosts[0]!.active, 0);
});

test('an upstream that dies takes the tunnel with it', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { websocketUpgrade: true } });
  const client = await proxy.client(t);
  client.write(UPGRADE);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  wire.write(SWITCH);
  await client.take('\r\n\r\n');
  wire.socket.resetAndDestroy();
  await client.end();
  await proxy.entry();
});

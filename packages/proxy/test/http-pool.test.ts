// Upstream connections kept between requests: which is used next, when they close, what a host's leaving does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, eventually, OK, TestProxy, Upstream } from './http-harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('the connection used last is used next', async (t) => {
  const used: number[] = [];
  const upstream = await Upstream.listen(t, async (wire, index) => {
    for (;;) {
      await wire.take('\r\n\r\n');
      used.push(index);
      wire.write(OK);
    }
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const clients = await Promise.all([proxy.client(t), proxy.client(t)]);
  for (const client of clients) client.write(GET);
  for (const client of clients) await client.message();
  const last = used.at(-1);
  for (let i = 0; i < 3; i++) {
    clients[i % 2]!.write(GET);
    await clients[i % 2]!.message();
  }
  assert.equal(upstream.connections.length, 2);
  assert.deepEqual(new Set(used.slice(3)).size, 1);
  assert.ok(last !== undefined);
});

test('a connection serves as many requests as the cluster allows', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  cluster.maxRequestsPerConnection = 2;
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  for (let i = 0; i < 4; i++) {
    client.write(GET);
    await client.message();
  }
  assert.equal(upstream.connections.length, 2);
});

test('idle connections close after the cluster’s time', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  cluster.idleTimeoutMs = 30;
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write(GET);
  await client.message();
  await (await upstream.connection(0)).end();
  await eventually(() => cluster.stats.upstreamCxActive === 0, 'the connection to close');
});

test('a connection the upstream closes while idle is not used again', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write(GET);
  await client.message();
  upstream.connections[0]!.socket.end();
  await eventually(() => cluster.hosts[0]!.pool!.idle === 0, 'the pool to notice');
  client.write(GET);
  assert.equal((await client.message()).body, 'ok');
});

test('a response that says close is obeyed', async (t) => {
  const upstream = await Upstream.answering(
    t,
    () => 'HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok',
  );
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write(GET);
    const { head } = await client.message();
    assert.doesNotMatch(head, /connection: close/i);
  }
  assert.equal(upstream.connections.length, 2);
});

test('a host that leaves closes its idle connections now and busy ones when done', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  const host = cluster.hosts[0]!;
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const [idle, busy] = await Promise.all([proxy.client(t), proxy.client(t)]);
  idle.write(GET);
  busy.write(GET);
  const wires = await Promise.all([upstream.connection(0), upstream.connection(1)]);
  await Promise.all(wires.map((wire) => wire.take('\r\n\r\n')));
  wires[0]!.write(OK);
  await eventually(() => host.pool!.idle === 1, 'one idle connection');
  host.removed = true;
  host.pool!.closeIdle();
  await wires[0]!.end();
  wires[1]!.write(OK);
  await Promise.all([idle.message(), busy.message()]);
  await wires[1]!.end();
  assert.equal(host.pool!.idle, 0);
});

test('counts come back to nothing', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const clients = await Promise.all(Array.from({ length: 10 }, () => proxy.client(t)));
  for (const client of clients) client.write(GET);
  for (const client of clients) await client.message();
  for (const client of clients) client.socket.destroy();
  await eventually(() => proxy.stats.downstreamCxActive === 0, 'the clients to go');
  assert.equal(proxy.stats.downstreamCxTotal, 10);
  assert.equal(proxy.stats.downstreamRqTotal, 10);
  assert.equal(proxy.stats.downstreamRqActive, 0);
  assert.equal(proxy.stats.downstreamRqByClass[1], 10);
  assert.equal(cluster.stats.upstreamRqTotal, 10);
  assert.equal(cluster.stats.upstreamRqActive, 0);
  assert.equal(cluster.stats.upstreamRqByClass[1], 10);
  assert.equal(cluster.hosts[0]!.active, 0);
});

// Circuit breakers on real sockets: who waits, who is turned away and how, and that the counts come back to nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { CircuitBreakers, DEFAULT_LIMITS } from '../src/upstream/circuit-breakers.ts';
import type { HttpConnection, UpstreamHandler } from '../src/upstream/http-connection.ts';
import { HttpPool } from '../src/upstream/http-pool.ts';
import {
  closedPort,
  clusterOf,
  eventually,
  FakeCluster,
  forward,
  hostOf,
  OK,
  retryPolicy,
  TestProxy,
  Upstream,
} from './http-harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function assertAtRest({ breakers, stats, hosts }: FakeCluster): void {
  assert.deepEqual(breakers.inUse, { connections: 0, pending: 0, requests: 0, retries: 0 });
  assert.deepEqual([stats.upstreamRqActive, stats.upstreamRqPendingActive, hosts[0]?.active], [0, 0, 0]);
}

test('one connection and one place to wait: the first is served, the second waits, the third is turned away', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxConnections: 1, maxPendingRequests: 1 });
  const proxy = await TestProxy.listen(t, {
    clusters: [cluster],
    // A retry would not help, and none is made.
    decide: () => forward({ path: '/', retry: retryPolicy({ retryOn: new Set(['5xx', 'reset']) }) }),
  });
  const clients = await Promise.all([proxy.client(t), proxy.client(t), proxy.client(t)]);
  clients[0]!.write(GET);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  clients[1]!.write(GET);
  await eventually(() => cluster.breakers.inUse.pending === 1, 'the second to wait');
  clients[2]!.write(GET);
  const { head, body } = await clients[2]!.message();
  assert.match(head, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.match(head, /\r\nx-envoy-overloaded: true\r\n/);
  assert.equal(body, 'upstream connect error or disconnect/reset before headers. reset reason: overflow');
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'UO');
  assert.equal(entry.responseCodeDetails, 'upstream_reset_before_response_started{overflow}');
  wire.write(OK);
  assert.equal((await clients[0]!.message()).body, 'ok');
  // The connection goes straight from the one to the other.
  await wire.take('\r\n\r\n');
  wire.write(OK);
  assert.equal((await clients[1]!.message()).body, 'ok');
  assert.equal(upstream.connections.length, 1);
  assert.deepEqual([cluster.stats.upstreamRqPendingOverflow, cluster.stats.upstreamCxOverflow], [1, 1]);
  cluster.hosts[0]!.pool!.closeIdle();
  await eventually(() => cluster.breakers.inUse.connections === 0, 'the connection to close');
  assertAtRest(cluster);
});

test('those who wait are served in their order, also over connections that serve one request each', async (t) => {
  const order: string[] = [];
  const upstream = await Upstream.answering(t, (head) => {
    order.push(/^GET (\S+)/.exec(head)![1]!);
    return OK;
  });
  const cluster = clusterOf(upstream);
  cluster.maxRequestsPerConnection = 1;
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxConnections: 1 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const clients = await Promise.all(Array.from({ length: 5 }, () => proxy.client(t)));
  for (const [i, client] of clients.entries()) {
    client.write(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await eventually(() => proxy.stats.downstreamRqTotal > i, 'the request to be read');
  }
  for (const client of clients) assert.equal((await client.message()).body, 'ok');
  assert.deepEqual(order, ['/0', '/1', '/2', '/3', '/4']);
  assert.equal(upstream.connections.length, 5);
  await eventually(() => cluster.breakers.inUse.connections === 0, 'the connections to close');
  assertAtRest(cluster);
});

test('requests under way are limited too', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxRequests: 1 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const [first, second] = await Promise.all([proxy.client(t), proxy.client(t)]);
  first.write(GET);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  second.write(GET);
  assert.match((await second.message()).head, /^HTTP\/1\.1 503 [\s\S]*x-envoy-overloaded/);
  wire.write(OK);
  assert.equal((await first.message()).body, 'ok');
});

test('of those who wait when no more requests are allowed, none is forgotten', async (t) => {
  const [busy, other] = await Promise.all([Upstream.listen(t), Upstream.listen(t)]);
  const cluster = new FakeCluster('service', [hostOf(busy.port), hostOf(other.port), hostOf(other.port)]);
  cluster.hosts[2] = cluster.hosts[1]!;
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxRequests: 1, maxConnections: 1 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const first = await proxy.client(t);
  first.write(GET);
  const wire = await busy.connection(0);
  await wire.take('\r\n\r\n');
  // Both go to the other host, which is given one connection, and find the only place taken when that is there.
  const late = await Promise.all([proxy.client(t), proxy.client(t)]);
  for (const client of late) client.write(GET);
  for (const client of late) assert.match((await client.message()).head, /^HTTP\/1\.1 503 [\s\S]*x-envoy-overloaded/);
  wire.write(OK);
  assert.equal((await first.message()).body, 'ok');
  for (const host of cluster.hosts) host.pool?.closeIdle();
  await eventually(() => cluster.breakers.inUse.connections === 0, 'the connections to close');
  assertAtRest(cluster);
});

test('a request that wants a fresh connection, of which there may be none, is given an idle one', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write(GET);
  assert.equal((await client.message()).body, 'ok');
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxConnections: 1 }, cluster.breakers.inUse);
  const pool = HttpPool.of(cluster.hosts[0]!, Date.now);
  assert.equal(pool.idle, 1);
  const given: HttpConnection[] = [];
  const handler = { onConnectionReady: (connection: HttpConnection) => given.push(connection) };
  pool.acquire(cluster, handler as unknown as UpstreamHandler, true);
  assert.deepEqual([given.length, pool.idle, cluster.breakers.inUse.pending], [1, 0, 0]);
  given[0]!.destroy();
});

test('retries are limited: what was to be tried again passes as it is, flagged', async (t) => {
  const upstream = await Upstream.answering(t, () => 'HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n');
  const cluster = clusterOf(upstream);
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxRetries: 0 });
  const proxy = await TestProxy.listen(t, {
    clusters: [cluster],
    decide: () => forward({ path: '/', retry: retryPolicy({ retryOn: new Set(['5xx']) }) }),
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
  assert.equal((await proxy.entry()).responseFlags, 'UO');
  assert.equal(cluster.stats.upstreamRqRetryOverflow, 1);
});

test('when a connection cannot be made, all who wait hear of it', async (t) => {
  const cluster = new FakeCluster('service', [hostOf(await closedPort())]);
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxConnections: 1 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const clients = await Promise.all([proxy.client(t), proxy.client(t), proxy.client(t)]);
  for (const client of clients) client.write(GET);
  for (const client of clients) assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
  assertAtRest(cluster);
});

test('a client that leaves gives its place in the queue back', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  cluster.breakers = new CircuitBreakers({ ...DEFAULT_LIMITS, maxConnections: 1, maxPendingRequests: 1 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const [first, second] = await Promise.all([proxy.client(t), proxy.client(t)]);
  first.write(GET);
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  second.write(GET);
  await eventually(() => cluster.breakers.inUse.pending === 1, 'the second to wait');
  second.socket.destroy();
  await once(second.socket, 'close');
  await eventually(() => cluster.breakers.inUse.pending === 0, 'its place to be free');
  wire.write(OK);
  assert.equal((await first.message()).body, 'ok');
  assert.deepEqual(proxy.faults, []);
});

// Attempts: what is tried again, where, how often, and what the client sees in the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../src/downstream/retry.ts';
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

function status(code: number): string {
  return `HTTP/1.1 ${code} X\r\ncontent-length: 4\r\n\r\nfail`;
}

function retrying(...conditions: string[]) {
  return () => forward({ path: '/', includeAttemptCount: true, retry: retryPolicy({ retryOn: new Set(conditions) }) });
}

test('a 5xx is tried again until it is not', async (t) => {
  const counts: string[] = [];
  const upstream = await Upstream.answering(t, (head) => {
    counts.push(/x-envoy-attempt-count: (\d)/.exec(head)![1]!);
    return counts.length < 3 ? status(503) : OK;
  });
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster], decide: retrying('5xx') });
  const client = await proxy.client(t);
  client.write(GET);
  assert.equal((await client.message()).body, 'ok');
  assert.deepEqual(counts, ['1', '2', '3']);
  assert.equal(cluster.stats.upstreamRqRetry, 2);
  assert.equal(cluster.hosts[0]!.active, 0);
  assert.equal(proxy.entries.length, 1);
});

test('when retries run out the last response passes, with flag URX', async (t) => {
  let served = 0;
  const upstream = await Upstream.answering(t, () => {
    served++;
    return status(503);
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], decide: retrying('5xx') });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 503 X\r\n/);
  assert.equal(body, 'fail');
  assert.equal(served, 3);
  assert.equal((await proxy.entry()).responseFlags, 'URX');
});

const RESPONSES: readonly (readonly [conditions: string[], response: string, retried: boolean])[] = [
  [['5xx'], status(500), true],
  [['gateway-error'], status(500), false],
  [['gateway-error'], status(504), true],
  [['retriable-4xx'], status(409), true],
  [['retriable-4xx'], status(404), false],
  [['retriable-status-codes'], status(418), true],
  [['retriable-status-codes'], status(503), false],
  [['connect-failure', 'reset', 'refused-stream'], status(503), false],
  [['unavailable'], 'HTTP/1.1 200 OK\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n', true],
  [['unavailable'], 'HTTP/1.1 200 OK\r\ngrpc-status: 1\r\ncontent-length: 0\r\n\r\n', false],
  [['5xx'], 'HTTP/1.1 503 X\r\nx-envoy-overloaded: true\r\ncontent-length: 0\r\n\r\n', false],
  [['5xx'], 'HTTP/1.1 503 X\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n', false],
];

for (const [conditions, response, retried] of RESPONSES) {
  test(`${conditions.join(',')} ${retried ? 'retries' : 'lets pass'} ${JSON.stringify(response.slice(9, 45))}`, async (t) => {
    let served = 0;
    const upstream = await Upstream.answering(t, () => (served++ === 0 ? response : OK));
    const retry = retryPolicy({ retryOn: new Set(conditions), retriableStatusCodes: new Set([418]) });
    const proxy = await TestProxy.listen(t, {
      clusters: [clusterOf(upstream)],
      decide: () => forward({ path: '/', retry }),
    });
    const client = await proxy.client(t);
    client.write(GET);
    await client.message();
    assert.equal(served, retried ? 2 : 1);
  });
}

test('a host that refuses is passed over for one that answers', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = new FakeCluster('service', [hostOf(await closedPort()), hostOf(upstream.port)]);
  const retry = retryPolicy({ retryOn: new Set(['connect-failure']), avoidPreviousHosts: 5 });
  const proxy = await TestProxy.listen(t, { clusters: [cluster], decide: () => forward({ path: '/', retry }) });
  const client = await proxy.client(t);
  client.write(GET);
  assert.equal((await client.message()).body, 'ok');
  assert.deepEqual([...(cluster.picks[1]!.tried ?? [])], [cluster.hosts[0]]);
  assert.equal((await proxy.entry()).responseFlags, '');
});

test('connect failures to the end say that they were retried', async (t) => {
  const cluster = new FakeCluster('service', [hostOf(await closedPort())]);
  const proxy = await TestProxy.listen(t, { clusters: [cluster], decide: retrying('connect-failure') });
  const client = await proxy.client(t);
  client.write(GET);
  const { body } = await client.message();
  assert.match(body, /before headers\. retried and the latest reset reason: remote connection failure, transport/);
  assert.equal((await proxy.entry()).responseFlags, 'URX,UF');
  assert.equal(cluster.stats.upstreamRqTotal, 3);
});

test('a body is sent again with the retry, whole', async (t) => {
  const bodies: string[] = [];
  const upstream = await Upstream.answering(t, (_, body) => {
    bodies.push(body);
    return bodies.length === 1 ? status(503) : OK;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], decide: retrying('5xx') });
  const client = await proxy.client(t);
  const body = '0123456789'.repeat(30_000);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.equal((await client.message()).body, 'ok');
  assert.deepEqual(bodies, [body, body]);
});

test('a body larger than the buffer is not kept, so its failure passes', async (t) => {
  let served = 0;
  const upstream = await Upstream.answering(t, () => {
    served++;
    return status(503);
  });
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: retrying('5xx'),
    config: { perConnectionBufferLimit: 100_000 },
  });
  const client = await proxy.client(t);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`);
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 X\r\n/);
  assert.equal(served, 1);
});

test('a per-try timeout is tried again where resets are, and is 504 where they are not', async (t) => {
  let served = 0;
  const upstream = await Upstream.answering(t, () => (served++ === 0 ? undefined : OK));
  const decide = (conditions: string[]) => () =>
    forward({ path: '/', retry: retryPolicy({ retryOn: new Set(conditions), perTryTimeoutMs: 30 }) });
  const patient = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], decide: decide(['reset']) });
  const first = await patient.client(t);
  first.write(GET);
  assert.equal((await first.message()).body, 'ok');
  served = 0;
  const strict = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], decide: decide(['connect-failure']) });
  const second = await strict.client(t);
  second.write(GET);
  assert.match((await second.message()).head, /^HTTP\/1\.1 504 /);
  assert.equal((await strict.entry()).responseCodeDetails, 'upstream_per_try_timeout');
});

test('a kept-alive connection that died unnoticed is replaced without the client hearing of it', async (t) => {
  const upstream = await Upstream.listen(t, async (wire, index) => {
    await wire.take('\r\n\r\n');
    wire.write(OK);
    if (index > 0) return;
    // The next request on the first connection meets a reset instead of an answer.
    await wire.take('\r\n\r\n');
    wire.socket.resetAndDestroy();
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write(GET);
    assert.equal((await client.message()).body, 'ok');
  }
  assert.equal(upstream.connections.length, 2);
});

test('a POST on a connection that died is not sent twice', async (t) => {
  const upstream = await Upstream.listen(t, async (wire) => {
    await wire.take('\r\n\r\n');
    wire.write(OK);
    await wire.take('\r\n\r\n');
    wire.socket.resetAndDestroy();
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(GET);
  await client.message();
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
  assert.equal(upstream.connections.length, 1);
});

test('a client that leaves during the back-off ends the attempts', async (t) => {
  const upstream = await Upstream.answering(t, () => status(503));
  const retry = retryPolicy({ retryOn: new Set(['5xx']), backoffBaseMs: 60_000, backoffMaxMs: 60_000 });
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, {
    clusters: [cluster],
    decide: () => forward({ path: '/', retry }),
    draw: () => 0.99,
  });
  const client = await proxy.client(t);
  client.write(GET);
  await eventually(() => cluster.stats.upstreamRqRetry === 1, 'the retry');
  client.socket.destroy();
  assert.equal((await proxy.entry()).responseFlags, 'DC');
});

test('back-off has full jitter under an interval that doubles up to its maximum', () => {
  const policy = retryPolicy({ backoffBaseMs: 25, backoffMaxMs: 250 });
  const longest = [1, 2, 3, 4, 5, 6].map((retry) => backoffMs(policy, retry, () => 0.999999));
  assert.deepEqual(longest, [24, 49, 99, 199, 249, 249]);
  assert.equal(
    backoffMs(policy, 3, () => 0),
    0,
  );
});

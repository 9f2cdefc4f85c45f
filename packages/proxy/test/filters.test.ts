// HTTP filters on real sockets: what a client gets when a request is held up, aborted, shared or copied.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CorsPolicy } from '@varka/decide/cors.ts';
import type { FaultPolicy } from '@varka/decide/fault.ts';
import type { ForwardDecision } from '@varka/decide/route-table.ts';
import { corsFilter } from '../src/filters/cors.ts';
import { FaultFilter } from '../src/filters/fault.ts';
import {
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

const GET = 'GET /x HTTP/1.1\r\nHost: a:8080\r\n\r\n';

function fault(parts: Partial<FaultPolicy>): FaultPolicy {
  return {
    applies: () => true,
    delayMs: () => 0,
    abort: () => undefined,
    maxActive: Number.POSITIVE_INFINITY,
    ...parts,
  };
}

const route = (parts: Partial<ForwardDecision>) => () => forward({ path: '/x', ...parts });

test('an aborted request never reaches the upstream, and is not tried again', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, {
    clusters: [cluster],
    config: { filters: [new FaultFilter(undefined)] },
    decide: route({
      filters: { fault: fault({ abort: () => ({ kind: 'http', status: 503 }) }) },
      retry: retryPolicy({ retryOn: new Set(['5xx']) }),
    }),
  });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.equal(body, 'fault filter abort');
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'FI');
  assert.equal(entry.responseCodeDetails, 'fault_filter_abort');
  assert.equal(upstream.connections.length, 0);
  assert.equal(cluster.stats.upstreamRqTotal, 0);
});

test('a gRPC status becomes the HTTP status that says the same', async (t) => {
  const proxy = await TestProxy.listen(t, {
    config: { filters: [new FaultFilter(fault({ abort: () => ({ kind: 'grpc', code: 14 }) }))] },
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
});

test('a delayed request goes on afterwards, body and all; its time to answer begins then', async (t) => {
  const upstream = await Upstream.answering(
    t,
    (_head, body) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: { filters: [new FaultFilter(undefined)] },
    decide: route({ filters: { fault: fault({ delayMs: () => 60 }) }, timeoutMs: 50 }),
  });
  const client = await proxy.client(t);
  const began = performance.now();
  client.write('POST /x HTTP/1.1\r\nHost: a\r\ncontent-length: 6\r\n\r\nabc');
  client.write('def');
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.equal(body, 'abcdef');
  assert.ok(performance.now() - began >= 59, 'it was held up');
  assert.equal((await proxy.entry()).responseFlags, 'DI');
});

test('delay and abort together: first the one, then the other', async (t) => {
  const proxy = await TestProxy.listen(t, {
    config: { filters: [new FaultFilter(fault({ delayMs: () => 5, abort: () => ({ kind: 'http', status: 418 }) }))] },
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 418 /);
  assert.equal((await proxy.entry()).responseFlags, 'DI,FI');
});

test('a client that leaves while it is held up frees its place', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const filter = new FaultFilter(fault({ delayMs: () => 3_600_000, maxActive: 1 }));
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { filters: [filter] } });
  const waiting = await proxy.client(t);
  waiting.write(GET);
  await eventually(() => proxy.stats.downstreamRqActive === 1, 'the first request');
  // The only place is taken, so this one is not held up.
  const other = await proxy.client(t);
  other.write(GET);
  assert.equal((await other.message()).body, 'ok');
  waiting.socket.destroy();
  await eventually(() => proxy.stats.downstreamRqActive === 0, 'the end of the first request');
  const third = await proxy.client(t);
  third.write(GET);
  await eventually(() => proxy.stats.downstreamRqActive === 1, 'the third request, held up in its place');
  assert.deepEqual(proxy.faults, []);
});

test('preflights are answered here; other answers, local ones too, say who may read them', async (t) => {
  const edit = { op: 'set', name: 'access-control-allow-origin', value: 'http://o' } as const;
  const cors: CorsPolicy = {
    decide: ({ method }) => ({ kind: method === 'OPTIONS' ? 'preflight' : 'allow', responseHeaders: [edit] }),
  };
  const upstream = await Upstream.answering(t, (head) => (head.startsWith('GET /x') ? OK : undefined));
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: { filters: [corsFilter] },
    decide: ({ path }) =>
      forward({ path, cluster: path === '/nobody' ? 'gone' : 'service', filters: { cors }, responseHeaders: [] }),
  });
  const client = await proxy.client(t);
  client.write('OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n');
  const preflight = await client.message();
  assert.match(
    preflight.head,
    /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\naccess-control-allow-origin: http:\/\/o\r\n/,
  );
  assert.equal((await proxy.entry(0)).responseCodeDetails, 'cors_response');
  client.write(GET);
  assert.match((await client.message()).head, /\r\naccess-control-allow-origin: http:\/\/o\r\n/);
  client.write('GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 [\s\S]*access-control-allow-origin: http:\/\/o\r\n/);
  assert.equal(upstream.connections.length, 1);
});

test('a mirror gets the same request, and its answer is nobody’s concern', async (t) => {
  const seen: string[] = [];
  const upstream = await Upstream.listen(t);
  const mirror = await Upstream.answering(t, (head, body) => {
    seen.push(`${/^host: (.*)\r$/im.exec(head)?.[1]} ${head.split(' HTTP', 1)[0]} ${body}`);
    return 'HTTP/1.1 500 Broken\r\ncontent-length: 5\r\n\r\nwrong';
  });
  const copies = new FakeCluster('copies', [hostOf(mirror.port)]);
  const draws = [0.1, 0.9];
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream), copies],
    draw: () => draws.shift() ?? assert.fail('one draw a request'),
    decide: ({ path }) =>
      forward({ path, mirrors: [{ cluster: () => 'copies', share: 0.5, marksHost: path === '/marked' }] }),
  });
  const client = await proxy.client(t);
  client.write('POST /marked HTTP/1.1\r\nHost: a:8080\r\ncontent-length: 4\r\n\r\nab');
  // The rest comes when the beginning is with the upstream already.
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\nab');
  client.write('cd');
  await wire.take('cd');
  wire.write(OK);
  assert.equal((await client.message()).body, 'ok');
  client.write(GET);
  await wire.take('\r\n\r\n');
  wire.write(OK);
  assert.equal((await client.message()).body, 'ok');
  await eventually(() => seen.length === 1 && copies.stats.upstreamRqActive === 0, 'the one copy');
  assert.deepEqual(seen, ['a-shadow:8080 POST /marked abcd']);
  assert.equal(copies.hosts[0]?.active, 0);
  assert.equal(copies.stats.upstreamRqByClass[4], 1);
});

test('a mirror that cannot be reached changes nothing', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream), new FakeCluster('empty', [])],
    decide: route({
      mirrors: ['empty', 'unknown'].map((name) => ({ cluster: () => name, share: 1, marksHost: false })),
    }),
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.equal((await client.message()).body, 'ok');
  assert.deepEqual(proxy.faults, []);
});

test('a request for another protocol is not copied', async (t) => {
  const upstream = await Upstream.listen(t);
  const copies = new FakeCluster('copies', []);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream), copies],
    config: { websocketUpgrade: true },
    decide: route({ mirrors: [{ cluster: () => 'copies', share: 1, marksHost: false }] }),
  });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  const wire = await upstream.connection(0);
  assert.match(await wire.take('\r\n\r\n'), /upgrade: websocket/i);
  wire.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /^HTTP\/1\.1 101 /);
  assert.equal(copies.picks.length, 0);
});

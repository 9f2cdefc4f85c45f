// What a client gets when there is nothing to pass on: status, text, flag and details, as Envoy gives them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedPort, clusterOf, FakeCluster, forward, hostOf, TestProxy, Upstream } from './http-harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('no route is 404 without a body, and the connection stays', async (t) => {
  const proxy = await TestProxy.listen(t, { decide: () => ({ kind: 'none' }) });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write(GET);
    const { head, body } = await client.message();
    assert.match(head, /^HTTP\/1\.1 404 Not Found\r\ncontent-length: 0\r\n/);
    assert.equal(body, '');
    const entry = await proxy.entry(i);
    assert.equal(entry.responseFlags, 'NR');
    assert.equal(entry.responseCodeDetails, 'route_not_found');
  }
});

test('a route configuration that has not come yet is 404 too', async (t) => {
  const proxy = await TestProxy.listen(t, { config: { routes: { name: 'late', table: undefined } } });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 404 /);
});

test('an unknown cluster is the status its route gives', async (t) => {
  const proxy = await TestProxy.listen(t, {
    decide: () => forward({ path: '/', cluster: 'gone', clusterNotFoundStatus: 500 }),
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'NC');
  assert.equal(entry.responseCodeDetails, 'cluster_not_found');
});

test('a cluster without hosts is 503 no healthy upstream', async (t) => {
  const proxy = await TestProxy.listen(t, { clusters: [new FakeCluster('service', [])] });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 503 Service Unavailable\r\ncontent-length: 19\r\ncontent-type: text\/plain\r\n/);
  assert.equal(body, 'no healthy upstream');
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'UH');
  assert.equal(entry.upstreamCluster, 'service');
});

test('a refused connection is 503 with the words of the transport', async (t) => {
  const cluster = new FakeCluster('service', [hostOf(await closedPort())]);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.equal(
    body,
    'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, ' +
      'transport failure reason: delayed connect error: Connection refused',
  );
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'UF');
  assert.equal(
    entry.responseCodeDetails,
    'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  );
  assert.equal(entry.upstreamTransportFailureReason, 'delayed connect error: Connection refused');
  assert.equal(cluster.stats.upstreamCxConnectFail, 1);
  assert.equal(cluster.hosts[0]!.active, 0);
});

test('a local address that is not ours fails the connection, not the proxy', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  cluster.sourceAddress = '192.0.2.1';
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write(GET);
  const { body } = await client.message();
  assert.match(
    body,
    /local connection failure, transport failure reason: immediate connect error: Cannot assign requested address/,
  );
});

test('an upstream that closes before it answers is 503 UC', async (t) => {
  const upstream = await Upstream.answering(t, (_, __, wire) => {
    wire.socket.end();
    return undefined;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.equal(body, 'upstream connect error or disconnect/reset before headers. reset reason: connection termination');
  assert.equal((await proxy.entry()).responseFlags, 'UC');
});

test('an upstream that resets mid-head is 503 UC', async (t) => {
  const upstream = await Upstream.answering(t, (_, __, wire) => {
    wire.socket.write('HTTP/1.1 200 OK\r\nconte', () => wire.socket.resetAndDestroy());
    return undefined;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
  assert.equal((await proxy.entry()).responseFlags, 'UC');
});

test('a route timeout is 504 and takes the request off the upstream', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster], decide: () => forward({ path: '/', timeoutMs: 30 }) });
  const client = await proxy.client(t);
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 504 /);
  assert.equal(body, 'upstream request timeout');
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'UT');
  assert.equal(entry.responseCodeDetails, 'response_timeout');
  await (await upstream.connection(0)).end();
  assert.equal(cluster.stats.upstreamRqTimeout, 1);
  assert.equal(cluster.hosts[0]!.active, 0);
});

test('a route timeout that strikes mid-body cuts the response off', async (t) => {
  const upstream = await Upstream.answering(t, () => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: () => forward({ path: '/', timeoutMs: 30 }),
  });
  const client = await proxy.client(t);
  client.write(GET);
  assert.match(await client.end(), /half$/);
  assert.equal((await proxy.entry()).responseFlags, 'UT');
});

test('redirects and direct responses are written as decided, edits included', async (t) => {
  const base = {
    routeName: 'r',
    virtualHost: 'v',
    responseHeaders: [{ op: 'set', name: 'x-a', value: '1' }],
    filters: {},
  } as const;
  const proxy = await TestProxy.listen(t, {
    decide: (request) =>
      request.path === '/r'
        ? { ...base, kind: 'redirect', status: 301, location: 'https://a/r' }
        : { ...base, kind: 'direct', status: 418, body: 'téa' },
  });
  const client = await proxy.client(t);
  client.write('GET /r HTTP/1.1\r\nHost: a\r\n\r\n');
  const redirect = await client.message();
  assert.match(
    redirect.head,
    /^HTTP\/1\.1 301 Moved Permanently\r\nlocation: https:\/\/a\/r\r\ncontent-length: 0\r\nx-a: 1\r\n/,
  );
  client.write(GET);
  const direct = await client.message();
  assert.match(direct.head, /content-length: 4\r\n/);
  assert.equal(Buffer.from(direct.body, 'latin1').toString(), 'téa');
  client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /content-length: 4\r\n/);
  client.write('GET /r HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match((await client.message()).head, /^HTTP\/1\.1 301 /);
  assert.equal((await proxy.entry()).routeName, 'r');
});

test('a body still on its way when the answer is out closes the connection', async (t) => {
  const proxy = await TestProxy.listen(t, { decide: () => ({ kind: 'none' }) });
  const client = await proxy.client(t);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart');
  assert.match(await client.end(), /^HTTP\/1\.1 404 [\s\S]*\r\nconnection: close\r\n/);
});

test('a head that does not come in time is 408', async (t) => {
  const proxy = await TestProxy.listen(t, { config: { requestHeadersTimeoutMs: 30 } });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHo');
  const text = await client.end();
  assert.match(text, /^HTTP\/1\.1 408 [\s\S]*request header timeout$/);
  assert.equal((await proxy.entry()).responseCodeDetails, 'request_header_timeout');
});

test('an idle connection closes after its time', async (t) => {
  const proxy = await TestProxy.listen(t, { config: { idleTimeoutMs: 30 }, decide: () => ({ kind: 'none' }) });
  const client = await proxy.client(t);
  client.write(GET);
  await client.message();
  assert.equal(await client.end(), '');
});

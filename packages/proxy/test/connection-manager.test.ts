// The way of a request through the connection manager: forwarding, keep-alive, pipelining, bodies both ways.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, eventually, forward, OK, TestProxy, Upstream } from './http-harness.ts';

test('a request goes to the upstream as it came, and the response comes back', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('GET /a?b=c HTTP/1.1\r\nHost: svc:80\r\nX-Mixed-Case: yes\r\n\r\n');
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(body, 'ok');
  assert.match(head, /\r\nx-envoy-upstream-service-time: \d+\r\n/);
  assert.match(head, /\r\ndate: \w{3}, \d\d \w{3} \d{4} /);
  const entry = await proxy.entry();
  assert.equal(entry.responseCode, 200);
  assert.equal(entry.responseFlags, '');
  assert.equal(entry.responseCodeDetails, 'via_upstream');
  assert.equal(entry.bytesSent, 2);
  assert.equal(entry.upstreamHost, `127.0.0.1:${upstream.port}`);
  assert.equal(entry.path, '/a?b=c');
});

test('the upstream gets the head with the lines that had to change and no other', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nTE: gzip\r\nAccept: */*\r\n\r\n',
  );
  const wire = await upstream.connection(0);
  assert.equal(
    await wire.take('\r\n\r\n'),
    'GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nx-forwarded-proto: http\r\n\r\n',
  );
});

test('many requests on one client connection use one upstream connection', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  for (let i = 0; i < 20; i++) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await client.message()).body, 'ok');
  }
  assert.equal(upstream.connections.length, 1);
});

test('pipelined requests are answered in their order', async (t) => {
  let served = 0;
  const upstream = await Upstream.answering(t, (head) => {
    const path = head.split(' ')[1]!;
    served++;
    return `HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write(Array.from({ length: 50 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  for (let i = 0; i < 50; i++) assert.equal((await client.message()).body, `/${i}`);
  assert.equal(served, 50);
});

test('a large body with content-length passes both ways unchanged', async (t) => {
  const size = 5_000_000;
  const upstream = await Upstream.answering(
    t,
    (_, body) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  const body = Array.from({ length: size / 10 }, (_, i) => String(i).padStart(10, '0')).join('');
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${body}`);
  const answer = await client.message();
  assert.equal(answer.body, body);
  const entry = await proxy.entry();
  assert.equal(entry.bytesReceived, size);
  assert.equal(entry.bytesSent, size);
});

test('chunks and trailers pass both ways, chunk extensions do not', async (t) => {
  const upstream = await Upstream.answering(
    t,
    (_, body) =>
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\n0\r\nX-Sum: ${body.length}\r\n\r\n`,
  );
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\n\r\n');
  await client.take('\r\n\r\n');
  assert.equal(await client.take('\r\n\r\n'), '3\r\nabc\r\n0\r\nX-Sum: 15\r\n\r\n');
  const entry = await proxy.entry();
  assert.equal(entry.bytesReceived, 5);
  assert.equal(entry.bytesSent, 3);
});

test('a body that ends with the upstream connection reaches the client in chunks', async (t) => {
  const upstream = await Upstream.answering(t, (_, __, wire) => {
    wire.socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end');
    return undefined;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { head, body } = await client.message();
    assert.match(head, /\r\ntransfer-encoding: chunked\r\n/);
    assert.equal(body, 'd\r\nuntil the end\r\n0\r\n\r\n');
  }
});

test('HEAD, 204 and 304 have no body whatever their fields say', async (t) => {
  const upstream = await Upstream.answering(t, (head) => {
    if (head.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n';
    return head.includes('/204')
      ? 'HTTP/1.1 204 No Content\r\n\r\n'
      : 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n';
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /content-length: 1000/);
  client.write('GET /204 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /^HTTP\/1.1 204/);
  client.write('GET /304 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /^HTTP\/1.1 304/);
  assert.equal(upstream.connections.length, 1);
});

test('100 Continue and 103 Early Hints reach the client before the response', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  const wire = await upstream.connection(0);
  assert.match(await wire.take('\r\n\r\n'), /Expect: 100-continue/);
  wire.write('HTTP/1.1 100 Continue\r\n\r\n');
  assert.match(await client.take('\r\n\r\n'), /^HTTP\/1.1 100 Continue/);
  client.write('body');
  await wire.take('body');
  wire.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`);
  assert.match(await client.take('\r\n\r\n'), /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a>\r\n\r\n$/);
  assert.equal((await client.message()).body, 'ok');
});

test('a client that asks for close gets it, and so does its connection', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const text = await client.end();
  assert.match(text, /\r\nconnection: close\r\n/);
});

test('a response before the request is done ends the exchange and both connections', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome');
  const wire = await upstream.connection(0);
  await wire.take('some');
  wire.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig');
  assert.match(await client.end(), /^HTTP\/1.1 413 [\s\S]*\r\nconnection: close\r\n[\s\S]*big$/);
  await wire.end();
});

test('a client that leaves takes its request off the upstream', async (t) => {
  const upstream = await Upstream.listen(t);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const wire = await upstream.connection(0);
  await wire.take('\r\n\r\n');
  client.socket.destroy();
  await wire.end();
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'DC');
  assert.equal(entry.responseCode, 0);
  assert.equal(entry.responseCodeDetails, 'downstream_remote_disconnect');
  assert.equal(cluster.hosts[0]!.active, 0);
});

test('an upstream that dies mid-body does not look like an end', async (t) => {
  const upstream = await Upstream.answering(t, (_, __, wire) => {
    wire.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
    wire.socket.end();
    return undefined;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const text = await client.end();
  assert.ok(text.endsWith('3\r\nabc\r\n'), text);
  const entry = await proxy.entry();
  assert.equal(entry.responseFlags, 'UC');
  assert.equal(entry.responseCodeDetails, 'upstream_reset_after_response_started{connection_termination}');
});

test('a slow client holds the upstream back, not our memory', async (t) => {
  const total = 64 * 1024 * 1024;
  let sent = 0;
  const block = Buffer.alloc(64 * 1024, 'x');
  const upstream = await Upstream.answering(t, (_, __, wire) => {
    const more = () => {
      while (sent < total && wire.socket.write(block)) sent += block.length;
      if (sent < total) sent += block.length;
    };
    wire.socket.on('drain', more);
    wire.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
    more();
    return undefined;
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.socket.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let before = -1;
  await eventually(() => {
    if (sent > 0 && sent === before) return true;
    before = sent;
    const until = performance.now() + 20;
    while (performance.now() < until);
    return false;
  }, 'the upstream to be held back');
  assert.ok(sent < total / 2, `${sent} bytes were taken from the upstream for a client that reads none`);
});

test('path, authority and headers change as the decision says', async (t) => {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: () =>
      forward({
        path: '/new path',
        authority: 'other.example',
        timeoutMs: 1500,
        includeAttemptCount: true,
        requestHeaders: [
          { op: 'append', name: 'x-a', value: '1' },
          { op: 'set', name: 'x-b', value: 'ż' },
          { op: 'remove', name: 'X-Gone' },
          { op: 'add-if-absent', name: 'x-a', value: 'never' },
          { op: 'set', name: 'content-length', value: '99' },
          { op: 'set', name: 'x-evil', value: 'a\r\nb: c' },
        ],
        responseHeaders: [
          { op: 'set', name: 'x-from', value: 'proxy' },
          { op: 'remove', name: 'x-secret' },
        ],
      }),
  });
  const client = await proxy.client(t);
  client.write('GET /old HTTP/1.1\r\nHost: a\r\nx-a: 0\r\nx-gone: 1\r\n\r\n');
  const wire = await upstream.connection(0);
  assert.equal(
    await wire.take('\r\n\r\n'),
    'GET /new%20path HTTP/1.1\r\nx-a: 0\r\nhost: other.example\r\nx-forwarded-proto: http\r\nx-envoy-original-path: /old\r\n' +
      'x-envoy-attempt-count: 1\r\nx-envoy-expected-rq-timeout-ms: 1500\r\nx-a: 1\r\nx-b: \xc5\xbc\r\n\r\n',
  );
  wire.write('HTTP/1.1 200 OK\r\nx-secret: s\r\ncontent-length: 0\r\n\r\n');
  const { head } = await client.message();
  assert.match(head, /\r\nx-from: proxy\r\n/);
  assert.doesNotMatch(head, /secret/);
  assert.equal((await proxy.entry()).path, '/old');
});

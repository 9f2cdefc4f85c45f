// Headers the proxy writes: identity of the request, where it came from, and who answered (Envoy's names and rules).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestFacts } from '../src/downstream/request-headers.ts';
import { RequestHead } from '../src/http/request-head.ts';
import type { HttpConnectionManagerConfig } from '../src/runtime/tables.ts';
import { clusterOf, forward, OK, TestProxy, Upstream } from './http-harness.ts';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function headOf(...fields: string[]): RequestHead {
  const head = new RequestHead({ maxBytes: 10_000, maxFields: 100 });
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);
  assert.equal(head.read(bytes, 0, bytes.length), bytes.length);
  return head;
}

const EDGE = { address: '203.0.113.9', internal: false, edge: true, generateRequestId: true };
const EDGE_INTERNAL = { address: '10.0.0.9', internal: true, edge: true, generateRequestId: true };
const SIDECAR = { address: '10.0.0.9', internal: true, edge: false, generateRequestId: true };

test('the edge appends its peer to x-forwarded-for and does not trust what outsiders say', () => {
  const head = headOf('X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: https', 'X-Request-Id: chosen');
  const facts = requestFacts(head, EDGE);
  assert.equal(facts.forwardedFor, '1.2.3.4,203.0.113.9');
  assert.equal(facts.forwardedProto, 'http');
  assert.equal(facts.internal, false);
  assert.match(facts.requestId!, UUID4);
});

test('the edge keeps the request id of an internal client', () => {
  const facts = requestFacts(headOf('X-Request-Id: chosen'), EDGE_INTERNAL);
  assert.equal(facts.internal, true);
  assert.equal(facts.requestId, 'chosen');
});

test('a sidecar leaves x-forwarded-for alone and takes one private address for internal', () => {
  assert.deepEqual(
    requestFacts(headOf('X-Forwarded-For: 10.1.1.1', 'X-Forwarded-Proto: https', 'X-Request-Id: chosen'), SIDECAR),
    {
      requestId: 'chosen',
      forwardedFor: '10.1.1.1',
      forwardedProto: 'https',
      internal: true,
    },
  );
  assert.equal(requestFacts(headOf('X-Forwarded-For: 10.1.1.1, 10.1.1.2'), SIDECAR).internal, false);
  assert.equal(requestFacts(headOf('X-Forwarded-For: 8.8.8.8'), SIDECAR).internal, false);
  assert.equal(requestFacts(headOf(), SIDECAR).internal, false);
  assert.match(requestFacts(headOf(), SIDECAR).requestId!, UUID4);
  assert.equal(requestFacts(headOf(), { ...SIDECAR, generateRequestId: false }).requestId, undefined);
});

async function sentUpstream(
  t: Parameters<typeof TestProxy.listen>[0],
  config: Partial<HttpConnectionManagerConfig>,
  fields: string,
) {
  const upstream = await Upstream.listen(t);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config });
  const client = await proxy.client(t);
  client.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return (await upstream.connection(0)).take('\r\n\r\n');
}

test('the edge writes where the request came from', async (t) => {
  const head = await sentUpstream(
    t,
    { useRemoteAddress: true, generateRequestId: true },
    'X-Forwarded-Proto: https\r\nX-Envoy-Internal: false\r\nX-Forwarded-Client-Cert: Hash=forged\r\n',
  );
  assert.match(
    head,
    /^GET \/ HTTP\/1\.1\r\nHost: a\r\nx-forwarded-for: 127\.0\.0\.1\r\nx-forwarded-proto: http\r\nx-envoy-internal: true\r\nx-request-id: [0-9a-f-]{36}\r\n\r\n$/,
  );
});

test('the edge takes from outsiders what only insiders may say', async (t) => {
  const head = await sentUpstream(
    t,
    { useRemoteAddress: true },
    'X-Forwarded-For: 8.8.8.8\r\nX-Envoy-Max-Retries: 9\r\nX-Envoy-Original-Path: /x\r\nX-Envoy-Custom: stays\r\n',
  );
  assert.equal(
    head,
    'GET / HTTP/1.1\r\nHost: a\r\nX-Envoy-Custom: stays\r\nx-forwarded-for: 8.8.8.8,127.0.0.1\r\nx-forwarded-proto: http\r\n' +
      'x-envoy-external-address: 127.0.0.1\r\n\r\n',
  );
});

test('TE passes only as trailers', async (t) => {
  assert.match(await sentUpstream(t, {}, 'Connection: TE\r\nTE: trailers\r\n'), /\r\nTE: trailers\r\n/);
});

for (const [serverHeader, upstreamServer, expected] of [
  ['overwrite', 'server: app\r\n', 'server: istio-envoy'],
  ['overwrite', '', 'server: istio-envoy'],
  ['append-if-absent', 'server: app\r\n', 'server: app'],
  ['append-if-absent', '', 'server: istio-envoy'],
  ['pass-through', 'Server: app\r\n', 'Server: app'],
  ['pass-through', '', undefined],
] as const) {
  test(`server header: ${serverHeader}, upstream ${upstreamServer === '' ? 'says none' : 'says app'}`, async (t) => {
    const upstream = await Upstream.answering(t, () => `HTTP/1.1 200 OK\r\n${upstreamServer}content-length: 0\r\n\r\n`);
    const proxy = await TestProxy.listen(t, {
      clusters: [clusterOf(upstream)],
      config: { serverHeader, serverName: 'istio-envoy' },
    });
    const client = await proxy.client(t);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { head } = await client.message();
    assert.deepEqual(head.match(/^server: .*$/gim), expected === undefined ? null : [expected]);
  });
}

test('the upstream’s date stays, its service time does not', async (t) => {
  const upstream = await Upstream.answering(
    t,
    () => 'HTTP/1.1 200 OK\r\nDate: then\r\nX-Envoy-Upstream-Service-Time: 99999\r\ncontent-length: 0\r\n\r\n',
  );
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { head } = await client.message();
  assert.deepEqual(head.match(/^date: .*$/gim), ['Date: then']);
  assert.doesNotMatch(head, /99999/);
});

test('an HTTP/1.0 client, where allowed, gets no chunks and a closed connection', async (t) => {
  const upstream = await Upstream.answering(t, (head) => {
    assert.match(head, /^GET \/ HTTP\/1\.1\r\n/);
    return 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n';
  });
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { acceptHttp10: true } });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
  const text = await client.end();
  assert.match(text, /\r\nconnection: close\r\n\r\nabcde$/);
  assert.doesNotMatch(text, /transfer-encoding/i);
});

test('an HTTP/1.0 client that asks to keep the connection keeps it', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)], config: { acceptHttp10: true } });
  const client = await proxy.client(t);
  for (let i = 0; i < 2; i++) {
    client.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    assert.match((await client.message()).head, /\r\nconnection: keep-alive\r\n/);
  }
});

test('rules at the edge see who the client is, not who it says it is', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const seen: Record<string, string | undefined>[] = [];
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: { useRemoteAddress: true },
    decide(request) {
      const names = ['x-forwarded-proto', 'x-forwarded-for', 'x-envoy-internal', 'x-envoy-retry-on', 'x-other'];
      seen.push({
        ':scheme': request.scheme,
        ...Object.fromEntries(names.map((name) => [name, request.header(name)])),
      });
      return forward({ path: request.path });
    },
  });
  const client = await proxy.client(t);
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\nX-Envoy-Internal: true\r\n' +
      'X-Envoy-Retry-On: 5xx\r\nX-Other: kept\r\n\r\n',
  );
  await client.message();
  assert.deepEqual(seen, [
    {
      ':scheme': 'http',
      'x-forwarded-proto': 'http',
      'x-forwarded-for': '203.0.113.7,127.0.0.1',
      'x-envoy-internal': undefined,
      'x-envoy-retry-on': undefined,
      'x-other': 'kept',
    },
  ]);
});

test('an absolute target with https does not pass for TLS', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const seen: (string | undefined)[] = [];
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: { useRemoteAddress: true },
    decide(request) {
      seen.push(request.authority, request.header('x-forwarded-proto'));
      return forward({ path: request.path });
    },
  });
  const client = await proxy.client(t);
  client.write('GET https://b.example/ HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.message();
  assert.deepEqual(seen, ['b.example', 'http']);
});

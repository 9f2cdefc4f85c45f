// The ADS server driven by hand: what it answers and what it leaves alone (xDS protocol "ACK/NACK and versioning").
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { CLUSTER, ENDPOINTS, ROUTES } from '../src/type-urls.ts';
import { cluster, endpoints, eventually, rawStream, resources, routes, startServer } from './ads-fixture.ts';

const one = resources('1', {
  clusters: [cluster('a')],
  endpoints: [endpoints('a'), endpoints('b'), endpoints('c')],
  routes: [routes('80'), routes('81')],
});

test('the first request of a type is answered even when there is nothing', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(ROUTES, { node: 'n', names: ['no-such'] });
  const response = await stream.next(ROUTES, 1);
  assert.deepEqual(response.resources, []);
  assert.equal(response.versionInfo, '1');
  assert.notEqual(response.nonce, '');
});

test('requests wait until there is something published for the proxy', async (t) => {
  const server = await startServer(t);
  const stream = rawStream(t, server.target);
  stream.send(CLUSTER, { node: 'n' });
  await eventually(() => server.connections.length === 1, 'the connection');
  assert.deepEqual(server.connections[0]!.status(CLUSTER), { kind: 'NOT SENT' });
  server.publish(one);
  assert.equal((await stream.next(CLUSTER, 1)).resources.length, 1);
});

test('an ACK and a stale nonce are not answered; a new name is, alone', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(ENDPOINTS, { node: 'n', names: ['a'] });
  const first = await stream.next(ENDPOINTS, 1);
  stream.send(ENDPOINTS, { names: ['a', 'b', 'c'], nonce: 'some-older-nonce' });
  stream.send(ENDPOINTS, { names: ['a'], nonce: first.nonce });
  await eventually(() => server.log.includes('ack ClusterLoadAssignment 1'), 'the ACK');
  stream.send(ENDPOINTS, { names: ['a', 'b'], nonce: first.nonce });
  const second = await stream.next(ENDPOINTS, 2);
  assert.equal(second.resources.length, 1, 'only the added name');
  stream.send(ENDPOINTS, { names: ['a', 'b', 'c'], nonce: first.nonce, nack: 'too late' });
  // Requests are taken in turn, so once this one is answered the stale one has been dealt with.
  stream.send(CLUSTER);
  await stream.next(CLUSTER, 1);
  assert.deepEqual(server.connections[0]!.subscribed(ENDPOINTS), ['a', 'b'], 'stale requests change nothing');
  assert.deepEqual(server.connections[0]!.status(ENDPOINTS).kind, 'STALE');
  assert.equal(stream.of(ENDPOINTS).length, 2);
});

test('names given up are no longer pushed, and come again when asked for again', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(ENDPOINTS, { node: 'n', names: ['a', 'b'] });
  const first = await stream.next(ENDPOINTS, 1);
  stream.send(ENDPOINTS, { names: ['b'], nonce: first.nonce });
  await eventually(() => server.log.includes('ack ClusterLoadAssignment 1'), 'the ACK');
  server.publish(resources('2', { endpoints: [endpoints('a', 8080), endpoints('b')] }));
  stream.send(ENDPOINTS, { names: ['a', 'b'], nonce: first.nonce });
  const second = await stream.next(ENDPOINTS, 2);
  assert.equal(second.versionInfo, '2');
  assert.equal(second.resources.length, 1);
});

test('a NACK is recorded and not answered; the refused resource comes along with the next change', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(ROUTES, { node: 'n', names: ['80', '81'] });
  const first = await stream.next(ROUTES, 1);
  stream.send(ROUTES, { names: ['80', '81'], nonce: first.nonce });
  server.publish(resources('2', { routes: [routes('80', 'broken'), routes('81')] }));
  const second = await stream.next(ROUTES, 2);
  stream.send(ROUTES, { names: ['80', '81'], nonce: second.nonce, nack: 'domain broken' });
  await eventually(() => server.log.includes('nack RouteConfiguration 2 domain broken'), 'the NACK');
  server.publish(resources('3', { routes: [routes('80', 'broken'), routes('81', 'new')] }));
  const third = await stream.next(ROUTES, 3);
  assert.equal(third.resources.length, 2, 'the changed one, and the one that was refused');
  assert.equal(server.connections[0]!.status(ROUTES).kind, 'STALE');
  stream.send(ROUTES, { names: ['80', '81'], nonce: third.nonce });
  await eventually(() => server.log.includes('applied 3'), 'all accepted');
});

test('a proxy that does not answer gets the newest state only', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(CLUSTER, { node: 'n' });
  const first = await stream.next(CLUSTER, 1);
  for (let version = 2; version <= 50; version++)
    server.publish(resources(String(version), { clusters: [cluster('a', String(version))] }));
  stream.send(CLUSTER, { nonce: first.nonce });
  const second = await stream.next(CLUSTER, 2);
  assert.equal(second.versionInfo, '50');
  stream.send(CLUSTER, { nonce: second.nonce });
  await eventually(() => server.log.includes('applied 50'), 'the newest applied');
  assert.equal(stream.responses.length, 2);
});

test('clusters in use by routes the proxy refused to give up stay', async (t) => {
  const server = await startServer(t);
  server.publish(one);
  const stream = rawStream(t, server.target);
  stream.send(CLUSTER, { node: 'n' });
  stream.send(CLUSTER, { nonce: (await stream.next(CLUSTER, 1)).nonce });
  stream.send(ROUTES, { names: ['80'] });
  stream.send(ROUTES, { names: ['80'], nonce: (await stream.next(ROUTES, 1)).nonce });
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  server.publish(resources('2', { clusters: [], routes: [routes('80', 'other')] }));
  const second = await stream.next(ROUTES, 2);
  stream.send(ROUTES, { names: ['80'], nonce: second.nonce, nack: 'no' });
  await eventually(() => server.log.includes('nack RouteConfiguration 2 no'), 'the NACK');
  assert.equal(stream.of(CLUSTER).length, 1);
  server.publish(resources('3', { clusters: [], routes: [routes('80', 'better')] }));
  stream.send(ROUTES, { names: ['80'], nonce: (await stream.next(ROUTES, 3)).nonce });
  assert.deepEqual((await stream.next(CLUSTER, 2)).resources, []);
});

test('a stream whose first request names no node is refused, and so is one connection too many', async (t) => {
  const server = await startServer(t, { maxConnections: 1 });
  const nameless = rawStream(t, server.target);
  nameless.send(CLUSTER);
  await eventually(() => nameless.state.error !== undefined, 'the refusal');
  assert.equal(nameless.state.error!.code, status.INVALID_ARGUMENT);
  assert.match(nameless.state.error!.details, /names no node\.id/);

  const kept = rawStream(t, server.target);
  kept.send(CLUSTER, { node: 'kept' });
  await eventually(() => server.connections.length === 1, 'the one that may stay');
  const extra = rawStream(t, server.target);
  extra.send(CLUSTER, { node: 'extra' });
  await eventually(() => extra.state.error !== undefined, 'the refusal');
  assert.equal(extra.state.error!.code, status.RESOURCE_EXHAUSTED);
  kept.call.end();
  await eventually(() => server.log.includes('disconnect kept'), 'the end of the stream');
  const next = rawStream(t, server.target);
  next.send(CLUSTER, { node: 'next' });
  await eventually(() => server.connections.length === 2, 'room again');
});

test('a silent stream is ended, an oversized request refused, an unknown type left alone', async (t) => {
  const server = await startServer(t, { firstRequestWithinMs: 30, maxRequestBytes: 2000 });
  server.publish(one);
  const silent = rawStream(t, server.target);
  await eventually(() => silent.state.error !== undefined, 'the end of the silent stream');
  assert.equal(silent.state.error!.code, status.DEADLINE_EXCEEDED);
  const large = rawStream(t, server.target);
  large.send(CLUSTER, { node: 'x'.repeat(4000) });
  await eventually(() => large.state.error !== undefined, 'the refusal of the large request');
  assert.equal(large.state.error!.code, status.RESOURCE_EXHAUSTED);
  const odd = rawStream(t, server.target);
  odd.send('type.googleapis.com/envoy.service.unknown.v3.Thing', { node: 'odd' });
  odd.send(CLUSTER);
  assert.equal((await odd.next(CLUSTER, 1)).resources.length, 1);
  assert.ok(server.log.includes('error xDS request for a type that is not served'));
});

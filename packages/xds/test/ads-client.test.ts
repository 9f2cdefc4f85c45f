// Our ADS client against our ADS server, over real gRPC.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ClusterSchema } from '../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../gen/envoy/config/route/v3/route_pb.ts';
import { AdsClient, type AdsClientOptions, type AdsClientState, type Verdict } from '../src/ads-client.ts';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '../src/type-urls.ts';
import { cluster, endpoints, eventually, listener, resources, routes, startServer } from './ads-fixture.ts';

/** A client that takes what it gets and notes it; `refuse` decides about clusters. */
function startClient(t: TestContext, target: string, options: Partial<AdsClientOptions> = {}) {
  const events: string[] = [];
  const states: AdsClientState[] = [];
  const have = {
    clusters: [] as string[],
    endpoints: new Map<string, number>(),
    listeners: [] as string[],
    routes: new Map<string, string>(),
  };
  const judge: { refuse: (names: string[]) => Verdict | Promise<Verdict> } = { refuse: () => undefined };
  const client = new AdsClient({
    target,
    node: { id: 'sidecar~10.244.0.9~a.default~default.svc.cluster.local' },
    backoff: { baseMs: 10, maxMs: 50 },
    onState: (state) => states.push(state),
    ...options,
  });
  const endpointsSubscription = client.subscribe(
    {
      typeUrl: ENDPOINTS,
      schema: ClusterLoadAssignmentSchema,
      onResources(assignments) {
        for (const { clusterName, policy } of assignments)
          have.endpoints.set(clusterName, policy?.overprovisioningFactor ?? 0);
        events.push(
          `eds ${assignments
            .map((assignment) => assignment.clusterName)
            .sort()
            .join()}`,
        );
        return undefined;
      },
    },
    [],
  );
  client.subscribe(
    {
      typeUrl: CLUSTER,
      schema: ClusterSchema,
      onResources(clusters) {
        const names = clusters.map(({ name }) => name).sort();
        const verdict = judge.refuse(names);
        events.push(`cds ${names.join()}`);
        if (typeof verdict === 'string') return verdict;
        have.clusters = names;
        endpointsSubscription.setNames(names);
        return verdict;
      },
    },
    'wildcard',
  );
  const routesSubscription = client.subscribe(
    {
      typeUrl: ROUTES,
      schema: RouteConfigurationSchema,
      onResources(configs) {
        for (const { name, virtualHosts } of configs) have.routes.set(name, virtualHosts[0]?.name ?? '');
        events.push(
          `rds ${configs
            .map(({ name }) => name)
            .sort()
            .join()}`,
        );
        return undefined;
      },
    },
    [],
  );
  client.subscribe(
    {
      typeUrl: LISTENER,
      schema: ListenerSchema,
      onResources(listeners) {
        have.listeners = listeners.map(({ name }) => name).sort();
        events.push(`lds ${have.listeners.join()}`);
        routesSubscription.setNames(have.listeners.map((name) => `routes-${name}`));
        return undefined;
      },
    },
    'wildcard',
  );
  t.after(() => client.stop());
  client.start();
  return { client, events, states, have, judge };
}

const world = (version: string, domain = 'one') =>
  resources(version, {
    clusters: [cluster('a'), cluster('b')],
    endpoints: [endpoints('a'), endpoints('b')],
    listeners: [listener('l')],
    routes: [routes('routes-l', domain)],
  });

test('a new client gets everything, clusters and their endpoints before the listeners that use them', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  const { events, have } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  assert.deepEqual(events, ['cds a,b', 'eds a,b', 'lds l', 'rds routes-l']);
  assert.equal(have.routes.get('routes-l'), 'one');
  for (const typeUrl of [CLUSTER, ENDPOINTS, LISTENER, ROUTES] as const)
    assert.deepEqual(server.connections[0]!.status(typeUrl), { kind: 'SYNCED', version: '1' });
});

test('a change sends only what changed', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  const { events, have } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  events.length = 0;
  server.publish(world('2', 'two'));
  await eventually(() => server.log.includes('applied 2'), 'version 2 applied');
  assert.deepEqual(events, ['rds routes-l']);
  assert.equal(have.routes.get('routes-l'), 'two');
  server.publish(world('3', 'two'));
  await eventually(() => server.log.includes('applied 3'), 'a version without a difference counts as applied');
  assert.deepEqual(events, ['rds routes-l']);
});

test('make before break: the new cluster and its endpoints come before the route, the old one leaves after it', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  const { events } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  events.length = 0;
  server.publish(
    resources('2', {
      clusters: [cluster('b'), cluster('c')],
      endpoints: [endpoints('b'), endpoints('c')],
      listeners: [listener('l')],
      routes: [routes('routes-l', 'two')],
    }),
  );
  await eventually(() => server.log.includes('applied 2'), 'version 2 applied');
  assert.deepEqual(events, ['cds a,b,c', 'eds c', 'rds routes-l', 'cds b,c']);
});

test('a changed cluster gets its endpoints again, as Envoy waits for them; the others do not', async (t) => {
  const server = await startServer(t);
  const waiting = (name: string, tag = '') => {
    const [key, resource] = cluster(name, tag);
    return [key, { ...resource, endpoints: name }] as [string, typeof resource];
  };
  const both = { endpoints: [endpoints('a'), endpoints('b')] };
  server.publish(resources('1', { clusters: [waiting('a'), waiting('b')], ...both }));
  const { events } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  events.length = 0;
  server.publish(resources('2', { clusters: [waiting('a', 'changed'), waiting('b')], ...both }));
  await eventually(() => server.log.includes('applied 2'), 'version 2 applied');
  assert.deepEqual(events, ['cds a,b', 'eds a']);
});

test('a refused response is reported with its text, keeps the last good version, and is not sent again', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  const { events, have, judge } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  judge.refuse = (names) => (names.includes('bad') ? 'cluster bad: connect_timeout is negative' : undefined);
  events.length = 0;
  server.publish(resources('2', { ...{ clusters: [cluster('bad')] }, listeners: [listener('l')] }));
  await eventually(() => server.log.some((line) => line.startsWith('nack')), 'a NACK');
  assert.ok(server.log.includes('nack Cluster 2 cluster bad: connect_timeout is negative'));
  assert.deepEqual(server.connections[0]!.status(CLUSTER), {
    kind: 'ERROR',
    version: '2',
    message: 'cluster bad: connect_timeout is negative',
  });
  assert.deepEqual(have.clusters, ['a', 'b']);
  server.publish(world('3', 'three'));
  await eventually(() => server.log.includes('applied 3'), 'version 3 applied');
  assert.equal(events.filter((event) => event.includes('bad')).length, 1);
  assert.deepEqual(server.connections[0]!.status(CLUSTER), { kind: 'SYNCED', version: '3' });
});

test('a response that cannot be decoded, or whose handler throws, is refused and the stream goes on', async (t) => {
  const server = await startServer(t);
  server.publish(resources('1', { clusters: [['x', { name: 'x', body: new Uint8Array([0xff, 0xff, 0xff]) }]] }));
  const { judge, have } = startClient(t, server.target);
  await eventually(() => server.log.some((line) => line.startsWith('nack Cluster 1')), 'a NACK for the bytes');
  judge.refuse = () => {
    throw new Error('the handler broke');
  };
  server.publish(world('2'));
  await eventually(() => server.log.includes('nack Cluster 2 the handler broke'), 'a NACK for the throw');
  judge.refuse = () => undefined;
  server.publish(resources('3', { clusters: [cluster('a')] }));
  await eventually(() => have.clusters.length === 1, 'the next version');
  assert.equal(server.connections.length, 1);
});

test('an ACK that is put off holds back the routes until the clusters are warm', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  const { events, judge } = startClient(t, server.target);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  let warm: () => void = () => assert.fail('no cluster update came');
  judge.refuse = () =>
    new Promise<undefined>((resolve) => {
      warm = () => resolve(undefined);
    });
  events.length = 0;
  server.publish(
    resources('2', {
      clusters: [cluster('a'), cluster('b'), cluster('new')],
      endpoints: [endpoints('a'), endpoints('b'), endpoints('new')],
      listeners: [listener('l')],
      routes: [routes('routes-l', 'new')],
    }),
  );
  await eventually(() => events.includes('eds new'), 'endpoints of the new cluster');
  assert.deepEqual(events, ['cds a,b,new', 'eds new']);
  assert.equal(server.connections[0]!.status(CLUSTER).kind, 'STALE');
  warm();
  await eventually(() => server.log.includes('applied 2'), 'version 2 applied');
  assert.deepEqual(events, ['cds a,b,new', 'eds new', 'rds routes-l']);
});

test('a response that is never answered is told, and holds others up only so long', async (t) => {
  const server = await startServer(t, { ackWaitMs: 20 });
  server.publish(world('1'));
  const { events, judge } = startClient(t, server.target);
  judge.refuse = () => new Promise<undefined>(() => undefined);
  await eventually(() => events.includes('rds routes-l'), 'routes, though the clusters were never accepted');
  assert.ok(server.log.includes('slow Cluster'));
  assert.equal(server.connections[0]!.status(CLUSTER).kind, 'STALE');
});

test('the client reconnects after its server has gone, says what it has, and gets what it missed', async (t) => {
  const first = await startServer(t);
  first.publish(world('1'));
  const { states, have } = startClient(t, first.target);
  await eventually(() => first.log.includes('applied 1'), 'version 1 applied');
  first.server.stop();
  await eventually(() => states.some((state) => state.kind === 'disconnected'), 'the loss is noticed');
  assert.equal(have.routes.get('routes-l'), 'one', 'it goes on with what it has');
  const second = await startServer(t, { port: first.port });
  second.publish(world('2', 'two'));
  await eventually(() => second.log.includes('applied 2'), 'version 2 applied after reconnecting');
  assert.equal(have.routes.get('routes-l'), 'two');
  assert.deepEqual(second.connections[0]!.subscribed(ENDPOINTS), ['a', 'b']);
});

test('streams cut in the middle of a message are resumed', async (t) => {
  const server = await startServer(t);
  server.publish(world('1'));
  // A relay that lets through fewer bytes than the answers take, twice, and then all.
  const allowances = [200, 350];
  const sockets = new Set<Socket>();
  const relay = createServer((downstream) => {
    const upstream = new (downstream.constructor as typeof Socket)().connect(server.port, '127.0.0.1');
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => (socket === upstream ? downstream : upstream).destroy());
    }
    downstream.pipe(upstream);
    let left = allowances.shift() ?? Number.POSITIVE_INFINITY;
    upstream.on('data', (chunk: Buffer) => {
      downstream.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) upstream.destroy();
    });
  });
  t.after(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  const port = await new Promise<number>((resolve) => {
    relay.listen(0, '127.0.0.1', () => resolve((relay.address() as { port: number }).port));
  });
  const { have, states } = startClient(t, `127.0.0.1:${port}`);
  await eventually(() => server.log.includes('applied 1'), 'version 1 applied');
  assert.equal(have.routes.get('routes-l'), 'one');
  assert.equal(states.filter((state) => state.kind === 'disconnected').length, 2);
});

test('the wait before a new attempt grows, stays bounded, and is drawn', async (t) => {
  const closed = createServer();
  const port = await new Promise<number>((resolve) => {
    closed.listen(0, '127.0.0.1', () => resolve((closed.address() as { port: number }).port));
  });
  await new Promise((resolve) => closed.close(resolve));
  const { states } = startClient(t, `127.0.0.1:${port}`, { backoff: { baseMs: 2, maxMs: 16 }, random: () => 1 });
  await eventually(() => states.length >= 5, 'five failed attempts');
  const waits = states.slice(0, 5).map((state) => (state.kind === 'disconnected' ? state.retryInMs : -1));
  assert.deepEqual(waits, [2, 4, 8, 16, 16]);
  assert.match((states[0] as { reason: string }).reason, /ECONNREFUSED/);
});

test('a target that is not host:port is refused with an example', () => {
  assert.throws(() => new AdsClient({ target: 'istiod', node: { id: 'x' } }), /"istiod" is not host:port, such as/);
  assert.throws(() => new AdsClient({ target: 'istiod:99999', node: { id: 'x' } }), /is not host:port/);
});

test('a server that speaks no gRPC, or too large a message, is given up with a reason', async (t) => {
  const server = await startServer(t);
  server.publish(resources('1', { clusters: [cluster('x'.repeat(4000))] }));
  const { states } = startClient(t, server.target, { maxMessageBytes: 1000 });
  await eventually(() => states.some((state) => state.kind === 'disconnected'), 'the stream is given up');
  const lost = states.find((state) => state.kind === 'disconnected');
  assert.match(lost!.reason, /gRPC message of \d+ bytes is over the limit of 1000/);
});

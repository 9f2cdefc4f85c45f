// A proxy under a control plane: what it takes over, what it refuses, and that traffic does not notice either.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { eventually, freePort, get, httpBackend } from './support/backends.ts';
import { ControlPlane } from './support/control-plane.ts';
import { startProxy } from './support/proxy.ts';
import {
  chain,
  edsCluster,
  endpoints,
  http,
  listener,
  routesTo,
  staticCluster,
  tcpProxy,
} from './support/resources.ts';

test('clusters, endpoints, listeners and routes come over ADS and carry traffic', async (t) => {
  const backend = await httpBackend(t, 'one');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  assert.equal(proxy.instance.state, 'PRE_INITIALIZING');
  await plane.apply({
    clusters: [edsCluster('c')],
    endpoints: [endpoints('c', [backend.port])],
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', 'c')],
  });
  assert.equal(proxy.instance.state, 'LIVE');
  assert.deepEqual(await get(proxy.port('in'), '/x', { host: 'a.com' }), { status: 200, body: 'one GET /x a.com' });
});

test('a change of routes, endpoints or clusters loses no request of a steady keep-alive load', async (t) => {
  const one = await httpBackend(t, 'one');
  const two = await httpBackend(t, 'two');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const state = (clusters: Record<string, number>, target: string, more = {}) => ({
    clusters: Object.keys(clusters).map((name) => edsCluster(name, more)),
    endpoints: Object.entries(clusters).map(([name, port]) => endpoints(name, [port])),
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', target)],
  });
  await plane.apply(state({ a: one.port }, 'a'));
  const port = proxy.port('in');
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  const seen = new Map<string, number>();
  let stop = false;
  const client = async (): Promise<void> => {
    while (!stop) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const outgoing = request({ host: '127.0.0.1', port, agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(String(response.statusCode)));
      });
      outgoing.on('error', reject);
      outgoing.end();
      const outcome = await promise.catch((error: Error) => error.message);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
  };
  const clients = [client(), client(), client(), client()];
  for (let round = 0; round < 3; round++) {
    await plane.apply(state({ a: one.port, b: two.port }, 'b'));
    await plane.apply(state({ b: two.port }, 'b'));
    await plane.apply(state({ b: one.port }, 'b', { connect_timeout: '2s' }));
    await plane.apply(state({ a: one.port }, 'a'));
  }
  stop = true;
  await Promise.all(clients);
  assert.deepEqual([...seen.keys()], ['200'], JSON.stringify([...seen]));
  assert.ok(seen.get('200')! > 20);
});

test('what is wrong is refused as a whole, with every mistake named, and the last good configuration goes on', async (t) => {
  const backend = await httpBackend(t, 'one');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const good = {
    clusters: [edsCluster('c')],
    endpoints: [endpoints('c', [backend.port])],
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', 'c')],
  };
  await plane.apply(good);
  const port = proxy.port('in');

  const clusters = await plane.refused({
    ...good,
    clusters: [
      edsCluster('c'),
      edsCluster('bad', { lb_policy: 'RING_HASH', connect_timeout: '0s' }),
      staticCluster('new', [1]),
    ],
  });
  assert.match(clusters, /clusters\[bad\]: lb_policy RING_HASH is not supported/);
  assert.match(clusters, /clusters\[bad\]: connect_timeout must be more than zero/);
  assert.equal(proxy.instance.clusters.get('new'), undefined);

  const routes = await plane.refused({
    ...good,
    routes: [
      {
        name: 'r',
        virtual_hosts: [
          { name: 'v', domains: ['*'], routes: [{ match: { safe_regex: { regex: '(' } }, route: { cluster: 'c' } }] },
        ],
      },
    ],
  });
  assert.match(
    routes,
    /route_configs\[r\]: virtual_hosts\[v\]\.routes\[0\]\.match\.safe_regex: "\(" is not a valid RE2 pattern/,
  );

  const listeners = await plane.refused({ ...good, listeners: [...good.listeners, listener('bad', [])] });
  assert.match(listeners, /listeners\[bad\]: there is no filter chain/);

  const assignment = await plane.refused({
    ...good,
    endpoints: [
      {
        cluster_name: 'c',
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { socket_address: { address: 'name', port_value: 1 } } } }] },
        ],
      },
    ],
  });
  assert.match(assignment, /endpoints\[c\]\.endpoints\[0\].*malformed IP address: name/);

  assert.equal((await get(port)).status, 200);
  assert.equal(proxy.port('in'), port);
  await plane.apply(good);
  assert.equal((await get(port)).status, 200);
});

test('an address that is taken is refused by name and the other listeners go on', async (t) => {
  const backend = await httpBackend(t, 'one');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const good = {
    clusters: [edsCluster('c')],
    endpoints: [endpoints('c', [backend.port])],
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', 'c')],
  };
  await plane.apply(good);
  const taken = listener('taken', [chain(http('r'))], {
    address: { socket_address: { address: '127.0.0.1', port_value: backend.port } },
  });
  const words = await plane.refused({ ...good, listeners: [...good.listeners, taken] });
  assert.match(
    words,
    new RegExp(`listener taken: cannot bind '127\\.0\\.0\\.1:${backend.port}': Address already in use`),
  );
  assert.equal((await get(proxy.port('in'))).status, 200);
});

test('hosts that stay keep their connections over changes of endpoints and cluster', async (t) => {
  const backend = await httpBackend(t, 'one');
  const other = await httpBackend(t, 'two');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const state = (ports: readonly number[], more = {}) => ({
    clusters: [edsCluster('c', more)],
    endpoints: [endpoints('c', ports)],
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', 'c')],
  });
  await plane.apply(state([backend.port]));
  await get(proxy.port('in'));
  const host = proxy.instance.clusters.get('c')!.hosts[0]!.host;
  await plane.apply(state([backend.port, other.port]));
  await plane.apply(state([backend.port]));
  await plane.apply(state([backend.port], { lb_policy: 'LEAST_REQUEST' }));
  await get(proxy.port('in'));
  assert.equal(proxy.instance.clusters.get('c')!.hosts[0]!.host, host);
  assert.equal(backend.connections(), 1);
  await plane.apply(state([other.port]));
  assert.ok(host.removed);
});

test('a listener that goes stops accepting; one that is unchanged keeps its connections', async (t) => {
  const backend = await httpBackend(t, 'one');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const state = (listeners: readonly string[]) => ({
    clusters: [edsCluster('c')],
    endpoints: [endpoints('c', [backend.port])],
    listeners: listeners.map((name) => listener(name, [chain(http('r'))])),
    routes: [routesTo('r', 'c')],
  });
  await plane.apply(state(['stays', 'goes']));
  const [stays, goes] = [proxy.port('stays'), proxy.port('goes')];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const localPort = async (port: number): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const outgoing = request({ host: '127.0.0.1', port, agent }, (response) => {
      const used = response.socket.localPort ?? 0;
      response.resume();
      response.on('end', () => resolve(used));
    });
    outgoing.on('error', reject);
    outgoing.end();
    return promise;
  };
  const first = await localPort(stays);
  await get(goes);
  await plane.apply(state(['stays']));
  assert.equal(await localPort(stays), first);
  await assert.rejects(get(goes), /ECONNREFUSED/);
});

test('the proxy serves on while the control plane is away, and follows it when it is back', async (t) => {
  const one = await httpBackend(t, 'one');
  const two = await httpBackend(t, 'two');
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const state = (port: number) => ({
    clusters: [edsCluster('c')],
    endpoints: [endpoints('c', [port])],
    listeners: [listener('in', [chain(http('r'))])],
    routes: [routesTo('r', 'c')],
  });
  await plane.apply(state(one.port));
  const port = proxy.port('in');
  plane.stop();
  await eventually(() => proxy.instance.stats.controlPlaneConnected === 0, 'the stream is down');
  assert.match((await get(port)).body, /^one/);
  const again = await ControlPlane.start(t, plane.port);
  again.publish(state(two.port));
  await eventually(async () => (await get(port)).body.startsWith('two'), 'the new endpoints', 10_000);
});

test('a proxy whose control plane is not there yet serves what is static and asks again', async (t) => {
  const backend = await httpBackend(t, 'one');
  const managementPort = await freePort();
  const proxy = await startProxy(
    t,
    {
      clusters: [staticCluster('s', [backend.port])],
      listeners: [listener('static', [chain(http(routesTo('r', 's')))])],
    },
    { managementPort },
  );
  assert.equal((await get(proxy.port('static'))).status, 200);
  assert.equal(proxy.instance.state, 'PRE_INITIALIZING');
  const plane = await ControlPlane.start(t, managementPort);
  plane.publish({ clusters: [], listeners: [listener('in', [chain(tcpProxy('s'))])] });
  await eventually(() => proxy.instance.state === 'LIVE', 'the first configuration', 10_000);
  assert.equal((await get(proxy.port('in'))).status, 200);
});

test('a route to a cluster that is not there is answered 503 NC, one to a cluster without hosts 503 UH', async (t) => {
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(t, {}, { managementPort: plane.port });
  const access_log = [
    {
      name: 'l',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
        path: '/log',
        log_format: { text_format_source: { inline_string: '%RESPONSE_CODE% %RESPONSE_FLAGS%\n' } },
      },
    },
  ];
  await plane.apply({
    clusters: [edsCluster('empty')],
    endpoints: [endpoints('empty', [])],
    listeners: [listener('in', [chain(http('r', { access_log }))])],
    routes: [
      {
        name: 'r',
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [
              { match: { path: '/nc' }, route: { cluster: 'nowhere' } },
              { match: { path: '/uh' }, route: { cluster: 'empty' } },
            ],
          },
        ],
      },
    ],
  });
  const port = proxy.port('in');
  assert.deepEqual(await get(port, '/nc'), { status: 503, body: '' });
  assert.deepEqual(await get(port, '/uh'), { status: 503, body: 'no healthy upstream' });
  assert.equal((await get(port, '/nr')).status, 404);
  await eventually(() => proxy.accessLog('/log').length === 3, 'three log lines');
  assert.deepEqual(proxy.accessLog('/log'), ['503 NC\n', '503 UH\n', '404 NR\n']);
});

test('two proxies in one process share nothing', async (t) => {
  const one = await httpBackend(t, 'one');
  const two = await httpBackend(t, 'two');
  const proxies = await Promise.all(
    [one, two].map((backend) =>
      startProxy(t, {
        clusters: [staticCluster('c', [backend.port])],
        listeners: [listener('in', [chain(http(routesTo('r', 'c')))])],
      }),
    ),
  );
  assert.match((await get(proxies[0]!.port('in'))).body, /^one/);
  assert.match((await get(proxies[1]!.port('in'))).body, /^two/);
  proxies[0]!.instance.stop();
  assert.match((await get(proxies[1]!.port('in'))).body, /^two/);
  assert.equal(proxies[0]!.instance.stats.cluster('c').upstreamRqTotal, 1);
  assert.equal(proxies[1]!.instance.stats.cluster('c').upstreamRqTotal, 2);
});

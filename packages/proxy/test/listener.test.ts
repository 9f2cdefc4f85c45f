// Listeners: redirected connections, hand-off, limits, swaps and the end.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { JsonObject } from '@bufbuild/protobuf';
import { eventually, exchange, freePort, get, httpBackend, tcpBackend } from './support/backends.ts';
import { ControlPlane } from './support/control-plane.ts';
import { startProxy } from './support/proxy.ts';
import {
  address,
  chain,
  HTTP_INSPECTOR,
  http,
  listener,
  routesTo,
  staticCluster,
  TLS_INSPECTOR,
  tcpProxy,
} from './support/resources.ts';

const SETUP = `ip link set lo up && ip addr add 10.9.0.1/32 dev lo && nft -f - <<'END'
table ip varka {
  chain output {
    type nat hook output priority -100;
    meta mark 1337 accept
    ip daddr 10.9.0.1 tcp dport { 80, 81, 82 } redirect to :15001
  }
}
END
`;

/** Why redirection can't be tried here, or false. */
function noNamespaces(): string | false {
  try {
    execFileSync('unshare', ['-rn', 'sh', '-ec', SETUP], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no network namespace with ip and nft here: ${(error as Error).message.split('\n')[0]}`;
  }
}

test('redirected connections reach the listener of their original destination', { skip: noNamespaces() }, async () => {
  const world = new URL('./support/redirected-world.ts', import.meta.url).pathname;
  const script = `${SETUP}exec "$0" "$1"`;
  const { stdout } = await promisify(execFile)('unshare', ['-rn', 'sh', '-ec', script, process.execPath, world], {
    timeout: 20_000,
  });
  assert.deepEqual(JSON.parse(stdout), {
    http: 'web /p proxy',
    exact: 'exact',
    fallThrough: 'fall through',
    direct: '',
    // The direct connection to the proxy's own port came as far as the passthrough, which saw where it would lead.
    tcp: { 'fall-through': 2, exact: 1, wildcard: 0 },
    noneHealthy: 1,
  });
});

async function open(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('a listener takes no more connections than it may', async (t) => {
  const backend = await tcpBackend(t, (socket) => {
    socket.on('end', () => socket.end());
    socket.write('hello');
    socket.resume();
  });
  const proxy = await startProxy(
    t,
    { clusters: [staticCluster('c', [backend])], listeners: [listener('in', [chain(tcpProxy('c'))])] },
    { maxConnectionsPerListener: 2 },
  );
  const first = await open(t, proxy.port('in'));
  const second = await open(t, proxy.port('in'));
  await Promise.all([once(first, 'data'), once(second, 'data')]);
  const third = await open(t, proxy.port('in'));
  await once(third, 'close');
  assert.equal(proxy.instance.stats.listener('in').downstreamCxOverflow, 1);
  first.destroy();
  await eventually(() => proxy.instance.stats.listener('in').downstreamCxActive === 1, 'one has left');
  const fourth = await open(t, proxy.port('in'));
  assert.equal(String((await once(fourth, 'data'))[0]), 'hello');
});

test('one port serves HTTP and what is not HTTP', async (t) => {
  const web = await httpBackend(t, 'web');
  const echo = await tcpBackend(t, (socket) => socket.pipe(socket));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('web', [web.port]), staticCluster('echo', [echo])],
    listeners: [
      listener(
        'in',
        [
          chain(http(routesTo('r', 'web')), { filter_chain_match: { application_protocols: ['http/1.1', 'h2c'] } }),
          chain(tcpProxy('echo'), { filter_chain_match: { transport_protocol: 'tls' } }),
        ],
        { listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR], default_filter_chain: chain(tcpProxy('echo')) },
      ),
    ],
  });
  assert.match((await get(proxy.port('in'))).body, /^web GET/);
  assert.equal(await exchange(proxy.port('in'), '*1\r\n$4\r\nPING\r\n', { end: true }), '*1\r\n$4\r\nPING\r\n');
  assert.equal(await exchange(proxy.port('in'), 'lower case', { end: true }), 'lower case');
});

test('inspection can be switched off for a port', async (t) => {
  const greeter = await tcpBackend(t, (socket) => socket.end('hello'));
  const port = await freePort();
  const filter_disabled = { destination_port_range: { start: port, end: port + 1 } };
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [greeter])],
    listeners: [
      listener('in', [chain(tcpProxy('c'))], {
        address: address(port),
        listener_filters: [{ ...HTTP_INSPECTOR, filter_disabled }],
        listener_filters_timeout: '0s',
      }),
    ],
  });
  assert.equal(await exchange(proxy.port('in'), ''), 'hello');
});

test('without a chain that matches, the connection is closed and counted', async (t) => {
  const proxy = await startProxy(t, {
    listeners: [listener('in', [chain(tcpProxy('c'), { filter_chain_match: { destination_port: 1 } })])],
  });
  assert.equal(await exchange(proxy.port('in'), ''), '');
  assert.equal(proxy.instance.stats.listener('in').noFilterChainMatch, 1);
});

test('a changed filter chain ends its connections after the drain time, an unchanged one beside it does not', async (t) => {
  const hold = await tcpBackend(t, (socket) => socket.write('hello'));
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(
    t,
    { clusters: [staticCluster('c', [hold])] },
    { managementPort: plane.port, drainTimeMs: 50 },
  );
  const port = await freePort();
  const state = (statPrefix: string): { listeners: JsonObject[] } => ({
    listeners: [
      listener(
        'in',
        [
          chain(tcpProxy('c', { stat_prefix: 'kept' }), {
            name: 'kept',
            filter_chain_match: { application_protocols: ['http/1.1'] },
          }),
          chain(tcpProxy('c', { stat_prefix: statPrefix }), { name: 'changed' }),
        ],
        { address: address(port), listener_filters: [HTTP_INSPECTOR] },
      ),
    ],
  });
  await plane.apply(state('one'));
  const kept = await open(t, proxy.port('in'));
  kept.write('GET / HTTP/1.1\r\n');
  const changed = await open(t, proxy.port('in'));
  changed.write('raw');
  await Promise.all([once(kept, 'data'), once(changed, 'data')]);
  await plane.apply(state('two'));
  changed.resume();
  await once(changed, 'close');
  assert.ok(!kept.destroyed);
  assert.equal(proxy.instance.stats.tcpPrefix('kept').downstreamCxTotal, 1);
});

test('draining lets what is under way finish and takes nothing new', async (t) => {
  let release: () => void = () => undefined;
  const slow = await tcpBackend(t, (socket) => {
    socket.once('data', () => {
      release = () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone');
    });
  });
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [slow])],
    listeners: [listener('in', [chain(http(routesTo('r', 'c')))])],
  });
  const port = proxy.port('in');
  const idle = await open(t, port);
  const pending = get(port);
  await eventually(() => proxy.instance.stats.cluster('c').upstreamRqActive === 1, 'a request under way');
  const drained = proxy.instance.drain(5000);
  idle.resume();
  await once(idle, 'close');
  await assert.rejects(get(port), /ECONNREFUSED/);
  release();
  assert.deepEqual(await pending, { status: 200, body: 'done' });
  await drained;
});

test('draining ends by force what does not finish in time', async (t) => {
  const hold = await tcpBackend(t, (socket) => socket.write('hello'));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [hold])],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  const client = await open(t, proxy.port('in'));
  await once(client, 'data');
  await proxy.instance.drain(30);
  client.resume();
  if (!client.destroyed) await once(client, 'close');
});

test('listener resources are checked', async (t) => {
  const tls = { name: 'envoy.transport_sockets.tls' };
  const refused: readonly (readonly [JsonObject, RegExp])[] = [
    [
      { filter_chains: [chain(tcpProxy('c'), { transport_socket: tls })] },
      /transport_socket "envoy\.transport_sockets\.tls" is not supported/,
    ],
    [{ filter_chains: [chain(tcpProxy('c')), chain(tcpProxy('c'))] }, /have the same matching rules/],
    [
      { filter_chains: [chain(tcpProxy('c'), { filter_chain_match: { source_ports: [1] } })] },
      /source_ports is not supported/,
    ],
    [{ filter_chains: [{ filters: [tcpProxy('c'), tcpProxy('c')] }] }, /only one filter with a typed_config/],
    [
      {
        filter_chains: [
          chain(
            http(routesTo('r', 'c'), {
              http_filters: [
                {
                  name: 'x',
                  typed_config: {
                    '@type':
                      tcpProxy('c')['typed_config'] !== undefined
                        ? 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'
                        : '',
                  },
                },
              ],
            }),
          ),
        ],
      },
      /http_filters\[x\]: the filter .*TcpProxy is not supported/,
    ],
    [{ filter_chains: [chain(http(routesTo('r', 'c'), { http_filters: [] }))] }, /the router is missing/],
    [
      { filter_chains: [chain(http(routesTo('r', 'c'), { codec_type: 'HTTP2' }))] },
      /codec_type HTTP2 is not supported/,
    ],
    [{ address: { pipe: { path: '/x' } } }, /address: pipe is not supported/],
    [{ socket_options: [{ level: '1', name: '2', int_value: '1' }] }, /socket_options is not supported/],
  ];
  for (const [more, words] of refused)
    await assert.rejects(startProxy(t, { listeners: [listener('l', [chain(tcpProxy('c'))], more)] }), words);
  const two = [listener('a', [chain(tcpProxy('c'))]), listener('a', [chain(tcpProxy('d'))])];
  await assert.rejects(startProxy(t, { listeners: two }), /listener a: the name is there twice/);
});

test('a listener that goes takes along those who have said nothing yet', async (t) => {
  const backend = await tcpBackend(t, (socket) => socket.pipe(socket));
  const plane = await ControlPlane.start(t);
  const proxy = await startProxy(
    t,
    { clusters: [staticCluster('c', [backend])] },
    { managementPort: plane.port, drainTimeMs: 60_000 },
  );
  const more = {
    address: address(await freePort()),
    listener_filters: [HTTP_INSPECTOR],
    listener_filters_timeout: '0s',
  };
  const state = (statPrefix: string) => ({
    listeners: [listener('in', [chain(tcpProxy('c', { stat_prefix: statPrefix }))], more)],
  });
  await plane.apply(state('one'));
  const silent = await open(t, proxy.port('in'));
  const late = await open(t, proxy.port('in'));
  await eventually(() => proxy.instance.stats.listener('in').downstreamCxActive === 2, 'both are in');
  await plane.apply(state('two'));
  late.write('raw');
  assert.equal(String((await once(late, 'data'))[0]), 'raw');
  assert.equal(proxy.instance.stats.tcpPrefix('two').downstreamCxTotal, 1, 'served by the chain that is there now');
  const gone = once(silent, 'close');
  await plane.apply({ listeners: [] });
  await gone;
});

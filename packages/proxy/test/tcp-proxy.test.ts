// Bytes through a TCP proxy: both ways, held back, half closed, refused.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { eventually, exchange, freePort, tcpBackend } from './support/backends.ts';
import { startProxy } from './support/proxy.ts';
import { chain, HTTP_INSPECTOR, listener, staticCluster, tcpProxy } from './support/resources.ts';

const FORMAT =
  '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n';
const access_log = [
  {
    name: 'file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path: '/log',
      log_format: { text_format_source: { inline_string: FORMAT } },
    },
  },
];

test('bytes go both ways and are counted in the log', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.pipe(socket));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c', { access_log }))])],
  });
  assert.equal(await exchange(proxy.port('in'), 'hello', { end: true }), 'hello');
  await eventually(() => proxy.accessLog('/log').length === 1, 'a log line');
  assert.equal(proxy.accessLog('/log')[0], `- 5 5 c 127.0.0.1:${port} -\n`);
  assert.equal(proxy.instance.stats.cluster('c').upstreamCxActive, 0);
});

test('one direction may end long before the other', async (t) => {
  const port = await tcpBackend(t, (socket) => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => {
      text += part;
    });
    // Answers only once the client has said that it is done.
    socket.on('end', () => socket.end(`got ${text}`));
  });
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  assert.equal(await exchange(proxy.port('in'), 'abc', { end: true }), 'got abc');
});

test('a server may speak first', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.end('220 ready\r\n'));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  assert.equal(await exchange(proxy.port('in'), ''), '220 ready\r\n');
});

test('with inspection a server that speaks first is reached when the time is up', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.end('220 ready\r\n'));
  const more = { listener_filters: [HTTP_INSPECTOR], listener_filters_timeout: '0.05s' };
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [
      listener('goes-on', [chain(tcpProxy('c'))], { ...more, continue_on_listener_filters_timeout: true }),
      listener('gives-up', [chain(tcpProxy('c'))], more),
    ],
  });
  assert.equal(await exchange(proxy.port('goes-on'), ''), '220 ready\r\n');
  assert.equal(await exchange(proxy.port('gives-up'), ''), '');
  assert.equal(proxy.instance.stats.listener('gives-up').downstreamPreCxTimeout, 1);
});

test('bytes read for inspection, and an end that came with them, are not lost', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.pipe(socket));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c'))], { listener_filters: [HTTP_INSPECTOR] })],
  });
  assert.equal(await exchange(proxy.port('in'), 'GET / HTTP/1.1\r\n\r\n', { end: true }), 'GET / HTTP/1.1\r\n\r\n');
  assert.equal(await exchange(proxy.port('in'), 'GET', { end: true }), 'GET');
});

test('a reader that stands still holds the writer back', async (t) => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  const port = await tcpBackend(t, (socket) => {
    const block = Buffer.alloc(256 * 1024);
    const write = (): void => {
      while (written < total) {
        written += block.length;
        if (!socket.write(block)) return;
      }
      socket.end();
    };
    socket.on('drain', write);
    write();
  });
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  const client = connect({ port: proxy.port('in'), host: '127.0.0.1' });
  t.after(() => client.destroy());
  client.pause();
  await once(client, 'connect');
  let before = -1;
  await eventually(async () => {
    const still = written === before && written > 0;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return still;
  }, 'the writer stands still');
  assert.ok(written < total / 2, `${written} bytes were taken although nobody reads`);
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  client.resume();
  await once(client, 'end');
  assert.equal(received, total);
});

test("a connection that cannot be made closes the client's, with UF", async (t) => {
  const port = await freePort();
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c', { access_log }))])],
  });
  assert.equal(await exchange(proxy.port('in'), ''), '');
  await eventually(() => proxy.accessLog('/log').length === 1, 'a log line');
  assert.equal(proxy.accessLog('/log')[0], `UF 0 0 c 127.0.0.1:${port} delayed_connect_error:_Connection_refused\n`);
  assert.equal(proxy.instance.stats.cluster('c').upstreamCxConnectFail, 1);
});

test('no host is UH, no cluster is NC', async (t) => {
  const proxy = await startProxy(t, {
    clusters: [staticCluster('empty', [])],
    listeners: [
      listener('uh', [chain(tcpProxy('empty', { access_log }))]),
      listener('nc', [chain(tcpProxy('nowhere', { access_log }))]),
    ],
  });
  assert.equal(await exchange(proxy.port('uh'), ''), '');
  assert.equal(await exchange(proxy.port('nc'), ''), '');
  await eventually(() => proxy.accessLog('/log').length === 2, 'two log lines');
  assert.deepEqual(proxy.accessLog('/log'), ['UH 0 0 empty - -\n', 'NC 0 0 nowhere - -\n']);
});

test('an upstream that breaks off breaks the client off', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port])],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  const client = connect({ port: proxy.port('in'), host: '127.0.0.1' });
  client.on('error', () => client.destroy());
  client.write('x');
  await once(client, 'close');
  await eventually(() => proxy.instance.stats.cluster('c').upstreamCxActive === 0, 'nothing left');
});

test('weighted clusters share by the draw, and the idle close', async (t) => {
  const a = await tcpBackend(t, (socket) => socket.write('a'));
  const b = await tcpBackend(t, (socket) => socket.write('b'));
  const weighted = {
    name: 'tcp',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      stat_prefix: 'w',
      idle_timeout: '0.1s',
      weighted_clusters: {
        clusters: [
          { name: 'a', weight: 1 },
          { name: 'b', weight: 3 },
        ],
      },
    },
  };
  const draws = [0.2, 0.3];
  const proxy = await startProxy(
    t,
    { clusters: [staticCluster('a', [a]), staticCluster('b', [b])], listeners: [listener('in', [chain(weighted)])] },
    { draw: () => draws.shift() ?? 0 },
  );
  draws.splice(0, draws.length, 0.2, 0.3);
  // The first draw of each connection is the cluster; round robin drew its starts when the clusters were made.
  assert.equal(await exchange(proxy.port('in'), ''), 'a');
  assert.equal(await exchange(proxy.port('in'), ''), 'b');
  assert.equal(proxy.instance.stats.tcpPrefix('w').idleTimeout, 2);
});

test('a host that refuses connections is left out, as its outlier detection says', async (t) => {
  const port = await tcpBackend(t, (socket) => socket.end('here'));
  const outlier_detection = { consecutive_5xx: 2, max_ejection_percent: 100 };
  const proxy = await startProxy(t, {
    clusters: [staticCluster('c', [port, await freePort()], { outlier_detection })],
    listeners: [listener('in', [chain(tcpProxy('c'))])],
  });
  const answers: string[] = [];
  for (let i = 0; i < 8; i++) answers.push(await exchange(proxy.port('in'), ''));
  assert.equal(answers.filter((answer) => answer !== 'here').length, 2, answers.join());
  assert.equal(proxy.instance.stats.cluster('c').outlierEjectionsActive, 1);
});

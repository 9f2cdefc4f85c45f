// Opening connections to upstreams: exactly one outcome, with Envoy's words, and the mark where one is asked for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import koffi from 'koffi';
import { type ConnectFailure, type ConnectOptions, connectUpstream } from '../src/upstream/socket.ts';
import { closedPort, Upstream } from './http-harness.ts';

function outcome(options: Partial<ConnectOptions> & { port: number }): Promise<net.Socket | ConnectFailure> {
  return new Promise((resolve, reject) => {
    let calls = 0;
    let returned = false;
    const settle = (result: net.Socket | ConnectFailure) => {
      if (!returned) reject(new Error('called back before connectUpstream returned'));
      if (++calls > 1) reject(new Error('called back twice'));
      setImmediate(() => resolve(result));
    };
    connectUpstream(
      { host: '127.0.0.1', localAddress: undefined, mark: 0, timeoutMs: 2000, ...options },
      { onConnect: settle, onConnectFailed: settle },
    );
    returned = true;
  });
}

test('a connection that is taken', async (t) => {
  const upstream = await Upstream.listen(t);
  const socket = await outcome({ port: upstream.port, localAddress: '127.0.0.6' });
  assert.ok(socket instanceof net.Socket);
  const wire = await upstream.connection(0);
  assert.equal(wire.socket.remoteAddress, '127.0.0.6');
  socket.destroy();
});

test('a connection that is refused', async () => {
  assert.deepEqual(await outcome({ port: await closedPort() }), {
    kind: 'refused',
    reason: 'remote connection failure',
    transport: 'delayed connect error: Connection refused',
  });
});

test('a local address that is not ours', async (t) => {
  const upstream = await Upstream.listen(t);
  assert.deepEqual(await outcome({ port: upstream.port, localAddress: '192.0.2.1' }), {
    kind: 'refused',
    reason: 'local connection failure',
    transport: 'immediate connect error: Cannot assign requested address',
  });
});

/** A port whose queue of connections is full and never emptied: the kernel leaves a further SYN unanswered. */
async function deafPort(t: TestContext): Promise<number> {
  const libc = koffi.load(null);
  const fd: number = libc.func('int socket(int, int, int)')(2, 1, 0);
  t.after(() => libc.func('int close(int)')(fd));
  const port = await closedPort();
  const address = Buffer.from([2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(libc.func('int bind(int, const void *, uint32_t)')(fd, address, address.length), 0);
  assert.equal(libc.func('int listen(int, int)')(fd, 0), 0);
  const filler = net.connect(port, '127.0.0.1');
  t.after(() => filler.destroy());
  await once(filler, 'connect');
  return port;
}

test('nobody answers in time', async (t) => {
  const result = await outcome({ port: await deafPort(t), timeoutMs: 50 });
  assert.deepEqual(result, { kind: 'timeout', reason: 'connection timeout', transport: '' });
});

test('a cancelled attempt says nothing more', async (t) => {
  const upstream = await Upstream.listen(t);
  const pending = connectUpstream(
    { host: '127.0.0.1', port: upstream.port, localAddress: undefined, mark: 0, timeoutMs: 0 },
    { onConnect: () => assert.fail('connected'), onConnectFailed: () => assert.fail('failed') },
  );
  pending.cancel();
  const probe = net.connect(upstream.port, '127.0.0.1');
  await once(probe, 'connect');
  probe.destroy();
});

test('a marked socket carries its mark and connects like any other', async (t) => {
  const upstream = await Upstream.listen(t);
  const socket = await outcome({ port: upstream.port, mark: 1337, localAddress: '127.0.0.6' });
  if (!(socket instanceof net.Socket)) {
    assert.match(socket.transport, /immediate connect error: SO_MARK 1337 was refused/);
    return t.skip(`no CAP_NET_ADMIN here: ${socket.transport}`);
  }
  const getsockopt = koffi.load(null).func('int getsockopt(int, int, int, _Out_ int *value, _Inout_ uint32_t *length)');
  const value = [0];
  const handle = (socket as unknown as { _handle: { fd: number } })._handle;
  assert.equal(getsockopt(handle.fd, 1, 36, value, [4]), 0);
  assert.equal(value[0], 1337);
  const wire = await upstream.connection(0);
  assert.equal(wire.socket.remoteAddress, '127.0.0.6');
  socket.write('through');
  await wire.take('through');
  wire.write('back');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'back');
  socket.destroy();
});

// The pipe from a published port to a service's pods.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { type EndpointAddress, Publisher } from '../src/supervisor/publisher.ts';
import { ServiceEndpoints } from '../src/supervisor/service-endpoints.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
type Cleanup = { after(hook: () => unknown): void };

async function listening(
  t: Cleanup,
  onSocket: (socket: Socket) => void,
): Promise<{ server: Server; address: EndpointAddress }> {
  const server = createServer({ allowHalfOpen: true }, onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  return { server, address: { host: '127.0.0.1', port: bound.port } };
}

async function published(t: Cleanup, endpoints: readonly EndpointAddress[], sticky = false): Promise<EndpointAddress> {
  const { server, address } = await listening(t, () => undefined);
  const publisher = new Publisher({
    server,
    name: 'default/web',
    endpoints: () => endpoints,
    sticky: () => sticky,
    log: silent,
  });
  t.after(() => publisher.close());
  return address;
}

async function exchange(address: EndpointAddress, text: string): Promise<string> {
  const socket = connect({ ...address, allowHalfOpen: true });
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

const echo = (name: string) => async (socket: Socket) => {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  socket.end(`${name}:${text}`); // only after the client's end: half-close has to work
};

test('connections go to the ready pods in turn, and an end one way leaves the other open', async (t) => {
  const pods = [await listening(t, echo('one')), await listening(t, echo('two'))];
  const address = await published(
    t,
    pods.map((pod) => pod.address),
  );
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await exchange(address, 'hi'));
  assert.deepEqual(answers, ['one:hi', 'two:hi', 'one:hi', 'two:hi']);
});

test('with session affinity they all go to one pod', async (t) => {
  const pods = [await listening(t, echo('one')), await listening(t, echo('two'))];
  const address = await published(
    t,
    pods.map((pod) => pod.address),
    true,
  );
  assert.deepEqual([await exchange(address, 'a'), await exchange(address, 'b')], ['one:a', 'one:b']);
});

test('a pod that refuses is passed over', async (t) => {
  const gone = await listening(t, () => undefined);
  gone.server.close();
  await once(gone.server, 'close');
  const pod = await listening(t, echo('up'));
  const address = await published(t, [gone.address, pod.address]);
  assert.deepEqual([await exchange(address, 'a'), await exchange(address, 'b')], ['up:a', 'up:b']);
});

test('without a ready pod the connection is closed', async (t) => {
  const address = await published(t, []);
  const socket = connect(address);
  const [hadError] = await once(socket, 'close');
  assert.equal(hadError, false);
});

test('a client that does not read holds the pod back', async (t) => {
  const total = 32 << 20;
  let sent = 0;
  const pod = await listening(t, (socket) => {
    const chunk = Buffer.alloc(64 << 10);
    const fill = () => {
      while (sent < total && socket.write(chunk)) sent += chunk.length;
      if (sent >= total) socket.end();
    };
    socket.on('drain', () => {
      sent += chunk.length;
      fill();
    });
    fill();
  });
  const address = await published(t, [pod.address]);
  const socket = connect(address);
  await once(socket, 'connect');
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(sent < total / 2, `the pod could send ${sent} bytes to a client that reads nothing`);
  let received = 0;
  for await (const chunk of socket) received += (chunk as Buffer).length;
  assert.ok(received >= total);
});

test('a reset is passed on as a reset', async (t) => {
  const pod = await listening(t, (socket) => {
    socket.on('data', () => socket.resetAndDestroy());
  });
  const address = await published(t, [pod.address]);
  const socket = connect(address);
  socket.write('x');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
});

test('a client that gives up is let go on the other side too', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const pod = await listening(t, (socket) => {
    socket.on('error', () => undefined);
    resolve(socket);
  });
  const socket = connect(await published(t, [pod.address]));
  socket.write('x');
  const upstream = await promise;
  const closed = new Promise((done) => upstream.once('close', done)); // `once` would take the reset for a failure
  upstream.resume();
  socket.resetAndDestroy();
  await closed;
});

test('only ready endpoints of the named port count, and a change is seen', () => {
  const slice = (ready: boolean) => ({
    addressType: 'IPv4',
    metadata: { labels: { 'kubernetes.io/service-name': 'gw' } },
    endpoints: [
      { addresses: ['10.0.0.1'], conditions: { ready: true } },
      { addresses: ['10.0.0.2'], conditions: { ready } },
    ],
    ports: [
      { name: 'http2', port: 8080 },
      { name: 'https', port: 8443 },
    ],
  });
  let items = [slice(false)];
  let change: () => void = () => undefined;
  const endpoints = new ServiceEndpoints({
    list: () => items,
    onEvent: (handler) => {
      change = () => handler({ type: 'added', object: items[0]! });
      return () => undefined;
    },
  });
  assert.deepEqual(endpoints.ready('istio-system', 'gw', 'http2'), [{ host: '10.0.0.1', port: 8080 }]);
  items = [slice(true)];
  change();
  assert.deepEqual(
    endpoints.ready('istio-system', 'gw', 'https').map(({ host }) => host),
    ['10.0.0.1', '10.0.0.2'],
  );
  assert.deepEqual(endpoints.ready('istio-system', 'gw', 'other'), []);
});

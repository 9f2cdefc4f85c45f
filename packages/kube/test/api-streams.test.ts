// exec, attach and port-forward at the level of their protocols: what kubectl does not show, and what no kubectl does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { Status } from '../src/object.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';
import { eventually } from './support/eventually.ts';
import { type LocalPods, localPods } from './support/local-pods.ts';
import { SpdyClient } from './support/spdy-client.ts';

const PODS = '/api/v1/namespaces/default/pods';
const CAT = 'container=web&command=cat&stdin=true&stdout=true';

describe('streams of the API', () => {
  let api: ApiFixture;
  let pods: LocalPods;
  let echo: Server;

  before(async () => {
    pods = localPods();
    api = await startApi({ podBackend: pods });
    for (const [name, names] of [
      ['web', ['web']],
      ['pair', ['web', 'side']],
    ] as const) {
      const containers = names.map((container) => ({ name: container, image: 'x' }));
      await api.call('POST', PODS, { body: { metadata: { name }, spec: { containers } } });
    }
    echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
  });
  after(async () => {
    echo.close();
    await api.close();
  });

  const authorization = (): string => `Bearer ${api.credentials.token}`;
  const open = (path: string, protocol: string | undefined): WebSocket =>
    new WebSocket(`wss://127.0.0.1:${api.port}${PODS}/${path}`, protocol, {
      ca: api.credentials.ca,
      headers: { authorization: authorization() },
    });

  /** Messages by channel, and the status in the end. */
  function watch(socket: WebSocket) {
    const channels = new Map<number, Buffer>();
    let closedWith: number | undefined;
    socket.on('message', (message: Buffer) => {
      const channel = message[0] as number;
      channels.set(channel, Buffer.concat([channels.get(channel) ?? Buffer.alloc(0), message.subarray(1)]));
    });
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      closedWith = code;
    });
    return {
      text: (channel: number): string => String(channels.get(channel) ?? ''),
      seen: (channel: number): boolean => channels.has(channel),
      closed: () => eventually(() => closedWith, 'the socket has closed'),
      status: (): Status => JSON.parse(String(channels.get(3))) as Status,
    };
  }

  /** Asks to upgrade; the answer's code and body, or the connection. */
  function upgrade(path: string, headers: Readonly<Record<string, string>>) {
    return new Promise<{ code: number; body: string; socket?: Duplex; response: IncomingMessage }>(
      (resolve, reject) => {
        const sent = request({
          host: '127.0.0.1',
          port: api.port,
          ca: api.credentials.ca,
          method: 'POST',
          path: `${PODS}/${path}`,
          headers: { authorization: authorization(), connection: 'Upgrade', upgrade: 'SPDY/3.1', ...headers },
        });
        sent.on('upgrade', (response, socket) => resolve({ code: 101, body: '', socket, response }));
        sent.on('response', async (response) => {
          let body = '';
          for await (const chunk of response) body += chunk;
          resolve({ code: response.statusCode ?? 0, body, response });
        });
        sent.on('error', reject);
        sent.end();
      },
    );
  }

  test('WebSocket: version 5 ends the input by a message, and the exit code is in the last one', async () => {
    const socket = open(`web/exec?${CAT}`, 'v5.channel.k8s.io');
    const seen = watch(socket);
    await once(socket, 'open');
    assert.equal(socket.protocol, 'v5.channel.k8s.io');
    await eventually(() => seen.seen(1), 'an empty message says that all is ready');
    socket.send(Buffer.from('\0hello'));
    await eventually(() => seen.text(1) === 'hello', 'the command has answered');
    socket.send(Buffer.of(255, 0));
    assert.equal(await seen.closed(), 1000);
    assert.equal(seen.status().status, 'Success');
  });

  test('WebSocket: sizes reach the terminal, nonsense does not', async () => {
    const socket = open('web/exec?container=web&command=cat&stdin=true&stdout=true&tty=true', 'v4.channel.k8s.io');
    const seen = watch(socket);
    await once(socket, 'open');
    const before = pods.sizes.length;
    for (const text of [
      '{"Width":0,"Height":5}',
      'no json',
      '{"Width":1e9,"Height":1}',
      '[]',
      '{"Width":132,"Height":43}',
    ])
      socket.send(Buffer.from(`\u0004${text}`));
    await eventually(() => pods.sizes.length > before, 'a size arrives');
    assert.deepEqual(pods.sizes.slice(before), [{ columns: 132, rows: 43 }]);
    socket.close();
    await seen.closed();
    await eventually(() => pods.running.size === 0, 'the command has ended with its client');
  });

  test('WebSocket: a message beyond the limit ends the connection and the command', async () => {
    const socket = open(`web/exec?${CAT}`, 'v5.channel.k8s.io');
    const seen = watch(socket);
    await once(socket, 'open');
    socket.send(Buffer.alloc(2 * 1024 * 1024));
    assert.equal(await seen.closed(), 1009);
    await eventually(() => pods.running.size === 0, 'the command has ended');
  });

  test('a refusal comes before the upgrade, as a Status', async () => {
    for (const [path, headers, code, message] of [
      ['web/exec?command=true&stdout=true', {}, 403, /unable to negotiate protocol/],
      ['web/exec?stdout=true', {}, 400, /at least 1 word of command/],
      ['web/exec?command=true', {}, 400, /at least 1 of stdin, stdout, stderr/],
      [
        'pair/exec?command=true&stdout=true',
        {},
        400,
        /a container name must be specified for pod pair, choose one of: \[web side\]/,
      ],
      ['web/exec?command=true&stdout=true&container=x', {}, 400, /container x is not valid for pod web/],
      ['none/exec?command=true&stdout=true', {}, 404, /pods "none" not found/],
      ['none/portforward', {}, 404, /pods "none" not found/],
      ['web/portforward', {}, 403, /unable to negotiate protocol/],
      ['web/exec?command=true&stdout=true', { authorization: 'Bearer wrong' }, 401, /Unauthorized/],
      ['web/exec?command=true&stdout=true', { upgrade: 'websocket' }, 400, /no WebSocket sub-protocol in common/],
    ] as const) {
      const answer = await upgrade(path, headers);
      assert.equal(answer.code, code, `${path}: ${answer.body}`);
      assert.match((JSON.parse(answer.body) as Status).message ?? '', message, path);
    }
    const plain = await api.call('GET', `${PODS}/web/exec?command=true&stdout=true`);
    assert.equal(plain.code, 400);
    await eventually(() => pods.running.size === 0, 'nothing was left running');
  });

  test('SPDY: each stream by its header, others refused, and the exit code in the last one', async () => {
    const query = 'container=web&command=sh&command=-c&command=cat%3B+exit+3&stdin=true&stdout=true&stderr=true';
    const { socket, response } = await upgrade(`web/exec?${query}`, {
      'x-stream-protocol-version': 'v4.channel.k8s.io',
    });
    assert.equal(response.headers['x-stream-protocol-version'], 'v4.channel.k8s.io');
    assert.ok(socket !== undefined);
    const peer = new SpdyClient(socket);
    const error = await peer.open({ streamtype: 'error' });
    const stdin = await peer.open({ streamtype: 'stdin' });
    const again = await peer.open({ streamtype: 'stdin' });
    const unknown = await peer.open({ streamtype: 'resize' });
    for (const stream of [again, unknown])
      await peer.until((frame) => frame.type === 'rstStream' && frame.stream === stream, `stream ${stream} is refused`);
    const stdout = await peer.open({ streamtype: 'stdout' });
    await peer.open({ streamtype: 'stderr' });
    peer.data(stdin, 'hello', true);
    await peer.ended(error);
    assert.equal(String(peer.received(stdout)), 'hello');
    const status = JSON.parse(String(peer.received(error))) as Status;
    assert.deepEqual(
      [status.reason, status.details?.causes],
      ['NonZeroExitCode', [{ reason: 'ExitCode', message: '3' }]],
    );
  });

  test('SPDY: a client that breaks off takes its command with it', async () => {
    for (const breach of ['close', 'nonsense'] as const) {
      const { socket } = await upgrade(`web/exec?${CAT}`, { 'x-stream-protocol-version': 'v4.channel.k8s.io' });
      assert.ok(socket !== undefined);
      const peer = new SpdyClient(socket);
      for (const type of ['error', 'stdin', 'stdout']) await peer.open({ streamtype: type });
      await eventually(() => pods.running.size === 1, 'the command runs');
      if (breach === 'close') socket.destroy();
      else socket.write('this is no SPDY');
      await eventually(() => pods.running.size === 0, `the command has ended after ${breach}`);
    }
  });

  test('port-forward: pairs of streams, whichever comes first; what makes no pair is refused', async () => {
    const { socket } = await upgrade('web/portforward', { 'x-stream-protocol-version': 'portforward.k8s.io' });
    assert.ok(socket !== undefined);
    const peer = new SpdyClient(socket);
    const port = String((echo.address() as AddressInfo).port);
    const data = await peer.open({ streamtype: 'data', port, requestid: '0' });
    const error = await peer.open({ streamtype: 'error', port, requestid: '0' });
    peer.data(data, 'there and back', true);
    await peer.ended(data);
    await peer.ended(error);
    assert.deepEqual([String(peer.received(data)), String(peer.received(error))], ['there and back', '']);
    const waiting = await peer.open({ streamtype: 'error', port, requestid: '1' });
    for (const headers of [
      { streamtype: 'data', port: '0', requestid: '2' },
      { streamtype: 'data', port: '65536', requestid: '2' },
      { streamtype: 'data', port: 'http', requestid: '2' },
      { streamtype: 'other', port, requestid: '2' },
      { streamtype: 'data', port, nothing: '' },
      { streamtype: 'error', port, requestid: '1' },
      { streamtype: 'data', port: '1', requestid: '1' },
    ]) {
      const stream = await peer.open(headers);
      await peer.until((frame) => frame.type === 'rstStream' && frame.stream === stream, JSON.stringify(headers));
    }
    const late = await peer.open({ streamtype: 'data', port, requestid: '1' });
    peer.data(late, 'after all', true);
    await peer.ended(late);
    await peer.ended(waiting);
    assert.equal(String(peer.received(late)), 'after all');
    socket.destroy();
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { rewriteLocation } from '../src/server/proxy/proxy-headers.ts';
import { parseProxyId } from '../src/server/proxy/proxy-target.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';

/** A program as a pod would run it: tells what it was asked, redirects, streams, speaks WebSocket. */
async function startPod(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/away') return response.writeHead(302, { location: '/there/?a=b' }).end();
    if (path === '/switch') {
      response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
      return;
    }
    if (path === '/half') {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half');
      response.socket?.destroySoon();
      return;
    }
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.setHeader('keep-alive', 'timeout=5');
    response.writeHead(path === '/missing' ? 404 : 200, { 'content-type': 'application/json' });
    void bodyOf(request).then((body) => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, headers, length: body.length, start: body.toString('utf8', 0, 20) }));
    });
    return;
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/chat?room=1') {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nnope');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (peer) => peer.on('message', (data) => peer.send(`echo ${data}`)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('proxying through the API', () => {
  let api: ApiFixture;
  let pod: Server;
  let port: number;
  const base = '/api/v1/namespaces/shop';
  const create = async (path: string, body: unknown) => {
    const answer = await api.call('POST', path, { body });
    assert.equal(answer.code, 201, answer.text);
  };

  before(async () => {
    api = await startApi();
    pod = await startPod();
    port = (pod.address() as AddressInfo).port;
    await create('/api/v1/namespaces', { metadata: { name: 'shop' } });
    const containers = [{ name: 'web', image: 'web', ports: [{ name: 'http', containerPort: port }] }];
    await create(`${base}/pods`, { metadata: { name: 'web' }, spec: { containers } });
    await create(`${base}/pods`, { metadata: { name: 'new' }, spec: { containers } });
    await api.call('PATCH', `${base}/pods/web/status`, {
      body: { status: { podIP: '127.0.0.1' } },
      type: 'application/merge-patch+json',
    });
    const ports = [
      { name: 'http', port: 80, targetPort: 'http' },
      { name: 'admin', port: 81, targetPort: 1 },
    ];
    for (const name of ['web', 'idle']) await create(`${base}/services`, { metadata: { name }, spec: { ports } });
    await create('/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [
        { name: 'http', port },
        { name: 'admin', port: 1 },
      ],
      endpoints: [
        { addresses: ['127.0.0.1'], conditions: { ready: true } },
        { addresses: ['192.0.2.1'], conditions: { ready: false } },
      ],
    });
  });
  after(async () => {
    pod.closeAllConnections();
    pod.close();
    await api.close();
  });

  test('reaches services by port name and number, and pods by name, number and default', async () => {
    for (const place of [
      'services/web:http',
      'services/web:80',
      'services/http:web:http',
      'pods/web',
      'pods/web:http',
      `pods/web:${port}`,
    ]) {
      const answer = await api.call('GET', `${base}/${place}/proxy/a%2Fb/c?q=1&q=2%20`);
      assert.equal(answer.code, 200, `${place}: ${answer.text}`);
      assert.equal(answer.body['url'], '/a%2Fb/c?q=1&q=2%20', place);
    }
  });

  test('passes on methods, bodies and headers, but nothing of the connection and no credentials', async () => {
    const body = Buffer.alloc(5_000_000, 'x');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const headers = {
        ...{ connection: 'x-hop', 'x-hop': '1', 'x-end': '2', te: 'trailers', 'x-forwarded-for': '9.9.9.9' },
        ...{ 'impersonate-user': 'root', 'impersonate-group': 'system:masters', 'impersonate-extra-a': 'b' },
      };
      const answer = await api.call(method, `${base}/services/web:80/proxy/`, { body, type: 'text/plain', headers });
      const seen = answer.body['headers'] as Record<string, string>;
      assert.deepEqual([answer.body['method'], answer.body['length']], [method, body.length]);
      assert.deepEqual(
        [seen['x-end'], seen['x-hop'], seen['te'], seen['authorization'], seen['x-forwarded-for']],
        ['2', undefined, undefined, undefined, '9.9.9.9, 127.0.0.1'],
      );
      assert.ok(!Object.keys(seen).some((name) => name.startsWith('impersonate-')), answer.text);
      assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    }
    const missing = await api.call('GET', `${base}/pods/web/proxy/missing`);
    assert.equal(missing.code, 404);
    assert.equal(missing.body['url'], '/missing');
  });

  test('leads redirects back through itself, and adds the slash that relative links need', async () => {
    const away = await api.call('GET', `${base}/services/web:http/proxy/away`);
    assert.deepEqual([away.code, away.headers['location']], [302, `${base}/services/web:http/proxy/there/?a=b`]);
    const bare = await api.call('GET', `${base}/services/web:http/proxy?x=1`);
    assert.deepEqual([bare.code, bare.headers['location']], [301, `${base}/services/web:http/proxy/?x=1`]);
  });

  test('refuses in the words of Kubernetes', async () => {
    for (const [place, code, message] of [
      ['services/idle:http', 503, 'no endpoints available for service "idle"'],
      ['services/web', 503, 'no endpoints available for service "web"'],
      ['services/web:9', 503, 'no service port 9 found for service "web"'],
      ['services/web:admin', 503, 'error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused'],
      ['services/none:80', 404, 'services "none" not found'],
      ['services/ftp:web:80', 400, 'invalid service request "ftp:web:80"'],
      ['pods/none', 404, 'pods "none" not found'],
      ['pods/new', 400, 'pod new has no address yet'],
      ['pods/web:nothing', 400, 'pod web has no port "nothing"'],
    ] as const) {
      const answer = await api.call('POST', `${base}/${place}/proxy/`, {
        body: 'x'.repeat(100_000),
        type: 'text/plain',
      });
      assert.deepEqual([answer.code, answer.body.message], [code, message], place);
    }
    assert.equal((await api.call('GET', `${base}/services/%zz/proxy/`)).code, 400);
    const switched = await api.call('GET', `${base}/pods/web/proxy/switch`);
    assert.deepEqual([switched.code, switched.body.message], [503, 'error trying to reach service: no answer']);
    await assert.rejects(api.call('GET', `${base}/pods/web/proxy/half`), /aborted|hang up|ECONNRESET/);
  });

  test('carries WebSockets, and a refusal to speak them', async () => {
    const url = `wss://127.0.0.1:${api.port}${base}/services/web:http/proxy`;
    const options = { ca: api.credentials.ca, headers: { authorization: `Bearer ${api.credentials.token}` } };
    const socket = new WebSocket(`${url}/chat?room=1`, options);
    await once(socket, 'open');
    socket.send('hello');
    const [data] = await once(socket, 'message');
    assert.equal(String(data), 'echo hello');
    socket.close();
    await once(socket, 'close');
    for (const [address, code] of [
      [`${url}/other`, 403],
      [url.replace('web:http', 'idle:http'), 503],
    ] as const) {
      const refused = new WebSocket(address, options);
      const [, answer] = await once(refused, 'unexpected-response');
      assert.equal(answer.statusCode, code);
      answer.resume();
    }
    const anonymous = new WebSocket(`${url}/chat?room=1`, { ca: api.credentials.ca });
    const [, answer] = await once(anonymous, 'unexpected-response');
    assert.equal(answer.statusCode, 401);
    answer.resume();
  });
});

test('a proxied name is a name, with a scheme before it and a port behind it', () => {
  assert.deepEqual(parseProxyId('web'), { scheme: '', name: 'web', port: '' });
  assert.deepEqual(parseProxyId('web:http'), { scheme: '', name: 'web', port: 'http' });
  assert.deepEqual(parseProxyId('https:web:'), { scheme: 'https', name: 'web', port: '' });
  for (const wrong of ['', ':', 'a:b:c:d', 'ftp:a:b', 'https::1']) assert.equal(parseProxyId(wrong), undefined, wrong);
});

test('only redirects on the same server are led back', () => {
  const target = { scheme: 'http', host: '10.244.0.9', port: 8080 } as const;
  const rewritten = (location: string) => rewriteLocation(location, target, 'localhost:8001', '/p/proxy');
  assert.equal(rewritten('/a?b'), '/p/proxy/a?b');
  assert.equal(rewritten('/p/proxy/a'), '/p/proxy/a');
  assert.equal(rewritten('http://10.244.0.9:8080/a/'), '/p/proxy/a/');
  assert.equal(rewritten('http://localhost:8001/a'), '/p/proxy/a');
  assert.equal(rewritten('//localhost:8001'), '/p/proxy/');
  assert.equal(rewritten('a/b'), 'a/b');
  assert.equal(rewritten('https://example.com/a'), 'https://example.com/a');
});

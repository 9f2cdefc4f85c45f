// What the first bytes of a connection are taken for.
import assert from 'node:assert/strict';
import { createServer, connect as netConnect } from 'node:net';
import { test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import fc from 'fast-check';
import { inspectHttp } from '../src/downstream/http-inspector.ts';
import { inspectTls } from '../src/downstream/tls-inspector.ts';

const http = (text: string) => inspectHttp(Buffer.from(text, 'latin1'));

const FIRST_BYTES: readonly (readonly [string, string])[] = [
  ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'http/1.1'],
  ['GET / HTTP/1.0\r\n', 'http/1.0'],
  ['POST /a?b HTTP/1.1\n', 'http/1.1'],
  ['\r\nGET / HTTP/1.1\r\n', 'http/1.1'],
  ['CONNECT a:443 HTTP/1.1\r\n', 'http/1.1'],
  ['M-SEARCH * HTTP/1.1\r\n', 'http/1.1'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
  ['PRI * HTTP/2.0\r\n\r\n', 'more'],
  ['GET / HTTP/1.1', 'more'],
  ['GET / HTT', 'more'],
  ['GE', 'more'],
  ['get / HTTP/1.1\r\n', 'not-http'],
  ['PING\r\n', 'not-http'],
  ['GET  / HTTP/1.1\r\n', 'not-http'],
  ['GET / HTTP/3.0\r\n', 'not-http'],
  ['GET / HTTP/1.1 \r\n', 'not-http'],
  ['*1\r\n$4\r\nPING\r\n', 'not-http'],
  ['\x16\x03\x01', 'not-http'],
  ['\0', 'not-http'],
];

for (const [bytes, expected] of FIRST_BYTES)
  test(`http: ${JSON.stringify(bytes)} is ${expected}`, () => assert.equal(http(bytes), expected));

test('http: a longer beginning never takes back what a shorter one said', () => {
  const text = fc.oneof(
    fc.constantFrom(...FIRST_BYTES.map(([bytes]) => bytes)),
    fc.string({ maxLength: 40 }),
    fc.string({ maxLength: 30 }).map((path) => `GET /${path} HTTP/1.1\r\n`),
  );
  fc.assert(
    fc.property(text, (bytes) => {
      let said = 'more';
      for (let length = 1; length <= bytes.length; length++) {
        const now = http(bytes.slice(0, length));
        if (said !== 'more') assert.equal(now, said);
        said = now;
      }
    }),
  );
});

test('http: a line without end is not waited for for ever', () => {
  assert.equal(http(`GET /${'a'.repeat(70_000)}`), 'not-http');
});

/** The first flight of a real TLS client. */
async function clientHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => socket.once('data', resolve));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  const raw = netConnect(port, '127.0.0.1');
  const client = tlsConnect({ socket: raw, ...options });
  client.on('error', () => client.destroy());
  const bytes = await promise;
  client.destroy();
  raw.destroy();
  server.close();
  return bytes;
}

test('tls: server name and protocols of a real client', async () => {
  const bytes = await clientHello({ servername: 'Shop.Example.com', ALPNProtocols: ['h2', 'http/1.1'] });
  assert.deepEqual(inspectTls(bytes), { kind: 'tls', serverName: 'shop.example.com', protocols: ['h2', 'http/1.1'] });
  for (let length = 0; length < bytes.length; length++)
    assert.equal(inspectTls(bytes.subarray(0, length)).kind, 'more', `after ${length} bytes`);
});

test('tls: a client that names nothing', async () => {
  assert.deepEqual(inspectTls(await clientHello({})), { kind: 'tls', serverName: undefined, protocols: [] });
});

test('tls: a hello in several records', async () => {
  const whole = await clientHello({ servername: 'a.example' });
  const body = whole.subarray(5);
  const record = (part: Buffer) => Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
  const split = Buffer.concat([record(body.subarray(0, 3)), record(body.subarray(3, 70)), record(body.subarray(70))]);
  assert.equal((inspectTls(split) as { serverName?: string }).serverName, 'a.example');
});

test('tls: no bytes whatever make it throw, and other protocols are told at once', async () => {
  const hello = await clientHello({ servername: 'a.example', ALPNProtocols: ['h2'] });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      inspectTls(Buffer.from(bytes));
    }),
  );
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
      const broken = Buffer.from(hello);
      broken[at] = value;
      inspectTls(broken);
    }),
    { numRuns: 500 },
  );
  assert.equal(inspectTls(Buffer.from('G')).kind, 'not-tls');
  assert.equal(inspectTls(Buffer.from([22, 2])).kind, 'not-tls');
  assert.equal(inspectTls(Buffer.from([22, 3, 1, 0, 1, 2])).kind, 'not-tls');
});

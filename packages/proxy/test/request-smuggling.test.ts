// What two readers could read differently is refused before a byte of it goes upstream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, eventually, OK, TestProxy, Upstream } from './http-harness.ts';

const LARGE = 'x'.repeat(61 * 1024);

const REFUSED: readonly (readonly [what: string, request: string, status: number, details: string])[] = [
  [
    'two different lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    400,
    'http1.codec_error',
  ],
  [
    'the same length twice',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
    400,
    'http1.codec_error',
  ],
  ['a list of lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na', 400, 'http1.codec_error'],
  ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na', 400, 'http1.codec_error'],
  ['a hexadecimal length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na', 400, 'http1.codec_error'],
  ['an empty length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n', 400, 'http1.codec_error'],
  [
    'a length past 2^53',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'length and chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'http1.content_length_and_chunked_not_allowed',
  ],
  [
    'chunked and length',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    400,
    'http1.content_length_and_chunked_not_allowed',
  ],
  [
    'another coding',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    501,
    'http1.invalid_transfer_encoding',
  ],
  [
    'chunked twice',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    501,
    'http1.invalid_transfer_encoding',
  ],
  [
    'a coding in disguise',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    501,
    'http1.invalid_transfer_encoding',
  ],
  [
    'a vertical tab before chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n',
    400,
    'http1.invalid_characters',
  ],
  [
    'a blank before the colon',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  ['a tab before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX\t: 1\r\n\r\n', 400, 'http1.codec_error'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', 400, 'http1.codec_error'],
  ['a blank before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400, 'http1.codec_error'],
  ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'http1.codec_error'],
  ['a bare line feed after a field', 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n', 400, 'http1.codec_error'],
  ['a bare line feed as the last line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400, 'http1.codec_error'],
  ['a bare carriage return in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', 400, 'http1.codec_error'],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400, 'http1.invalid_characters'],
  ['a NUL in a name', 'GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n', 400, 'http1.codec_error'],
  ['a DEL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n', 400, 'http1.invalid_characters'],
  ['an empty name', 'GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n', 400, 'http1.codec_error'],
  ['a line without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n', 400, 'http1.codec_error'],
  ['no host', 'GET / HTTP/1.1\r\nX: 1\r\n\r\n', 400, 'missing_host_header'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'http1.codec_error'],
  ['a host with userinfo', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', 400, 'invalid_authority'],
  ['a host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'invalid_authority'],
  ['a host with two ports', 'GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n', 400, 'invalid_authority'],
  ['a list of hosts', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400, 'invalid_authority'],
  ['a method that is no token', 'GE(T / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['two blanks in the request line', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['a blank in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['a lower-case version', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['another version', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400, 'http1.codec_error'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'http1.codec_error'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\n', 400, 'http1.codec_error'],
  ['two empty lines before the request', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.codec_error'],
  ['a fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'path_normalization_failed'],
  ['an escaped NUL in the path', 'GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'path_normalization_failed'],
  ['a relative target', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.invalid_url'],
  ['* without OPTIONS', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.invalid_url'],
  ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.invalid_url'],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 403, 'upgrade_failed'],
  [
    'an upgrade we do not carry',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n',
    403,
    'upgrade_failed',
  ],
  [
    'Host nominated as hop-by-hop',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n',
    400,
    'http1.connection_header_rejected',
  ],
  ['a head too large in one field', `GET / HTTP/1.1\r\nHost: a\r\nX: ${LARGE}\r\n\r\n`, 431, 'http1.headers_too_large'],
  ['a head too large in its target', `GET /${LARGE} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'http1.headers_too_large'],
  ['a head that does not end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${LARGE}`, 431, 'http1.headers_too_large'],
  ['too many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(100)}\r\n`, 431, 'http1.too_many_headers'],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', 426, 'low_version'],
  [
    'chunked in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'http1.transfer_encoding_not_allowed',
  ],
  [
    'a chunk size that is no number',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a signed chunk size',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a prefixed chunk size',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a chunk size past 2^53',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a chunk longer than it says',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a bare line feed after a chunk size',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a bare line feed in a chunk extension',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a length in a trailer',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n',
    400,
    'http1.codec_error',
  ],
  [
    'a folded trailer',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n 2\r\n\r\n',
    400,
    'http1.codec_error',
  ],
];

for (const [what, request, status, details] of REFUSED) {
  test(`refused: ${what}`, async (t) => {
    const upstream = await Upstream.listen(t);
    const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
    const client = await proxy.client(t);
    client.write(request);
    const text = await client.end();
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(text, /\r\nconnection: close\r\n/);
    const entry = await proxy.entry();
    assert.equal(entry.responseCode, status);
    assert.equal(entry.responseCodeDetails, details);
    assert.equal(entry.responseFlags, /^http1|^invalid/.test(details) ? 'DPE' : '');
    assert.equal(upstream.connections.length, 0);
    assert.equal(proxy.entries.length, 1);
  });
}

const PASSED: readonly (readonly [what: string, request: string, first: string])[] = [
  ['one empty line before the request', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1'],
  [
    'an absolute target',
    'GET http://real.example:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /p?q HTTP/1.1\r\nhost: real.example:81',
  ],
  [
    'an absolute target without a path',
    'GET http://real.example HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: real.example',
  ],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS * HTTP/1.1'],
  [
    'dot segments, resolved',
    'GET /a/../b/./c%2e%2E?x=/../y HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /b/c..?x=/../y HTTP/1.1',
  ],
  ['dots past the root', 'GET /../../b HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /b HTTP/1.1'],
  ['UTF-8 in the target', 'GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /\xc3\xa9 HTTP/1.1'],
  ['a method of another protocol', 'PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n', 'PROPFIND / HTTP/1.1'],
  ['an IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', 'GET / HTTP/1.1\r\nHost: [::1]:80'],
  [
    'an offer of h2c, passed over',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-proto: http\r\n\r\n',
  ],
  ['an empty value', 'GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nX:\r\n'],
];

for (const [what, request, first] of PASSED) {
  test(`passed on: ${what}`, async (t) => {
    const upstream = await Upstream.listen(t);
    const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
    const client = await proxy.client(t);
    client.write(request);
    const wire = await upstream.connection(0);
    const head = await wire.take('\r\n\r\n');
    assert.ok(head.startsWith(first), head);
    wire.write(OK);
    assert.equal((await client.message()).body, 'ok');
  });
}

const BAD_RESPONSES: readonly (readonly [what: string, response: string])[] = [
  ['a status line of another protocol', 'ICY 200 OK\r\n\r\n'],
  ['a status that is no number', 'HTTP/1.1 2xx OK\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
  ['a bare line feed', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n'],
  ['a control character', 'HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n'],
  ['a bad chunk beside the head', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  [
    'a switch nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  ['a head too large', `HTTP/1.1 200 OK\r\nX: ${LARGE}\r\nContent-Length: 0\r\n\r\n`],
  ['interim responses without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(33)],
];

for (const [what, response] of BAD_RESPONSES) {
  test(`an upstream is not believed: ${what}`, async (t) => {
    const upstream = await Upstream.answering(t, () => response);
    const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
    const client = await proxy.client(t);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.take('HTTP/1.1 502 ');
    const { body } = await client.message();
    assert.equal(body, 'upstream connect error or disconnect/reset before headers. reset reason: protocol error');
    const entry = await proxy.entry();
    assert.equal(entry.responseFlags, 'UPE');
    assert.equal(entry.responseCodeDetails, 'upstream_reset_before_response_started{protocol_error}');
    const wire = await upstream.connection(0);
    await wire.end();
  });
}

test('what an upstream says beyond its response is not taken for the next answer', async (t) => {
  const upstream = await Upstream.answering(t, (head) =>
    head.includes('/first') ? `${OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison` : OK,
  );
  const proxy = await TestProxy.listen(t, { clusters: [clusterOf(upstream)] });
  const client = await proxy.client(t);
  client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.message()).body, 'ok');
  assert.equal((await client.message()).body, 'ok');
  assert.equal(upstream.connections.length, 2);
});

test('an idle upstream that speaks unasked loses its connection', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster] });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.message();
  upstream.connections[0]!.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison');
  await eventually(() => cluster.hosts[0]!.pool?.idle === 0, 'the connection to go');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.message()).body, 'ok');
});

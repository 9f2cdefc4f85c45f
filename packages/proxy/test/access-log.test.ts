// Lines of the access log: Istio's default text, JSON, and what a wrong format says.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AccessLogEntry } from '../src/observe/access-log.ts';
import { compileJsonLogger, compileTextLogger, ISTIO_TEXT_FORMAT } from '../src/observe/access-log-format.ts';
import { logSink } from '../src/observe/log-sink.ts';
import {
  closedPort,
  clusterOf,
  eventually,
  FakeCluster,
  forward,
  hostOf,
  OK,
  TestProxy,
  Upstream,
} from './http-harness.ts';

function collecting(): { lines: string[]; write(line: string): void; flushSync(): void } {
  const lines: string[] = [];
  return { lines, write: (line) => lines.push(line), flushSync: () => undefined };
}

function entryOf(overrides: Partial<AccessLogEntry> = {}): AccessLogEntry {
  return {
    startTime: Date.UTC(2026, 1, 3, 4, 5, 6, 78),
    method: undefined,
    path: undefined,
    protocol: undefined,
    responseCode: 0,
    responseFlags: '',
    responseCodeDetails: undefined,
    connectionTerminationDetails: undefined,
    upstreamTransportFailureReason: undefined,
    bytesReceived: 0,
    bytesSent: 0,
    durationMs: 12,
    upstreamServiceTimeMs: undefined,
    requestHeader: () => undefined,
    responseHeader: () => undefined,
    upstreamHost: undefined,
    upstreamCluster: undefined,
    upstreamLocalAddress: undefined,
    downstreamLocalAddress: '10.0.0.1:80',
    downstreamRemoteAddress: '[fd00::1]:5555',
    requestedServerName: undefined,
    routeName: undefined,
    ...overrides,
  };
}

function line(format: string, entry: AccessLogEntry): string {
  const sink = collecting();
  compileTextLogger(format, sink).log(entry);
  return sink.lines.join('');
}

test('the default text of a forwarded request', async (t) => {
  const sink = collecting();
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    decide: () => forward({ path: '/new', routeName: 'r1' }),
    config: {
      accessLogs: [compileTextLogger(ISTIO_TEXT_FORMAT, sink)],
      useRemoteAddress: true,
      generateRequestId: true,
    },
  });
  const client = await proxy.client(t);
  client.write('POST /old?q HTTP/1.1\r\nHost: svc\r\nUser-Agent: me\r\nContent-Length: 3\r\n\r\nabc');
  await client.message();
  await eventually(() => sink.lines.length === 1, 'a line');
  const address = '127\\.0\\.0\\.1:\\d+';
  assert.match(
    sink.lines[0]!,
    new RegExp(
      `^\\[\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\\] "POST /old\\?q HTTP/1\\.1" 200 - via_upstream - "-" 3 2 \\d+ \\d+ ` +
        `"127\\.0\\.0\\.1" "me" "[0-9a-f-]{36}" "svc" "127\\.0\\.0\\.1:${upstream.port}" service ${address} 10\\.1\\.2\\.3:80 ${address} - r1\\n$`,
    ),
  );
});

test('the default text of a failed connection and of a request that could not be read', async (t) => {
  const sink = collecting();
  const proxy = await TestProxy.listen(t, {
    clusters: [new FakeCluster('service', [hostOf(await closedPort())])],
    config: { accessLogs: [compileTextLogger(ISTIO_TEXT_FORMAT, sink)] },
  });
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: svc\r\n\r\n');
  await client.message();
  client.write('garbage\r\n\r\n');
  await client.end();
  await eventually(() => sink.lines.length === 2, 'two lines');
  assert.match(
    sink.lines[0]!,
    /"GET \/ HTTP\/1\.1" 503 UF upstream_reset_before_response_started\{remote_connection_failure\|delayed_connect_error:_Connection_refused\} - "delayed_connect_error:_Connection_refused" 0 \d+ \d+ - "-" "-" "-" "svc" "127\.0\.0\.1:\d+" service - 10\.1\.2\.3:80 /,
  );
  assert.match(
    sink.lines[1]!,
    /"- - HTTP\/1\.1" 400 DPE http1\.codec_error - "-" 0 11 \d+ - "-" "-" "-" "-" "-" - - 10\.1\.2\.3:80 127/,
  );
});

test('operators and their absence', () => {
  assert.equal(line('%PROTOCOL% %RESPONSE_FLAGS% %UPSTREAM_HOST% %ROUTE_NAME% 100%%', entryOf()), '- - - - 100%');
  assert.equal(line('%RESPONSE_FLAGS%|%DURATION%', entryOf({ responseFlags: 'URX,UF' })), 'URX,UF|12');
  assert.equal(line('%START_TIME%', entryOf()), '2026-02-03T04:05:06.078Z');
  assert.equal(line('%START_TIME(%Y/%m/%d %H:%M:%S.%3f %s)%', entryOf()), '2026/02/03 04:05:06.078 1770091506');
  assert.equal(line('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%', entryOf()), 'fd00::1 80');
  const headers = entryOf({
    requestHeader: (name) => (name === 'b' ? 'abcdef' : undefined),
    responseHeader: (name) => `<${name}>`,
  });
  assert.equal(line('%REQ(A?B)% %REQ(B):3% %REQ(A)% %RESP(X-Y)%', headers), 'abcdef abc - <x-y>');
});

test('a wrong format says which operator', () => {
  assert.throws(() => line('%NONSENSE%', entryOf()), /the operator %NONSENSE% is not known/);
  assert.throws(() => line('%REQ%', entryOf()), /%REQ% needs a header name/);
  assert.throws(() => line('50% off', entryOf()), /'% off' is no operator; write %% for a percent sign/);
  assert.throws(() => line('%START_TIME(%Q)%', entryOf()), /does not know %Q/);
});

test('JSON keeps types, escapes text and writes null for what is absent', () => {
  const sink = collecting();
  const logger = compileJsonLogger(
    {
      code: '%RESPONSE_CODE%',
      path: '%REQ(:path)%',
      host: '%UPSTREAM_HOST%',
      text: 'took %DURATION% ms',
      nested: { list: ['%PROTOCOL%', 1, true, null] },
    },
    sink,
  );
  logger.log(entryOf({ responseCode: 200, protocol: 'HTTP/1.1', requestHeader: () => '/"quoted"' }));
  assert.deepEqual(JSON.parse(sink.lines[0]!), {
    code: 200,
    path: '/"quoted"',
    host: null,
    text: 'took 12 ms',
    nested: { list: ['HTTP/1.1', 1, true, null] },
  });
  assert.ok(sink.lines[0]!.endsWith('}\n'));
});

test('a file gets whole lines in order, bytes as they came', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'varka-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'access.log');
  const sink = logSink(path);
  assert.equal(logSink(path), sink);
  for (let i = 0; i < 1000; i++) sink.write(`line ${i}\n`);
  sink.write('raw \xc3\xa9 and name ż\n');
  const expected = `${Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join('')}`;
  await eventually(() => readFileSync(path, 'latin1').includes('and name'), 'the lines');
  assert.ok(readFileSync(path, 'latin1').startsWith(expected));
});

test('what waits is bounded, and what is dropped is said', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'varka-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'access.log');
  const sink = logSink(path);
  const long = `${'x'.repeat(1023)}\n`;
  for (let i = 0; i < 1100; i++) sink.write(long);
  sink.flushSync();
  const text = readFileSync(path, 'latin1');
  assert.equal(text.split(long).length - 1, 1024);
  assert.match(text, /76 lines were dropped/);
});

// The tools as their users run them: fortio against a server that fails on purpose, and the shop's load test.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatDuration, formatG, parseDuration } from '../src/fortio/go-format.ts';
import { Histogram } from '../src/fortio/histogram.ts';
import { dueAt, planOf } from '../src/fortio/pace.ts';

async function run(file: string, ...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../src/${file}`, import.meta.url)), ...args]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

async function serve(t: TestContext, handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('fortio load', () => {
  it('counts codes and sockets as fortio: one socket for each error on top, no warm-up with -n', async (t) => {
    let requests = 0;
    const host = await serve(t, (_, response) => {
      requests += 1;
      response.writeHead(requests % 4 === 0 ? 503 : 200).end('body');
    });
    const { code, stderr } = await run(
      'fortio.ts',
      'load',
      '-c',
      '1',
      '-qps',
      '0',
      '-n',
      '8',
      '-loglevel',
      'Error',
      `${host}/x`,
    );
    assert.equal(code, 0);
    assert.equal(requests, 8);
    // The connection after the last answer, a 503, is not opened any more.
    assert.match(stderr, /\nSockets used: 2 \(for perfect keepalive, would be 1\)\n/);
    assert.match(stderr, /\nCode 200 : 6 \(75\.0 %\)\nCode 503 : 2 \(25\.0 %\)\n/);
    assert.match(stderr, /\nAll done 8 calls \(plus 0 warmup\) \d+\.\d{3} ms avg, \d+\.\d qps\n$/);
  });

  it('sends what it is told to, and gives the result as JSON', async (t) => {
    const seen: string[] = [];
    const host = await serve(t, (request, response) => {
      seen.push(`${request.method} ${request.headers['x-plan']} ${request.headers.host}`);
      request.resume().on('end', () => response.end());
    });
    const args = [
      '-quiet',
      '-c',
      '2',
      '-qps',
      '0',
      '-n',
      '3',
      '-H',
      'x-plan: BASIC',
      '-H',
      'Host: shop',
      '-payload',
      'p',
      '-json',
      '-',
    ];
    const { code, stdout } = await run('fortio.ts', 'load', ...args, `http://${host}/`);
    assert.equal(code, 0);
    assert.deepEqual(seen, Array(3).fill('POST BASIC shop'));
    const json = JSON.parse(stdout);
    assert.deepEqual([json.RetCodes, json.DurationHistogram.Count, json.SocketCount], [{ 200: 3 }, 3, 2]);
    assert.equal(json.RequestedDuration, 'exactly 3 calls');
  });

  it('counts what gets no answer as -1, and gives up when the warm-up fails', async (t) => {
    const host = await serve(t, (_, response) => response.socket?.destroy());
    const counted = await run('fortio.ts', 'load', '-c', '1', '-qps', '0', '-n', '3', host);
    assert.equal(counted.code, 0);
    assert.match(counted.stderr, /\nCode {2}-1 : 3 \(100\.0 %\)\n/);
    const aborted = await run('fortio.ts', 'load', '-c', '1', '-t', '1s', host);
    assert.equal(aborted.code, 1);
    assert.match(aborted.stderr, /Aborting because of error -1 for /);
  });

  it('fetches once with -curl: headers to stderr, body to stdout, 1 for an error', async (t) => {
    const host = await serve(t, (request, response) => {
      if (request.url === '/denied') response.writeHead(403).end('RBAC: access denied');
      else {
        response.write('chunked ');
        response.end('body');
      }
    });
    const good = await run('fortio.ts', 'load', '-curl', '-k', `http://${host}/`);
    assert.deepEqual([good.code, good.stdout], [0, 'chunked body']);
    assert.match(good.stderr, /HTTP\/1\.1 200 OK\r\n/);
    const denied = await run('fortio.ts', 'curl', `${host}/denied`);
    assert.equal(denied.code, 1);
    assert.match(denied.stdout, /^HTTP\/1\.1 403 Forbidden[\s\S]*RBAC: access denied$/);
  });

  it('lists its flags when asked', async () => {
    const { code, stdout } = await run('fortio.ts', 'load', '-help');
    assert.equal(code, 0);
    assert.match(stdout, /^usage: fortio load \[flags\] URL\n[\s\S]*-qps float/);
  });

  it('refuses what it does not know with fortio’s exit codes', async () => {
    const unknown = await run('fortio.ts', 'load', '-h3', 'x');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /^flag provided but not defined: -h3\n/);
    assert.match((await run('fortio.ts', 'load')).stderr, /needs a url or destination\n$/);
    assert.match((await run('fortio.ts', 'load', '-H', 'none', 'localhost')).stderr, /invalid extra header 'none'/);
  });
});

describe('fortio’s numbers', () => {
  it('are printed as Go prints them', () => {
    assert.deepEqual(
      [
        formatG(3.9489e-5),
        formatG(0.0001),
        formatG(78.4, 8),
        formatG(60, 8),
        formatG(0.00028832465123, 8),
        formatG(30899.123, 5),
        formatG(0),
      ],
      ['3.9489e-05', '0.0001', '78.4', '60', '0.00028832465', '30899', '0'],
    );
    assert.deepEqual([3073369, 424553, 5e9, 6.25e10, 5e8].map(formatDuration), [
      '3.073369ms',
      '424.553µs',
      '5s',
      '1m2.5s',
      '500ms',
    ]);
    assert.deepEqual(['1m30s', '1.5ms', '5', 'x'].map(parseDuration), [9e10, 1.5e6, undefined, undefined]);
  });

  it('fall into its buckets, with its percentiles', () => {
    const histogram = new Histogram(0.001);
    for (const value of [0.0005, 0.001, 0.0042, 0.0048, 0.0155]) histogram.record(value);
    const { Data, Percentiles } = histogram.export([50, 75, 99]);
    assert.deepEqual(
      Data?.map(({ Start, End, Percent, Count }) => [Start, End, Percent, Count]),
      [
        [0.0005, 0.001, 40, 2],
        [0.004, 0.005, 80, 2],
        [0.014, 0.0155, 100, 1],
      ],
    );
    assert.deepEqual(
      Percentiles?.map(({ Value }) => Number(Value.toPrecision(6))),
      [0.00425, 0.004875, 0.015425],
    );
  });

  it('plan the calls', () => {
    const plan = (pace: Partial<Parameters<typeof planOf>[0]>) =>
      planOf({ qps: 0, threads: 4, durationMs: 5000, exactly: 0, ...pace });
    assert.deepEqual([plan({ exactly: 10 }).callsPerThread, plan({ exactly: 10 }).leftOver], [2, 2]);
    assert.equal(plan({ exactly: 2 }).threads, 2);
    assert.equal(plan({ qps: 8 }).callsPerThread, 10);
    assert.deepEqual([dueAt(1, 5, 10), dueAt(4, 5, 10)], [0.125, 0.5]);
  });
});

describe('fortio server', () => {
  it('answers as the query asks', async (t) => {
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('../src/fortio.ts', import.meta.url)),
      'server',
      '-http-port',
      '0',
    ]);
    t.after(() => child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const base = `http://127.0.0.1:${/:(\d+)/.exec(line.toString())?.[1]}`;
    assert.equal((await fetch(`${base}/?status=503`)).status, 503);
    assert.equal((await (await fetch(`${base}/?size=100`)).text()).length, 100);
    assert.equal(await (await fetch(`${base}/echo`, { method: 'POST', body: 'hello' })).text(), 'hello');
    assert.match(await (await fetch(`${base}/debug`, { headers: { 'x-a': 'b' } })).text(), /\nX-A: b\n/);
  });
});

describe('the shop’s load test', () => {
  it('shops as its manifest’s shell loop says, and says how it went', async (t) => {
    const seen: string[] = [];
    const host = await serve(t, (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end(request.url === '/catalogue' ? '[{"id":"s1"}]' : 'ok');
    });
    const { code, stdout } = await run(
      'shop-load.ts',
      '-c',
      `locust --host http://${host} -f /config/locustfile.py --clients 1 --hatch-rate 5 --num-request 9 --no-web`,
    );
    assert.equal(code, 0);
    assert.match(stdout, /\n9 requests, 0 failed\n$/);
    assert.deepEqual(seen, [
      'GET /catalogue',
      'GET /',
      'GET /login',
      'GET /category.html',
      'GET /detail.html?id=s1',
      'DELETE /cart',
      'POST /cart',
      'GET /basket.html',
      'POST /orders',
    ]);
  });
});

describe('Pitstop’s load test', () => {
  it('asks for the four pages past any cache, and goes on until it is stopped', async (t) => {
    const seen = new Map<string, number>();
    let enough = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const host = await serve(t, (request, response) => {
      assert.equal(request.headers['cache-control'], 'no-cache');
      seen.set(request.url ?? '', (seen.get(request.url ?? '') ?? 0) + 1);
      response.end('page');
      if (seen.size === 4 && Math.max(...seen.values()) > 1) enough();
    });
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('../src/pitstop-load.ts', import.meta.url)),
      `http://${host}`,
    ]);
    t.after(() => child.kill('SIGKILL'));
    await asked;
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.deepEqual([...seen.keys()].sort(), [
      '/',
      '/CustomerManagement',
      '/VehicleManagement',
      '/WorkshopManagement',
    ]);
  });
});

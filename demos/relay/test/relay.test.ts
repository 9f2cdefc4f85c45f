// The relay without a mesh, hop by hop.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Program, start } from '@varka/demo-kit/test/program.ts';
import { alone } from '@varka/demo-kit/test/target.ts';
import { jsonTest, worldClock } from '../src/times.ts';
import { behaves, parsePage } from './behaviour.ts';

const module = (name: string) => new URL(`../src/${name}.ts`, import.meta.url);
const startRelay = (name: string, upstream: string, args: readonly string[] = []): Promise<Program> =>
  start(module('relay'), { SERVICE_NAME: name, UPSTREAM_URI: upstream, METRICS_PORT: '0' }, args);

interface Upstream {
  readonly url: string;
  readonly seen: IncomingHttpHeaders[];
}

/** Stands for the next service. */
async function upstream(t: { after(hook: () => void): void }, answer: RequestListener): Promise<Upstream> {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen };
}

describe('the relay, alone', () => {
  const programs: Program[] = [];
  let frontend: Program;
  before(async () => {
    let next = await start(module('clock'));
    programs.push(next);
    for (const name of ['backend-prod', 'middleware-prod', 'frontend-prod']) {
      next = await startRelay(name, `http://127.0.0.1:${next.port}/`);
      programs.push(next);
    }
    frontend = next;
  });
  after(async () => {
    assert.deepEqual(await Promise.all(programs.map((program) => program.stop())), [0, 0, 0, 0]);
  });
  behaves(() => alone({ frontend }), ['middleware-prod']);
});

describe('one hop', () => {
  test('passes on the trace, the user and the chance to fail, and nothing else', async (t) => {
    const next = await upstream(t, (_, response) => response.end('next'));
    const program = await startRelay('hop', next.url);
    assert.match(program.startLine, /^hop listening on port \d+!$/);
    const passed = {
      'x-request-id': 'r',
      'x-b3-traceid': 't',
      'x-b3-spanid': 's',
      'x-b3-parentspanid': 'p',
      'x-b3-sampled': '1',
      'x-b3-flags': '0',
      'x-ot-span-context': 'o',
      'x-dev-user': 'super-secret',
      fail: '0',
    };
    const { text } = await program.get('/', { headers: { ...passed, cookie: 'secret' } });
    assert.match(text, /^hop - [\d.]+secs\nhttp:\/\/127\.0\.0\.1:\d+\/ -> next$/);
    for (const [name, value] of Object.entries(passed)) assert.equal(next.seen[0]?.[name], value, name);
    assert.equal(next.seen[0]?.['cookie'], undefined);
    await program.get('/');
    assert.equal(next.seen[1]?.['fail'], undefined);
    await program.stop();
  });

  test('asks the next one even when it has failed itself', async (t) => {
    const next = await upstream(t, (_, response) => response.end());
    const program = await startRelay('hop', next.url);
    let log = '';
    program.process.stdout?.on('data', (chunk) => {
      log += chunk;
    });
    const { status, text } = await program.get('/', { headers: { fail: '1' } });
    assert.deepEqual([status, text], [500, '']);
    await program.stop();
    assert.equal(next.seen[0]?.['fail'], '1');
    assert.match(log, /^failPercent: 1$/m);
  });

  test('an error of the next one is text on the page', async (t) => {
    const next = await upstream(t, (request, response) => {
      if (request.headers['x-dev-user'] === 'quiet') response.writeHead(404).end();
      else response.writeHead(503).end('no\n"healthy" upstream');
    });
    const program = await startRelay('hop', next.url);
    const last = async (init?: RequestInit) => (await program.get('/', init)).text.split('\n')[1]?.split(' -> ')[1];
    assert.equal(await last(), 'StatusCodeError: 503 - "no\\n\\"healthy\\" upstream"');
    assert.equal(await last({ headers: { 'x-dev-user': 'quiet' } }), 'StatusCodeError: 404 - ""');
    await program.stop();
    const nobody = await startRelay('hop', 'http://127.0.0.1:1/');
    const { status, text } = await nobody.get('/');
    assert.equal(status, 200);
    assert.match(text, /-> RequestError: Error: connect ECONNREFUSED 127\.0\.0\.1:1$/);
    await nobody.stop();
  });
});

describe('an instrumented hop', () => {
  test('continues the trace in a span of its own, begins one where there is none, and says so', async (t) => {
    const next = await upstream(t, (_, response) => response.end('next'));
    const program = await startRelay('hop', next.url, ['simple']);
    const trace = { 'x-b3-traceid': 'a'.repeat(32), 'x-b3-spanid': 'b'.repeat(16), fail: '1' };
    const { status, text } = await program.get('/', { headers: trace });
    assert.equal(status, 200);
    assert.match(text, /^hop - [\d.]+secs \(opencensus simple\)\nhttp:\S+ -> next$/);
    await program.get('/');
    const [first, second] = next.seen;
    assert.equal(first?.['x-b3-traceid'], trace['x-b3-traceid']);
    assert.equal(first?.['x-b3-parentspanid'], trace['x-b3-spanid']);
    assert.match(String(first?.['x-b3-spanid']), /^(?!b{16})[0-9a-f]{16}$/);
    assert.match(String(second?.['x-b3-traceid']), /^[0-9a-f]{32}$/);
    assert.equal(second?.['x-b3-parentspanid'], undefined);
    await program.stop();
  });

  test('calculates, and counts it', async (t) => {
    const next = await upstream(t, (_, response) => response.end('next'));
    const program = await startRelay('hop', next.url, ['full']);
    const [metricsLine] = await metricsStarted(program);
    const { text } = await program.get('/');
    const [, number, odd] =
      /^hop - [\d.]+secs \(opencensus full\) - num: (\d+) - isOdd: (true|false)\n/.exec(text) ?? [];
    assert.equal(String(Number(number) % 2 === 1), odd, text);
    const metrics = await fetch(`http://127.0.0.1:${metricsLine}/metrics`);
    assert.match(await metrics.text(), new RegExp(`^fib_count\\{ServiceName="hop"\\} ${2 * Number(number) - 1}$`, 'm'));
    await program.stop();
  });
});

/** The port, which is printed beside the program's own. */
async function metricsStarted(program: Program): Promise<string[]> {
  let output = program.startLine;
  for (;;) {
    const found = /metrics on port (\d+)/.exec(output);
    if (found !== null) return found.slice(1);
    const [chunk] = (await once(program.process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    output += chunk;
  }
}

describe('the clock', () => {
  const now = new Date('2018-01-04T00:43:09.163Z');

  test('is that of time.jsontest.com', () => {
    assert.equal(
      jsonTest(now),
      '{\n   "time": "12:43:09 AM",\n   "milliseconds_since_epoch": 1515026589163,\n   "date": "01-04-2018"\n}\n',
    );
    assert.match(jsonTest(new Date('2018-01-04T12:00:00Z')), /"12:00:00 PM"/);
    assert.match(jsonTest(new Date('2018-01-04T23:00:00Z')), /"11:00:00 PM"/);
  });

  test('and that of worldclockapi.com', () => {
    const text = worldClock(now);
    assert.match(text, /"currentFileTime":131595001891630000,/);
    const { currentDateTime, dayOfTheWeek, ordinalDate } = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual([currentDateTime, dayOfTheWeek, ordinalDate], ['2018-01-04T00:43Z', 'Thursday', '2018-4']);
  });

  test('has nothing else', async () => {
    const clock = await start(module('clock'));
    assert.equal((await clock.get('/api/json/est/now')).status, 404);
    assert.equal((await clock.get('/api/json/utc/now')).type, 'application/json');
    await clock.stop();
  });
});

test('the page is taken apart as far as it goes', () => {
  assert.deepEqual(parsePage('a - 0.1secs\nhttp://b/ -> StatusCodeError: 500 - ""'), {
    names: ['a'],
    last: 'StatusCodeError: 500 - ""',
  });
});

// hello without a mesh, and what only the pod itself can show: the failures it counts and the lines it logs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Program, start } from '@varka/demo-kit/test/program.ts';
import { alone } from '@varka/demo-kit/test/target.ts';
import { combined } from '../src/access-log.ts';
import { behaves } from './behaviour.ts';

const startHello = (env?: Record<string, string>): Promise<Program> =>
  start(new URL('../src/hello.ts', import.meta.url), env);

describe('hello, alone', () => {
  let program: Program;
  before(async () => {
    program = await startHello({ VERSION: 'v7' });
  });
  after(() => program.stop());
  behaves(() => alone({ hello: program }), 'hello', ['v7']);
});

describe('hello as a process', () => {
  test('is v1 unless told otherwise, and says where it listens', async () => {
    const program = await startHello();
    assert.equal(program.startLine, `Example app listening on port ${program.port}!`);
    assert.equal((await program.get('/api/v1')).text, 'Hello my version is: v1\n');
    await program.stop();
  });

  test('fails four times, succeeds once, and begins anew', async () => {
    const program = await startHello({ VERSION: 'v6' });
    for (let round = 0; round < 2; round++) {
      for (let times = 0; times < 4; times++) {
        const { status, text } = await program.get('/api/v1/fail');
        assert.deepEqual([status, text], [503, 'Service Unavailable']);
      }
      const { status, text } = await program.get('/api/v1/fail');
      assert.deepEqual([status, text], [200, 'Hello my version is: v6\n']);
    }
    await program.stop();
  });

  test('logs each request, and the signal that ends it', async () => {
    const program = await startHello({ VERSION: 'mirror' });
    let output = '';
    program.process.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
    await program.get('/api/v1?x=1', { headers: { 'user-agent': 'curl/8.7.1', authorization } });
    await program.get('/api/v1/fail', { headers: { referer: 'http://a/"b"', 'user-agent': 'x' } });
    assert.equal(await program.stop(), 0);
    const [first = '', second = '', last] = output.trimEnd().split('\n');
    const start = String.raw`^::ffff:127\.0\.0\.1 - `;
    const date = String.raw`\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]`;
    assert.match(first, new RegExp(`${start}ann ${date} "GET /api/v1\\?x=1 HTTP/1\\.1" 200 28 "-" "curl/8\\.7\\.1"$`));
    assert.match(
      second,
      new RegExp(`${start}- ${date} "GET /api/v1/fail HTTP/1\\.1" 503 19 "http://a/\\\\x22b\\\\x22" "x"$`),
    );
    assert.equal(last, 'SIGTERM signal received. Closing server!');
  });

  test('writes dates as Apache does', () => {
    const request = { method: 'GET', url: '/', httpVersion: '1.1', headers: {} };
    const response = { statusCode: 204, getHeader: () => undefined };
    const line = combined(request as never, response as never, '::1', new Date('2024-08-09T04:09:08Z'));
    assert.equal(line, '::1 - - [09/Aug/2024:04:09:08 +0000] "GET / HTTP/1.1" 204 - "-" "-"');
  });
});

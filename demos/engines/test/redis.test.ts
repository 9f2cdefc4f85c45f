// The Redis engine: the contract beside redis-server, and what only ours does (keeping, limits, its own redis-cli).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Program, start } from '@varka/demo-kit/test/program.ts';
import { createClient } from 'redis';
import { globMatches } from '../src/redis/glob.ts';
import { dataCommands, Redis } from '../src/redis/redis.ts';
import { encodeReply, RedisError } from '../src/redis/resp.ts';
import { redisContract } from './redis-contract.ts';
import { skipUnlessInstalled } from './support/real-engine.ts';

const MODULE = new URL('../src/redis.ts', import.meta.url);

async function engine(t: TestContext, env: Record<string, string> = {}, args: string[] = []): Promise<Program> {
  const program = await start(MODULE, env, ['--engine', 'embedded', ...args]);
  t.after(() => program.process.kill('SIGKILL'));
  return program;
}

async function open({ port }: Program, password?: string) {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, ...(password === undefined ? {} : { password }) });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'varka-redis-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

for (const [name, which, skip] of [
  ['embedded', 'embedded', false],
  ['redis-server', 'redis', skipUnlessInstalled('redis-server', 'redis-server')],
] as const) {
  redisContract(name, skip, async () => {
    const program = await start(MODULE, {}, ['--engine', which]);
    return { port: program.port, stop: async () => assert.equal(await program.stop(), 0) };
  });
}

describe('the embedded Redis', () => {
  it('keeps everything in DATA_DIR, through kill -9 and half a command at the end', async (t) => {
    const directory = directoryFor(t);
    const first = await engine(t, { DATA_DIR: directory });
    assert.match(first.startLine, /^redis: embedded server \(RESP 2 and 3\) on :\d+, \/.*varka-redis-test-/);
    const client = await open(first);
    await client.set('text', 'grüße');
    await client.setEx('brief', 1000, 'v');
    await client.hSet('hash', { a: '1', b: '2' });
    await client.hDel('hash', 'a');
    await client.rPush('list', ['x', 'y']);
    await client.sAdd('set', 'm');
    await client.zAdd('zset', { score: 1.5, value: 'z' });
    await client.incrBy('n', 41);
    await client.sendCommand(['SELECT', '2']);
    await client.set('elsewhere', '2');
    first.process.kill('SIGKILL');
    await once(first.process, 'exit');
    client.destroy();
    appendFileSync(join(directory, 'redis.aof'), '*3\r\n$3\r\nSET\r\n$4\r\ntext\r\n$100\r\nhal');

    const second = await engine(t, { DATA_DIR: directory });
    const again = await open(second);
    assert.equal(await again.get('text'), 'grüße');
    assert.ok((await again.ttl('brief')) > 900);
    assert.deepEqual({ ...(await again.hGetAll('hash')) }, { b: '2' });
    assert.deepEqual(await again.lRange('list', 0, -1), ['x', 'y']);
    assert.deepEqual([...(await again.sMembers('set'))], ['m']);
    assert.equal(await again.zScore('zset', 'z'), 1.5);
    assert.equal(await again.incr('n'), 42);
    await again.sendCommand(['SELECT', '2']);
    assert.equal(await again.get('elsewhere'), '2');
    await again.close();
    assert.equal(await second.stop(), 0);
  });

  it('expires by its clock, and does not bring back in a restart what had expired', (t) => {
    const path = join(directoryFor(t), 'redis.aof');
    let now = 1_000_000;
    const redis = new Redis(() => now, path);
    const run = (on: Redis, name: string, ...args: string[]) => on.run(0, name, dataCommands[name]!, args);
    run(redis, 'SET', 'session', '5', 'EX', '10');
    run(redis, 'SET', 'limit', '1', 'PX', '60000');
    now += 9_999;
    assert.equal(run(redis, 'GET', 'session'), '5');
    assert.equal(run(redis, 'PTTL', 'session'), 1);
    now += 1;
    assert.equal(run(redis, 'GET', 'session'), null);
    assert.equal(run(redis, 'INCR', 'session'), 1);
    assert.equal(run(redis, 'TTL', 'session'), -1);
    redis.close();
    assert.match(readFileSync(path, 'latin1'), /DEL\r\n\$7\r\nsession/);
    const later = new Redis(() => now, path);
    assert.deepEqual(
      [run(later, 'GET', 'session'), run(later, 'TTL', 'session'), run(later, 'TTL', 'limit')],
      ['1', -1, 50],
    );
    later.close();
    now += 100_000;
    const last = new Redis(() => now, path);
    assert.deepEqual(run(last, 'KEYS', '*'), ['session']);
    last.close();
  });

  it('asks for the password of --requirepass', async (t) => {
    const program = await engine(t, {}, ['--requirepass', 'secret']);
    const right = await open(program, 'secret');
    assert.equal(await right.ping(), 'PONG');
    await right.close();
    const wrong = createClient({
      url: `redis://127.0.0.1:${program.port}`,
      password: 'wrong',
      socket: { reconnectStrategy: false },
    });
    wrong.on('error', () => undefined);
    await assert.rejects(wrong.connect(), /WRONGPASS/);
  });

  it('has a redis-cli of its own for where none is installed', async (t) => {
    const program = await engine(t);
    const cli = async (args: string[], input = ''): Promise<string> => {
      const path = fileURLToPath(new URL('../src/redis/own-cli.ts', import.meta.url));
      const child = spawn(process.execPath, [path, '-p', String(program.port), ...args], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdin.end(input);
      let output = '';
      for await (const chunk of child.stdout) output += chunk;
      return output;
    };
    assert.equal(await cli(['set', 'k', '1']), 'OK\n');
    assert.equal(await cli(['--no-raw', 'incr', 'k']), '(integer) 2\n');
    assert.equal(await cli(['--no-raw', 'keys', '*']), '1) "k"\n');
    assert.equal(await cli(['--no-raw', 'foo']), "(error) ERR unknown command 'foo', with args beginning with: \n");
    assert.equal(await cli(['--raw'], 'set "a b" c\nkeys *\nquit\n'), 'OK\nk\na b\n');
  });
});

describe('patterns', () => {
  it('are Redis’, and take no time to speak of', () => {
    for (const [pattern, text, expected] of [
      ['*', '', true],
      ['', '', true],
      ['?', '', false],
      ['h?llo', 'hello', true],
      ['h*llo', 'heeeello', true],
      ['h[ae]llo', 'hallo', true],
      ['h[^e]llo', 'hello', false],
      ['h[a-c]llo', 'hbllo', true],
      ['h\\*llo', 'h*llo', true],
      ['h\\*llo', 'hello', false],
      ['*a*b', 'xaxxb', true],
      ['*a*b', 'xaxxbc', false],
      ['[', '[', false],
    ] as const) {
      assert.equal(globMatches(pattern, text), expected, `${pattern} on ${text}`);
    }
    const begin = performance.now();
    assert.equal(globMatches('*a'.repeat(50), 'a'.repeat(40)), false);
    assert.equal(globMatches(`${'*a'.repeat(50)}b`, 'a'.repeat(10_000)), false);
    assert.ok(performance.now() - begin < 1000);
  });
});

describe('replies', () => {
  it('can’t be split by what an error quotes', () => {
    assert.equal(encodeReply(new RedisError("ERR 'a\r\n+OK'"), 2), "-ERR 'a  +OK'\r\n");
  });
});

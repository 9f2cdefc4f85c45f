// What the demos rely on of a Redis server, as the stock client sees it: the embedded one and redis-server alike.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import type { RunningEngine } from './support/real-engine.ts';

type Client = ReturnType<typeof createClient>;

/** What a server answers to bytes, up to its answer to a PING sent after them or the end of the connection. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${text}PING end-of-test\r\n`, 'latin1');
  let heard = '';
  for await (const chunk of socket) {
    heard += (chunk as Buffer).toString('latin1');
    if (heard.includes('end-of-test\r\n')) break;
  }
  socket.destroy();
  return heard.replace(/\$11\r\nend-of-test\r\n$/, '');
}

export function redisContract(name: string, skip: string | false, start: () => Promise<RunningEngine>): void {
  describe(`Redis: ${name}`, { skip }, () => {
    let engine: RunningEngine;
    let client: Client;
    const open = async (options: Parameters<typeof createClient>[0] = {}): Promise<Client> => {
      const one = createClient({ url: `redis://127.0.0.1:${engine.port}`, ...options }) as Client;
      await one.connect();
      return one;
    };
    const send = (...words: string[]) => client.sendCommand(words);
    before(async () => {
      engine = await start();
      client = await open();
    });
    beforeEach(async () => {
      await client.flushAll();
    });
    after(async () => {
      await client?.close();
      await engine?.stop();
    });

    it('keeps strings of any bytes, under conditions and for a time', async () => {
      assert.equal(await client.set('k', 'grüße \u{1F9E6}\r\n'), 'OK');
      assert.equal(await client.get('k'), 'grüße \u{1F9E6}\r\n');
      assert.equal(await client.get('none'), null);
      assert.equal(await send('SET', 'k', 'new', 'NX'), null);
      assert.equal(await send('SET', 'none', 'new', 'XX'), null);
      assert.equal(await send('SET', 'k', 'v2', 'XX', 'EX', '100'), 'OK');
      assert.ok(((await client.ttl('k')) ?? 0) > 98);
      assert.equal(await send('SET', 'k', 'v3', 'KEEPTTL', 'GET'), 'v2');
      assert.ok((await client.pTTL('k')) > 98_000);
      await client.set('k', 'v4');
      assert.equal(await client.ttl('k'), -1);
      assert.equal(await client.ttl('none'), -2);
      await client.setEx('s', 100, 'v');
      assert.ok((await client.ttl('s')) > 98);
      assert.equal(await send('GETSET', 's', 'w'), 'v');
      assert.equal(await client.ttl('s'), -1);
      assert.equal(await client.getDel('s'), 'w');
      assert.equal(await client.exists(['k', 's', 'k']), 2);
      assert.deepEqual(await send('MSET', 'a', '1', 'b', '2'), 'OK');
      assert.deepEqual(await client.mGet(['a', 'none', 'b']), ['1', null, '2']);
      assert.equal(await client.append('a', '23'), 3);
      assert.equal(await client.strLen('a'), 3);
      assert.equal(await client.getRange('a', 1, -1), '23');
      assert.equal(await client.del(['a', 'b', 'none']), 2);
    });

    it('counts', async () => {
      assert.deepEqual([await client.incr('n'), await client.incrBy('n', 10), await client.decr('n')], [1, 11, 10]);
      assert.equal(await client.decrBy('n', 20), -10);
      assert.equal(String(await client.incrByFloat('f', 0.1)), '0.1');
      assert.equal(String(await client.incrByFloat('f', 0.2)), '0.3');
      await client.set('t', 'text');
      await assert.rejects(client.incr('t'), { message: 'ERR value is not an integer or out of range' });
      await client.set('big', '9223372036854775807');
      await assert.rejects(client.incr('big'), { message: 'ERR increment or decrement would overflow' });
    });

    it('lets keys expire', async () => {
      await client.set('k', 'v');
      assert.deepEqual([await client.expire('k', 100), await client.expire('none', 100)], [1, 0]);
      assert.equal(await client.persist('k'), 1);
      assert.equal(await client.pExpire('k', 100_000), 1);
      assert.equal(await send('EXPIRE', 'k', '5', 'GT'), 0);
      assert.equal(await send('PEXPIREAT', 'k', '1000'), 1);
      assert.equal(await client.get('k'), null);
      assert.equal(await client.dbSize(), 0);
    });

    it('finds keys by pattern, and scans over each of them once', async () => {
      const names = Array.from({ length: 100 }, (_, n) => `key:${n}`);
      for (const key of names) await client.set(key, 'v');
      await client.rPush('list', 'x');
      assert.deepEqual((await client.keys('key:1?')).sort(), names.slice(10, 20));
      assert.deepEqual((await client.keys('*:[^0-8]')).sort(), ['key:9']);
      assert.deepEqual(await client.keys('l\\ist'), ['list']);
      assert.equal((await client.keys('*')).length, 101);
      const seen: string[] = [];
      for await (const keys of client.scanIterator({ MATCH: 'key:*', COUNT: 7 })) seen.push(...keys);
      assert.deepEqual(seen.sort(), [...names].sort());
      assert.deepEqual(
        [await client.type('list'), await client.type('key:1'), await client.type('none')],
        ['list', 'string', 'none'],
      );
      assert.equal(await client.rename('list', 'l2'), 'OK');
      assert.deepEqual(await client.lRange('l2', 0, -1), ['x']);
    });

    it('keeps hashes, lists, sets and sorted sets, and none that is empty', async () => {
      assert.equal(await client.hSet('h', { a: '1', b: '2' }), 2);
      assert.equal(await client.hSet('h', 'b', '3'), 0);
      assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', b: '3' });
      assert.deepEqual(
        [await client.hGet('h', 'b'), await client.hLen('h'), await client.hExists('h', 'c')],
        ['3', 2, 0],
      );
      assert.equal(await client.hIncrBy('h', 'n', 5), 5);
      assert.equal(await client.hDel('h', ['a', 'b', 'n', 'none']), 3);
      assert.equal(await client.exists('h'), 0);

      assert.equal(await client.rPush('l', ['b', 'c']), 2);
      assert.equal(await client.lPush('l', ['a', 'z']), 4);
      assert.deepEqual(await client.lRange('l', 0, -2), ['z', 'a', 'b']);
      assert.deepEqual(await client.lRange('l', -100, 100), ['z', 'a', 'b', 'c']);
      assert.deepEqual([await client.lPop('l'), await client.rPop('l'), await client.lLen('l')], ['z', 'c', 2]);
      assert.deepEqual(await client.lPopCount('l', 5), ['a', 'b']);
      assert.deepEqual([await client.lPop('l'), await client.exists('l')], [null, 0]);

      assert.equal(await client.sAdd('s', ['x', 'y', 'x']), 2);
      assert.deepEqual([...(await client.sMembers('s'))].sort(), ['x', 'y']);
      assert.deepEqual([await client.sIsMember('s', 'x'), await client.sCard('s')], [1, 2]);
      assert.equal(await client.sRem('s', ['x', 'y']), 2);
      assert.equal(await client.exists('s'), 0);

      const scores = [
        { score: 2, value: 'b' },
        { score: 1.5, value: 'a' },
        { score: 2, value: 'aa' },
      ];
      assert.equal(await client.zAdd('z', scores), 3);
      assert.deepEqual(await client.zRange('z', 0, -1), ['a', 'aa', 'b']);
      assert.deepEqual(await client.zRange('z', 0, 0, { REV: true }), ['b']);
      assert.deepEqual(await client.zRangeWithScores('z', 0, 0), [{ value: 'a', score: 1.5 }]);
      assert.deepEqual(
        [await client.zScore('z', 'b'), await client.zScore('z', 'none'), await client.zCard('z')],
        [2, null, 3],
      );
      assert.equal(await client.zRem('z', ['a', 'b', 'aa']), 3);
      assert.equal(await client.exists('z'), 0);
    });

    it('runs a transaction as a whole, or not at all', async () => {
      assert.deepEqual(await client.multi().set('a', '1').incr('a').get('a').exec(), ['OK', 2, '2']);
      assert.equal(
        await raw(engine.port, 'MULTI\r\nSET x 1\r\nINCR\r\nEXEC\r\n'),
        [
          '+OK\r\n+QUEUED\r\n',
          "-ERR wrong number of arguments for 'incr' command\r\n",
          '-EXECABORT Transaction discarded because of previous errors.\r\n',
        ].join(''),
      );
      assert.equal(await client.exists('x'), 0);
      assert.equal(
        await raw(engine.port, 'MULTI\r\nSET x 1\r\nDISCARD\r\nEXEC\r\nDISCARD\r\n'),
        ['+OK\r\n+QUEUED\r\n+OK\r\n-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n'].join(''),
      );
      assert.equal(
        await raw(engine.port, 'SET x text\r\nMULTI\r\nINCR x\r\nSET y 1\r\nEXEC\r\n'),
        ['+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR value is not an integer or out of range\r\n+OK\r\n'].join(''),
      );
      assert.equal(await client.get('y'), '1');
    });

    it('answers a pipeline in order, and keeps databases apart', async () => {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => client.set(`p${n}`, String(n)).then(() => n)),
      );
      assert.deepEqual(
        answers,
        Array.from({ length: 500 }, (_, n) => n),
      );
      const other = await open({ database: 3 });
      assert.equal(await other.get('p1'), null);
      await other.set('p1', 'three');
      assert.equal(await client.get('p1'), '1');
      await other.close();
      await assert.rejects(send('SELECT', '99'), { message: 'ERR DB index is out of range' });
    });

    it('publishes to channels and patterns', async () => {
      for (const RESP of [2, 3] as const) {
        const subscriber = await open({ RESP });
        const heard: string[][] = [];
        let more = (): void => undefined;
        const listener = (message: string, channel: string): void => {
          heard.push([channel, message]);
          more();
        };
        await subscriber.subscribe('news', listener);
        await subscriber.pSubscribe('n*', listener);
        assert.equal(await client.publish('news', 'one'), 2);
        assert.equal(await client.publish('other', 'two'), 0);
        while (heard.length < 2) {
          await new Promise<void>((resolve) => {
            more = resolve;
          });
        }
        assert.deepEqual(heard, [
          ['news', 'one'],
          ['news', 'one'],
        ]);
        await subscriber.unsubscribe('news');
        assert.equal(await client.publish('news', 'three'), 1);
        await subscriber.close();
      }
      assert.match(
        await raw(engine.port, 'SUBSCRIBE c\r\nGET k\r\nUNSUBSCRIBE\r\n'),
        /-ERR Can't execute 'get': only \(P\|S\)SUBSCRIBE \/ /,
      );
    });

    it('speaks both versions of the protocol', async () => {
      for (const RESP of [2, 3] as const) {
        const one = await open({ RESP });
        await one.hSet('h', 'f', 'v');
        await one.zAdd('z', { score: 1.5, value: 'm' });
        assert.deepEqual({ ...(await one.hGetAll('h')) }, { f: 'v' });
        assert.equal(await one.zScore('z', 'm'), 1.5);
        assert.equal(await one.get('none'), null);
        await one.close();
      }
      assert.match(
        await raw(engine.port, 'HELLO 3\r\nHGETALL h\r\nGET none\r\n'),
        /%1\r\n\$1\r\nf\r\n\$1\r\nv\r\n_\r\n$/,
      );
    });

    it('says what is wrong in Redis’ words', async () => {
      for (const [command, answer] of [
        ['FOO a b', "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"],
        ['constructor', "-ERR unknown command 'constructor', with args beginning with: \r\n"],
        ['GET', "-ERR wrong number of arguments for 'get' command\r\n"],
        ['SET k v WHAT', '-ERR syntax error\r\n'],
        ['SET k v EX 0', "-ERR invalid expire time in 'set' command\r\n"],
        ['SET k v EX x', '-ERR value is not an integer or out of range\r\n'],
        ['MSET a', "-ERR wrong number of arguments for 'mset' command\r\n"],
        ['RENAME none x', '-ERR no such key\r\n'],
        ['PING', '+PONG\r\n'],
        ['ECHO hi', '$2\r\nhi\r\n'],
      ] as const) {
        assert.equal(await raw(engine.port, `${command}\r\n`), answer);
      }
      await client.lPush('list', 'x');
      await assert.rejects(client.get('list'), {
        message: 'WRONGTYPE Operation against a key holding the wrong kind of value',
      });
      await assert.rejects(client.hSet('list', 'f', 'v'), /WRONGTYPE/);
    });

    it('ends a conversation that is none', async () => {
      for (const [bytes, problem] of [
        ['*1\r\n!3\r\n', "expected '\\$', got '!'"],
        ['*99999999999\r\n', 'invalid multibulk length'],
        ['*1\r\n$-5\r\n', 'invalid bulk length'],
        ['*1\r\n$99999999999\r\n', 'invalid bulk length'],
      ] as const) {
        const socket = connect(engine.port, '127.0.0.1');
        let heard = '';
        socket.setEncoding('latin1').on('data', (text: string) => {
          heard += text;
        });
        socket.write(bytes, 'latin1');
        await once(socket, 'close');
        assert.match(heard, new RegExp(`^-ERR Protocol error: ${problem}\r\n$`));
      }
      assert.equal(await client.ping(), 'PONG');
    });

    it('tells of itself', async () => {
      assert.match(await client.info(), /redis_version:\d/);
      assert.ok((await client.clientId()) > 0);
      assert.ok(((await send('COMMAND', 'COUNT')) as unknown as number) > 20);
    });

    it('talks to redis-cli', () => {
      const cli = (...args: string[]) => {
        const path = fileURLToPath(new URL('../src/redis-cli.ts', import.meta.url));
        const run = spawnSync(process.execPath, [path, '-p', String(engine.port), ...args], {
          encoding: 'utf8',
          input: '',
        });
        return run.stdout;
      };
      assert.equal(cli('SET', 'from-cli', 'grüße'), 'OK\n');
      assert.equal(cli('KEYS', '*'), 'from-cli\n');
      assert.equal(cli('--no-raw', 'GET', 'from-cli'), '"gr\\xc3\\xbc\\xc3\\x9fe"\n');
    });
  });
}

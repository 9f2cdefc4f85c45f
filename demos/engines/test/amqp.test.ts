// The AMQP engine: the contract beside RabbitMQ, and what only ours does (keeping, limits, the management page).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Program, start } from '@varka/demo-kit/test/program.ts';
import { connect } from 'amqplib';
import { topicMatches } from '../src/amqp/exchange.ts';
import { rabbitmqInstalled } from '../src/amqp/rabbitmq.ts';
import { freePort } from '../src/engine.ts';
import { amqpContract, inbox } from './amqp-contract.ts';

const MODULE = new URL('../src/amqp.ts', import.meta.url);
const EMBEDDED = ['--engine', 'embedded'];

async function engine(t: TestContext, env: Record<string, string> = {}, args: string[] = []): Promise<Program> {
  const program = await start(MODULE, env, [...EMBEDDED, ...args]);
  t.after(() => program.process.kill('SIGKILL'));
  return program;
}

const url = ({ port }: Program): string => `amqp://guest:guest@127.0.0.1:${port}`;

for (const [name, which, skip] of [
  ['embedded', 'embedded', false],
  ['RabbitMQ', 'rabbitmq', rabbitmqInstalled() ? false : 'no rabbitmq-server on this machine'],
] as const) {
  amqpContract(name, skip, async () => {
    const program = await start(MODULE, {}, ['--engine', which]);
    return { port: program.port, stop: async () => assert.equal(await program.stop(), 0) };
  });
}

describe('the embedded AMQP broker', () => {
  it('keeps durable queues, their bindings and persistent messages in DATA_DIR, and nothing else', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'varka-amqp-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const first = await engine(t, { DATA_DIR: directory });
    assert.match(first.startLine, /^amqp: embedded broker \(AMQP 0-9-1\) on :\d+, \/.*varka-amqp-test-/);
    const before = await connect(url(first));
    before.on('error', () => undefined);
    const channel = await before.createConfirmChannel();
    await channel.assertExchange('events', 'fanout', { durable: true });
    await channel.assertQueue('kept', { durable: true });
    await channel.assertQueue('dropped', { durable: false });
    for (const queue of ['kept', 'dropped']) await channel.bindQueue(queue, 'events', '');
    for (const [body, persistent] of [
      ['one', true],
      ['two', false],
      ['three', true],
      ['four', true],
    ] as const) {
      channel.publish('events', '', Buffer.from(body), { persistent, headers: { body } });
    }
    await channel.waitForConfirms();
    const taken = await channel.get('kept');
    assert.ok(taken !== false);
    channel.ack(taken);
    await channel.checkQueue('kept');
    first.process.kill('SIGKILL');
    await once(first.process, 'exit');

    const second = await engine(t, { DATA_DIR: directory });
    const after = await connect(url(second));
    const again = await after.createChannel();
    again.publish('events', '', Buffer.from('five'));
    const box = await inbox(again, 'kept', { noAck: true });
    const messages = [await box.next(), await box.next(), await box.next()];
    assert.deepEqual(
      messages.map(({ content }) => content.toString()),
      ['three', 'four', 'five'],
    );
    assert.deepEqual(messages[0]?.properties.headers, { body: 'three' });
    again.on('error', () => undefined);
    await assert.rejects(again.checkQueue('dropped'), /NOT_FOUND/);
    await after.close();
    assert.equal(await second.stop(), 0);
  });

  it('takes the user and password of RABBITMQ_DEFAULT_USER and _PASS', async (t) => {
    const program = await engine(t, { RABBITMQ_DEFAULT_USER: 'me', RABBITMQ_DEFAULT_PASS: 'p@ss' });
    await assert.rejects(connect(url(program)), /ACCESS[_-]REFUSED/);
    await (await connect(`amqp://me:p%40ss@127.0.0.1:${program.port}`)).close();
  });

  it('takes them of a RABBITMQ_CONFIG_FILE too, and ends when there is none', async (t) => {
    const file = join(mkdtempSync(join(tmpdir(), 'varka-amqp-test-')), 'rabbitmq.conf');
    const env = { RABBITMQ_CONFIG_FILE: file, PORT: '0' };
    const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(MODULE), '--engine', 'embedded'], {
      env,
      encoding: 'utf8',
    });
    assert.deepEqual([status, /^RABBITMQ_CONFIG_FILE: ENOENT/.test(stderr)], [2, true], stderr);
    writeFileSync(file, '# ours\ndefault_user = me\nheartbeat = 30\n  default_pass=p@ss \n');
    const program = await engine(t, env);
    await (await connect(`amqp://me:p%40ss@127.0.0.1:${program.port}`)).close();
  });

  it('says of an argument it does not carry out that it does not', async (t) => {
    const program = await engine(t);
    const connection = await connect(url(program));
    const ended = new Promise<Error>((resolve) => connection.once('error', resolve));
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    channel
      .assertQueue('q', { arguments: { 'x-queue-type': 'classic', 'x-message-ttl': 1000 } })
      .catch(() => undefined);
    assert.match((await ended).message, /NOT_IMPLEMENTED - queue argument 'x-message-ttl'/);
  });

  it('ends a conversation that is none, and serves the others on', async (t) => {
    const program = await engine(t);
    const greeting = 'AMQP\0\0\x09\x01';
    for (const [bytes, answer] of [
      ['GET / HTTP/1.1\r\n\r\n', greeting],
      ['AMQP\0\x01\0\x0a', greeting],
      [`${greeting}\x01\0\0\xff\xff\xff\xff`, 'FRAME_ERROR - a frame of 4294967295 bytes'],
      [`${greeting}\x01\0\0\0\0\0\x04\0\x0a\0\x0bx`, 'FRAME_ERROR - a frame does not end'],
      [`${greeting}\x01\0\0\0\0\0\x04\0\x0a\0\x0b\xce`, 'FRAME_ERROR - a frame is shorter'],
      [`${greeting}\x01\0\0\0\0\0\x04\0\x5a\0\x0a\xce`, 'NOT_IMPLEMENTED - method 90.10'],
      [`${greeting}\x01\0\x01\0\0\0\x05\0\x14\0\x0a\0\xce`, 'COMMAND_INVALID - the connection is not open yet'],
    ] as const) {
      const socket = connectTcp(program.port, '127.0.0.1');
      let heard = '';
      socket.setEncoding('latin1').on('data', (text: string) => {
        heard += text;
      });
      socket.write(Buffer.from(bytes, 'latin1'));
      await once(socket, 'close');
      assert.ok(heard.includes(answer), `${JSON.stringify(bytes)}: ${JSON.stringify(heard)}`);
    }
    await (await connect(url(program))).close();
  });

  it('shows its queues on the management page and in its API, to those who log in', async (t) => {
    const management = await freePort();
    const program = await engine(t, {}, ['--management', '--management-port', String(management)]);
    const connection = await connect(url(program));
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('a<b', { durable: true });
    for (let n = 0; n < 3; n++) channel.sendToQueue('a<b', Buffer.from('m'));
    await channel.waitForConfirms();
    await channel.get('a<b');
    const ask = async (path: string, password = 'guest') => {
      const authorization = `Basic ${Buffer.from(`guest:${password}`).toString('base64')}`;
      const response = await fetch(`http://127.0.0.1:${management}${path}`, { headers: { authorization } });
      return { status: response.status, text: await response.text() };
    };
    assert.equal((await ask('/', 'wrong')).status, 401);
    assert.match((await ask('/')).text, /<td>a&#60;b<td>D<td>0<td>2<td>1<td>3/);
    const [queue] = JSON.parse((await ask('/api/queues')).text) as Record<string, unknown>[];
    assert.deepEqual(
      [queue?.['name'], queue?.['messages'], queue?.['messages_ready'], queue?.['messages_unacknowledged']],
      ['a<b', 3, 2, 1],
    );
    assert.equal(JSON.parse((await ask('/api/overview')).text).queue_totals.messages, 3);
    assert.equal((await ask('/api/none')).status, 404);

    const exporter = await start(new URL('../src/rabbitmq-exporter.ts', import.meta.url), {
      RABBIT_URL: `http://127.0.0.1:${management}`,
    });
    t.after(() => exporter.process.kill('SIGKILL'));
    const { text } = await exporter.get('/metrics');
    assert.match(text, /^rabbitmq_up 1$/m);
    assert.match(text, /^rabbitmq_queue_messages_ready\{queue="a<b",vhost="\/"\} 2$/m);
    await connection.close();
    await program.stop();
    assert.match((await exporter.get('/metrics')).text, /^rabbitmq_up 0$/m);
  });
});

describe('topic patterns', () => {
  it('take * for one word and # for any number', () => {
    for (const [pattern, key, expected] of [
      ['#', '', true],
      ['#', 'a.b', true],
      ['*', 'a', true],
      ['*', 'a.b', false],
      ['a.#', 'a', true],
      ['a.#.b', 'a.b', true],
      ['a.#.b', 'a.x.y.b', true],
      ['#.#', 'a', true],
      ['a.*.c', 'a.b.c', true],
      ['a.*.c', 'a.c', false],
      ['a', 'A', false],
    ] as const) {
      assert.equal(topicMatches(pattern.split('.'), key.split('.')), expected, `${pattern} on ${key}`);
    }
  });
});

// Commands in containers, and clients at their programs. Runs where pods can be, against an API in memory.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandOptions, CommandSession } from '@varka/kube/server/pod-backend.ts';
import { isStatus } from '@varka/kube/status-error.ts';
import { countProcesses, createNetwork, isReady, pod, startCluster } from '../support/cluster.ts';

const network = createNetwork();
const cluster = await startCluster({
  network,
  images: [
    {
      image: 'example/shell',
      program: {
        entrypoint: ['/bin/sh', '-c'],
        env: { COLOUR: 'blue' },
        workingDir: '/usr',
        commands: { greet: ['/bin/sh', '-c', 'echo "hello $0 in $COLOUR"'] },
      },
    },
  ],
});
const { backend } = cluster.node;

after(async () => {
  await cluster.stop();
  await network.close();
});

const plain: CommandOptions = { container: 'main', stdin: false, stdout: true, stderr: true, tty: false };
const running = (name: string, script: string, more: object = {}, spec: object = {}) =>
  cluster.createPod(
    pod(name, {
      terminationGracePeriodSeconds: 0,
      ...spec,
      containers: [
        { name: 'main', image: 'example/shell', args: [script], env: [{ name: 'OWN', value: 'yes' }], ...more },
      ],
    }),
  );
const exec = (
  name: string,
  command: readonly string[],
  options: Partial<CommandOptions> = {},
  signal = new AbortController().signal,
) => backend.exec('default', name, command, { ...plain, ...options }, signal);

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function outcome(session: CommandSession) {
  const [out, err, code] = await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exited]);
  return { out, err, code };
}

/** The first output that matches. */
async function until(stream: Readable, pattern: RegExp): Promise<void> {
  let text = '';
  while (!pattern.test(text)) {
    const [chunk] = await once(stream, 'data');
    text += chunk;
  }
}

test('a command has its container’s surroundings and the stand-ins of its image', async () => {
  await running('one', 'sleep 1000');
  await cluster.pod('one', isReady);
  assert.deepEqual(await outcome(await exec('one', ['sh', '-c', 'echo "$OWN $COLOUR $PWD"; echo no >&2; exit 9'])), {
    out: 'yes blue /usr\n',
    err: 'no\n',
    code: 9,
  });
  assert.equal((await outcome(await exec('one', ['greet', 'you']))).out, 'hello you in blue\n');
  const session = await exec('one', ['cat'], { stdin: true });
  session.stdin?.end('through');
  assert.equal((await outcome(session)).out, 'through');
});

test('on a terminal a command learns its kind and size', async () => {
  const session = await exec(
    'one',
    ['sh', '-c', 'stty size; echo "$TERM"; read answer; echo "got $answer"; stty size'],
    {
      stdin: true,
      stderr: false,
      tty: true,
    },
  );
  session.resize?.({ columns: 99, rows: 11 });
  session.stdin?.write('it\n');
  const { out, code } = await outcome(session);
  assert.match(out, /xterm\r\n.*got it\r\n11 99\r\n$/s);
  assert.equal(code, 0);
});

test('what cannot be started, and containers that do not run', async () => {
  await assert.rejects((await exec('one', ['/no/such/program'])).exited, (error) => {
    assert.ok(isStatus(error, 'InternalError'));
    assert.match(error.message, /error executing command in container: exec: "\/no\/such\/program": no such program/);
    return true;
  });
  await running('over', 'true', {}, { restartPolicy: 'Never' });
  await cluster.pod('over', ({ status }) => status?.phase === 'Succeeded');
  await assert.rejects(exec('over', ['true']), /container not found \("main"\)/);
  await assert.rejects(exec('one', ['true'], { container: 'other' }), /container not found \("other"\)/);
  await assert.rejects(exec('none', ['true']), /pods "none" not found/);
});

test('a command ends with its client, all that it has started too', async () => {
  const before = countProcesses();
  const client = new AbortController();
  const session = await exec('one', ['sh', '-c', 'sleep 1000 & echo up; sleep 1000'], {}, client.signal);
  await until(session.stdout, /up/);
  session.stderr.resume();
  client.abort();
  assert.equal(await session.exited, 137);
  // Killed is not yet gone.
  for (let looks = 0; countProcesses() !== before && looks < 200; looks++) await delay(10);
  assert.equal(countProcesses(), before);
});

test('a slow reader gets all of it, long after the command has ended', async () => {
  const session = await exec('one', ['sh', '-c', 'head -c 60000 /dev/zero']);
  session.stderr.resume();
  // It fits into the pipe: the command is over before anybody reads.
  assert.equal((await outcome(await exec('one', ['true']))).code, 0);
  assert.equal((await textOf(session.stdout)).length, 60_000);
  assert.equal(await session.exited, 0);
});

test('a command ends with its container', async () => {
  await running('short', 'until [ -e "$HOME/end" ]; do sleep 0.05; done', {}, { restartPolicy: 'Never' });
  await cluster.pod('short', isReady);
  const session = await exec('short', ['sh', '-c', 'echo up; touch "$HOME/end"; exec sleep 1000']);
  const { out, code } = await outcome(session);
  assert.deepEqual([out, code], ['up\n', 137]);
});

test('attach: to a program that reads, by one client after the other', async (t) => {
  // Node warns of listeners that nobody takes off again, from the eleventh on.
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  await running('reader', 'while read -r line; do echo "got $line"; done; echo end', { stdin: true });
  await cluster.pod('reader', isReady);
  for (let turn = 1; turn <= 12; turn++) {
    const word = `word-${turn}`;
    const client = new AbortController();
    const session = await backend.attach('default', 'reader', { ...plain, stdin: true }, client.signal);
    session.stdin?.write(`${word}\n`);
    await until(session.stdout, new RegExp(`got ${word}\n`));
    session.stderr.resume();
    client.abort();
    assert.equal(await session.exited, undefined);
  }
  assert.deepEqual(warnings, []);
});

test('attach: stdinOnce ends the input with its client; the session ends with the program', async () => {
  await running('once', 'cat; echo end', { stdin: true, stdinOnce: true }, { restartPolicy: 'Never' });
  await cluster.pod('once', isReady);
  const session = await backend.attach('default', 'once', { ...plain, stdin: true }, new AbortController().signal);
  session.stdin?.end('last words\n');
  assert.deepEqual(await outcome(session), { out: 'last words\nend\n', err: '', code: 0 });
  assert.equal((await cluster.pod('once', ({ status }) => status?.phase === 'Succeeded')).status?.phase, 'Succeeded');
});

test('attach: a program with a terminal of its own', async () => {
  await running('terminal', 'sh', { stdin: true, tty: true }, { restartPolicy: 'Never' });
  await cluster.pod('terminal', isReady);
  const options = { ...plain, stdin: true, stderr: false, tty: true };
  const session = await backend.attach('default', 'terminal', options, new AbortController().signal);
  session.resize?.({ columns: 70, rows: 7 });
  session.stdin?.write('stty size\n');
  await until(session.stdout, /7 70\r\n/);
  session.stderr.resume();
  session.stdin?.write('exit\n');
  assert.equal(await session.exited, 0);
});

test('attach: a client that falls behind is let go, the program goes on', async () => {
  const script =
    'until [ -e "$HOME/go" ]; do sleep 0.05; done; head -c 8000000 /dev/zero; touch "$HOME/done"; sleep 1000';
  await running('fast', script);
  await cluster.pod('fast', isReady);
  const session = await backend.attach('default', 'fast', plain, new AbortController().signal);
  const ready = await exec('fast', ['sh', '-c', 'touch "$HOME/go"; until [ -e "$HOME/done" ]; do sleep 0.05; done']);
  assert.equal((await outcome(ready)).code, 0);
  const got = (await textOf(session.stdout)).length;
  assert.ok(got > 0 && got < 4_000_000, `${got} bytes were kept for it`);
});

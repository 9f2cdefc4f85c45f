// The program: flags, start, signals and exit status.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { eventually, freePort, get, httpBackend, tcpBackend } from './support/backends.ts';
import { bootstrapJson } from './support/proxy.ts';
import { address, chain, http, listener, routesTo, staticCluster } from './support/resources.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;

interface Run {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  output(): string;
}

function run(t: TestContext, args: readonly string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  t.after(() => child.kill('SIGKILL'));
  return { child, exit: promise, output: () => text };
}

async function config(upstream: number): Promise<{ json: JsonObject; port: number; admin: number }> {
  const [port, admin] = [await freePort(), await freePort()];
  const statics = {
    clusters: [staticCluster('c', [upstream])],
    listeners: [listener('in', [chain(http(routesTo('r', 'c')))], { address: address(port) })],
  };
  return { json: { ...bootstrapJson(statics), admin: { address: address(admin) } }, port, admin };
}

const started = (it: Run) =>
  eventually(() => it.output().includes('started in'), `start; so far: ${it.output()}`, 15_000);

const BAD: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no configuration', [], /exactly one of --config-yaml and --config-path is needed[\s\S]*usage: /],
  ['an unknown flag', ['--made-up'], /Unknown option '--made-up'[\s\S]*usage: /],
  ['what is not JSON', ['--config-yaml', 'a: b'], /--config-yaml: not valid JSON/],
];

// Each waits for a process most of its time, so they run side by side.
describe('the program', { concurrency: true }, () => {
  test('serves what --config-yaml says, says so, and ends in peace on SIGTERM', async (t) => {
    const backend = await httpBackend(t, 'one');
    const { json, port, admin } = await config(backend.port);
    const it = run(t, ['--config-yaml', JSON.stringify(json)]);
    await started(it);
    assert.equal((await get(port)).status, 200);
    assert.deepEqual(await get(admin, '/ready'), { status: 200, body: 'LIVE\n' });
    it.child.kill('SIGTERM');
    await eventually(async () => (await get(admin, '/ready')).status === 503, 'not ready any more');
    // Those who have not heard are still served for a moment.
    assert.equal((await get(port)).status, 200);
    assert.equal(await it.exit, 0);
    assert.match(it.output(), /\]\[info\]\[main\] started in \d+ ms/);
    assert.match(it.output(), /\]\[warning\]\[main\] SIGTERM: draining/);
  });

  test('a request that is under way when the signal comes is answered', async (t) => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<Socket>();
    const slow = await tcpBackend(t, (socket) => socket.once('data', () => ask(socket)));
    const { json, port } = await config(slow);
    const directory = mkdtempSync(join(tmpdir(), 'varka-proxy-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'bootstrap.json');
    writeFileSync(path, JSON.stringify(json));
    const it = run(t, ['-c', path]);
    await started(it);
    const pending = get(port);
    await asked;
    it.child.kill('SIGINT');
    await eventually(() => it.output().includes('SIGINT: draining'), 'the signal has come');
    (await asked).end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow');
    assert.deepEqual(await pending, { status: 200, body: 'slow' });
    assert.equal(await it.exit, 0);
  });

  test('exits with 1 and says why', async (t) => {
    const runs = BAD.map(([what, args, words]) => ({ what, words, it: run(t, args) }));
    for (const { what, words, it } of runs) {
      assert.equal(await it.exit, 1, what);
      assert.match(it.output(), words);
      assert.doesNotMatch(it.output(), /\n {4}at /, 'no stack for what the user can put right');
    }
  });

  test('exits with 1 when a static address is taken', async (t) => {
    const backend = await httpBackend(t, 'one');
    const { json } = await config(backend.port);
    const taken = { ...json, admin: { address: address(backend.port) } };
    const it = run(t, ['--config-yaml', JSON.stringify(taken)]);
    assert.equal(await it.exit, 1);
    assert.match(it.output(), new RegExp(`admin: cannot bind '127\\.0\\.0\\.1:${backend.port}'.*EADDRINUSE`));
  });

  test('/quitquitquit ends it', async (t) => {
    const backend = await httpBackend(t, 'one');
    const { json, admin } = await config(backend.port);
    const it = run(t, ['--config-yaml', JSON.stringify(json)]);
    await started(it);
    const response = await fetch(`http://127.0.0.1:${admin}/quitquitquit`, { method: 'POST' });
    assert.equal(await response.text(), 'OK\n');
    assert.equal(await it.exit, 0);
  });
});

// One mesh per profile, whatever way the last one ended.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { acquireLock, lockHolder } from '../src/front/lock.ts';
import { identify, isAlive, waitUntilGone } from '../src/front/process-identity.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-lock-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const freshPath = () => join(directory, `lock-${files++}`);

test('the first gets the lock, the second is told who has it', async () => {
  const path = freshPath();
  const first = await acquireLock(path, '2026-01-02T03:04:05.000Z');
  assert.equal(first.kind, 'held');
  const second = await acquireLock(path, '2026-01-02T03:04:06.000Z');
  assert.equal(second.kind, 'busy');
  if (second.kind === 'busy')
    assert.deepEqual([second.holder.pid, second.holder.startedAt], [process.pid, '2026-01-02T03:04:05.000Z']);
  if (first.kind === 'held') first.release();
  assert.equal(existsSync(path), false);
  assert.equal(lockHolder(path), undefined);
});

test('the lock of a killed process is taken over', async () => {
  const path = freshPath();
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const identity = identify(child.pid!);
  assert.ok(identity !== undefined && isAlive(identity));
  writeFileSync(path, JSON.stringify({ ...identity, startedAt: 'then' }));
  assert.equal((await acquireLock(path, 'now')).kind, 'busy');
  child.kill('SIGKILL');
  assert.ok(await waitUntilGone([identity], 5_000));
  const lock = await acquireLock(path, 'now');
  assert.equal(lock.kind, 'held');
  if (lock.kind === 'held') assert.equal(lock.recovered?.pid, child.pid);
});

test('a process that merely has the number of the dead holder does not keep the lock', async () => {
  const path = freshPath();
  const me = identify(process.pid)!;
  writeFileSync(path, JSON.stringify({ ...me, startTime: String(Number(me.startTime) + 1), startedAt: 'then' }));
  assert.equal((await acquireLock(path, 'now')).kind, 'held');
});

test('a lock from before the last boot does not count', async () => {
  const path = freshPath();
  writeFileSync(path, JSON.stringify({ ...identify(process.pid), bootId: 'another', startedAt: 'then' }));
  assert.equal((await acquireLock(path, 'now')).kind, 'held');
});

test('a damaged lock file does not count', async () => {
  const path = freshPath();
  writeFileSync(path, '{"pid": 1');
  assert.equal((await acquireLock(path, 'now')).kind, 'held');
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid);
});

test('of many that start at once over a dead holder, exactly one wins', async () => {
  const path = freshPath();
  writeFileSync(path, JSON.stringify({ ...identify(process.pid), startTime: '1', startedAt: 'then' }));
  const module = new URL('../src/front/lock.ts', import.meta.url).href;
  const program = `import { acquireLock } from ${JSON.stringify(module)};
    process.stdin.once('data', () => { acquireLock(${JSON.stringify(path)}, 'x').then(({ kind }) => console.log(kind)); process.stdin.once('data', () => process.exit()); });
    console.log('up');`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const lines = children.map((child) => child.stdout.setEncoding('utf8')[Symbol.asyncIterator]());
  for (const line of lines) assert.match(String((await line.next()).value), /up/);
  for (const child of children) child.stdin.write('go\n');
  const results = await Promise.all(lines.map(async (line) => String((await line.next()).value).trim()));
  for (const child of children) child.stdin.write('end\n');
  await Promise.all(children.map((child) => once(child, 'exit')));
  assert.equal(results.filter((result) => result === 'held').length, 1, results.join());
});

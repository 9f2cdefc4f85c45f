// Which processes are a pod's where no kernel keeps them together: what is killed must be its own, and nobody else's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { processesOf, recordSessions, withSessions } from '../src/loopback/belongings.ts';
import { removeFabric } from '../src/loopback/fabric-directory.ts';
import { type ProcessEntry, processEntry } from '../src/sandbox/processes.ts';
import { testFabric } from './support/fabric.ts';

const entry = (pid: number, session: number, startTime: string): ProcessEntry => ({
  ...{ pid, session, startTime, state: 'S', parent: 1, ticks: 0 },
});

test('a session is a pod’s by its number and its leader’s start', () => {
  const leaders = new Map([
    [10, '100'],
    [20, '200'],
    [30, '300'],
    [40, '400'],
  ]);
  const table = [
    entry(10, 10, '100'),
    // The leader has ended, a child goes on; so the number is nobody else's.
    entry(21, 20, '205'),
    // Another process has the number now.
    entry(30, 30, '999'),
    entry(31, 30, '1000'),
  ];
  assert.deepEqual([...withSessions(leaders, table).keys()], [10, 20]);
});

test('a process that has a number of an earlier leader is left alone', async (t) => {
  const { directory } = testFabric();
  const stranger = spawn('sleep', ['1000'], { detached: true });
  t.after(() => stranger.kill('SIGKILL'));
  await once(stranger, 'spawn');
  const pid = stranger.pid as number;
  const own = processEntry(pid)?.startTime ?? '';
  assert.deepEqual(processesOf(directory, new Map([[pid, own]]), '10.244.0.2'), [pid]);
  assert.deepEqual(processesOf(directory, new Map([[pid, `${own}0`]]), '10.244.0.2'), []);
  recordSessions(directory, '10.244.0.2', new Map([[pid, `${own}0`]]));
  assert.equal(removeFabric(directory), true);
  assert.equal(processEntry(pid)?.startTime, own);
});

test('what is noted of a pod does not grow with what it has run, and goes with it', async () => {
  const { directory, network } = testFabric();
  await network.ready;
  const pod = network.createPod({ hostname: 'a', directory, nameserver: '', searches: [], capture: false });
  const run = () => pod.spawn(['sleep', '1000'], { cwd: '/', env: { PATH: process.env['PATH'] ?? '' } });
  const { child: staying } = run();
  await once(staying, 'spawn');
  for (let turn = 0; turn < 3; turn++) {
    const { child } = run();
    await once(child, 'spawn');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const { child: last } = run();
  await once(last, 'spawn');
  const noted = readFileSync(join(directory, 'sessions', pod.ip), 'utf8')
    .trimEnd()
    .split('\n');
  assert.deepEqual(
    noted.map((line) => Number(line.split(' ')[1])),
    [staying.pid, last.pid],
  );
  const ends = Promise.all([once(staying, 'exit'), once(last, 'exit')]);
  await pod.destroy();
  await ends;
  assert.deepEqual(readdirSync(join(directory, 'sessions')), []);
});

// The table of processes: read from /proc and told by ps, both say the same.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { bootId, processEntry, processesByPs, processTable } from '../src/sandbox/processes.ts';

const noPs = spawnSync('ps', ['-p', '1']).error !== undefined && 'there is no ps on this machine';
test('a process, its parent and its session are found', { skip: noPs }, async () => {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => 0, 1000)'], { detached: true });
  await once(child.stdout, 'data');
  const pid = child.pid as number;
  for (const table of [processTable(), processesByPs(), processesByPs(pid)]) {
    const found = table.find((entry) => entry.pid === pid);
    assert.equal(found?.parent, process.pid);
    assert.equal(found?.session, pid);
    assert.notEqual(found?.startTime, '');
    assert.ok((found?.ticks ?? -1) >= 0);
  }
  assert.equal(processEntry(pid)?.startTime, processEntry(pid)?.startTime);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(processEntry(pid), undefined);
  assert.deepEqual(processesByPs(pid), []);
  assert.notEqual(bootId(), '');
});

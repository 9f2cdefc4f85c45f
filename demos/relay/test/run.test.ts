// The relay without a mesh, as a newcomer starts it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portsTaken, withDemo } from '@varka/demo-kit/test/run-alone.ts';
import { parsePage } from './behaviour.ts';

const PORTS = [3020, 3021, 3022, 3023];

test(
  'run.ts starts the four, says what to call, and ends them all on SIGTERM',
  {
    skip: await portsTaken(PORTS),
    timeout: 20_000,
  },
  () =>
    withDemo(new URL('../src/run.ts', import.meta.url), PORTS, async (output) => {
      assert.match(output, /curl localhost:3020/);
      const { names, last } = parsePage(await (await fetch('http://localhost:3020/')).text());
      assert.deepEqual(names, ['frontend', 'middleware', 'backend']);
      assert.match(last, /"time"/);
    }),
);

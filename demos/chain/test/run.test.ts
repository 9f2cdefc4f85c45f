// The chain without a mesh, as a newcomer starts it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portsTaken, withDemo } from '@varka/demo-kit/test/run-alone.ts';

const PORTS = [3000, 3001, 3002, 3003];

test(
  'run.ts starts the four, says what to call, and ends them all on SIGTERM',
  {
    skip: await portsTaken(PORTS),
    timeout: 20_000,
  },
  () =>
    withDemo(new URL('../src/run.ts', import.meta.url), PORTS, async (output) => {
      assert.match(output, /curl localhost:3000/);
      const line = await (await fetch('http://localhost:3000/')).text();
      assert.equal(line, 'Service A <- Service B <- Service C | v1 | local1 | 1\n');
      assert.equal(await (await fetch('http://localhost:3003/')).text(), 'Service C | v2 | local2 | 1');
    }),
);

// hello without a mesh, as a newcomer starts it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portsTaken, withDemo } from '@varka/demo-kit/test/run-alone.ts';

const PORTS = [3010, 3011];

test(
  'run.ts starts two versions, says what to call, and ends them on SIGTERM',
  {
    skip: await portsTaken(PORTS),
    timeout: 20_000,
  },
  () =>
    withDemo(new URL('../src/run.ts', import.meta.url), PORTS, async (output) => {
      for (const [index, port] of PORTS.entries()) {
        assert.match(output, new RegExp(`curl localhost:${port}/api/v1`));
        const response = await fetch(`http://localhost:${port}/api/v1`);
        assert.equal(await response.text(), `Hello my version is: v${index + 1}\n`);
      }
    }),
);

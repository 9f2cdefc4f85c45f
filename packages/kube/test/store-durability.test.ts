import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Store } from '../src/store/store.ts';
import { silent } from './support/api-fixture.ts';

const WRITER = fileURLToPath(new URL('./support/store-writer.ts', import.meta.url));

test('kill -9 loses nothing that was acknowledged, again and again on the same store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varka-kill-'));
  const path = join(folder, 'store.db');
  const acknowledged = new Map<string, string>();
  try {
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [WRITER, path, `r${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [name = '', revision = ''] = line.split(' ');
        acknowledged.set(name, revision);
        lines += 1;
        // In the middle of writing: the child never stops by itself.
        if (lines === 150) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      const store = Store.open({ path, log: silent });
      for (const [name, revision] of acknowledged) {
        assert.equal(
          store.get('things', 'ns', name)?.metadata?.resourceVersion,
          revision,
          `${name} was acknowledged and is lost`,
        );
      }
      assert.ok(store.revision >= Math.max(...[...acknowledged.values()].map(Number)));
      store.close();
    }
    assert.ok(acknowledged.size >= 450);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

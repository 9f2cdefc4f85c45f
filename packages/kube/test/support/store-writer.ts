// Writes objects without end, several at a time, and prints each once the store has acknowledged it.
import { writeSync } from 'node:fs';
import { Store } from '../../src/store/store.ts';
import { silent } from './api-fixture.ts';

const [path = '', prefix = ''] = process.argv.slice(2);
const store = Store.open({ path, log: silent });
for (let n = 0; ; n += 4) {
  const batch = [n, n + 1, n + 2, n + 3].map(async (index) => {
    const name = `${prefix}-${index}`;
    const stored = await store.create('things', {
      kind: 'Thing',
      metadata: { name, namespace: 'ns' },
      pad: 'x'.repeat(200),
    });
    writeSync(1, `${name} ${stored.metadata?.resourceVersion}\n`);
  });
  await Promise.all(batch);
}

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { KubeObject } from '../src/object.ts';
import { Store, type StoreEvent, type StoreOptions } from '../src/store/store.ts';
import {
  RevisionCompacted,
  RevisionConflict,
  StoreCorruptError,
  StoreError,
  StoreFullError,
  StoreLockedError,
  StoreNewerError,
  StoreUnavailableError,
} from '../src/store/store-error.ts';
import { silent } from './support/api-fixture.ts';
import { MemoryLogger } from './support/logger.ts';

const thing = (name: string, extra: object = {}): KubeObject => ({
  kind: 'Thing',
  metadata: { name, namespace: 'ns' },
  ...extra,
});
const revisionOf = (object: KubeObject): string => object.metadata?.resourceVersion ?? '';

describe('the store', () => {
  let folder = '';
  let count = 0;
  let path = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varka-store-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  beforeEach(() => {
    path = join(folder, `${count++}.db`);
  });
  const open = (options: Partial<StoreOptions> = {}) => Store.open({ path, log: silent, ...options });

  test('revisions grow with every write and never fall, not even over a restart', async () => {
    const store = open();
    const one = await store.create('things', thing('one'));
    const two = await store.create('things', thing('two'));
    assert.ok(Number(revisionOf(two)) > Number(revisionOf(one)));
    await store.remove('things', two);
    const last = store.revision;
    store.close();
    const again = open();
    assert.equal(again.revision, last);
    assert.deepEqual(again.get('things', 'ns', 'one'), one);
    assert.equal(again.get('things', 'ns', 'two'), undefined);
    const three = await again.create('things', thing('three'));
    assert.ok(Number(revisionOf(three)) > last);
    again.close();
  });

  test('a write that expects another state is refused, also within one turn of the event loop', async () => {
    const store = open();
    const first = await store.create('things', thing('a'));
    await assert.rejects(
      store.create('things', thing('a')),
      (error) => error instanceof RevisionConflict && error.found === 'present',
    );
    const [left, right] = await Promise.allSettled([
      store.replace('things', thing('a', { by: 'left' }), revisionOf(first)),
      store.replace('things', thing('a', { by: 'right' }), revisionOf(first)),
    ]);
    assert.equal(left.status, 'fulfilled');
    assert.ok(
      right.status === 'rejected' && right.reason instanceof RevisionConflict && right.reason.found === 'changed',
    );
    assert.equal(store.get('things', 'ns', 'a')?.['by'], 'left');
    await assert.rejects(
      store.replace('things', thing('b'), '1'),
      (error) => error instanceof RevisionConflict && error.found === 'absent',
    );
    store.close();
  });

  test('nothing can be seen before it is committed', async () => {
    const store = open();
    const seen: StoreEvent[] = [];
    store.watch('things', store.revision, (event) => seen.push(event));
    const writing = store.create('things', thing('a'));
    assert.equal(store.get('things', 'ns', 'a'), undefined);
    assert.deepEqual(seen, []);
    await writing;
    assert.equal(seen.length, 1);
    store.close();
  });

  test('a watch from a revision sees every later change once, in order, with what was before', async () => {
    const store = open();
    const start = store.revision;
    const first = await store.create('things', thing('a', { n: 1 }));
    const seen: StoreEvent[] = [];
    const stop = store.watch('things', start, (event) => seen.push(event));
    const second = await store.replace('things', thing('a', { n: 2 }), revisionOf(first));
    await store.create('others', thing('x'));
    await store.remove('things', second);
    stop();
    await store.create('things', thing('later'));
    assert.deepEqual(
      seen.map((event) => [event.type, event.object['n'], event.previous?.['n']]),
      [
        ['ADDED', 1, undefined],
        ['MODIFIED', 2, 1],
        ['DELETED', 2, 2],
      ],
    );
    const revisions = seen.map((event) => event.revision);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
    assert.equal(revisionOf(seen[2]?.object ?? {}), String(revisions[2]));
    store.close();
  });

  test('the history is bounded: what lies further back is refused', async () => {
    const store = open({ historySize: 5 });
    const start = store.revision;
    for (let n = 0; n < 20; n++) await store.create('things', thing(`t${n}`));
    assert.throws(() => store.watch('things', start, () => undefined), RevisionCompacted);
    assert.throws(() => store.listAt('things', start), RevisionCompacted);
    store.watch('things', store.revision - 5, () => undefined);
    store.close();
  });

  test('a list at an earlier revision is as it was then', async () => {
    const store = open();
    const a = await store.create('things', thing('a', { n: 1 }));
    const b = await store.create('things', thing('b', { n: 1 }));
    const then = store.revision;
    await store.replace('things', thing('a', { n: 2 }), revisionOf(a));
    await store.remove('things', b);
    await store.create('things', thing('c'));
    assert.deepEqual(
      store.listAt('things', then).items.map((item) => [item.metadata?.name, item['n']]),
      [
        ['a', 1],
        ['b', 1],
      ],
    );
    assert.deepEqual(
      store.list('things').items.map((item) => item.metadata?.name),
      ['a', 'c'],
    );
    store.close();
  });

  test("a watcher's mistake neither stops the others nor the write", async () => {
    const store = open();
    const seen: string[] = [];
    store.watch('things', store.revision, () => {
      throw new Error('mine');
    });
    store.watch('things', store.revision, (event) => seen.push(event.type));
    await store.create('things', thing('a'));
    assert.deepEqual(seen, ['ADDED']);
    store.close();
  });

  test('a file that is no database is refused with what to do', async () => {
    await writeFile(path, 'this is not a database, it only looks like a file'.repeat(100));
    assert.throws(
      open,
      (error) => error instanceof StoreCorruptError && error.message.includes(path) && /move it/.test(error.message),
    );
  });

  test('a damaged row is refused, and named', async () => {
    const store = open();
    await store.create('things', thing('a'));
    store.close();
    const raw = new DatabaseSync(path);
    raw.exec(`UPDATE objects SET value = '{"half'`);
    raw.close();
    assert.throws(open, (error) => error instanceof StoreCorruptError && /things "a"/.test(error.message));
  });

  test('damaged pages are found when the store is opened', async () => {
    const store = open();
    for (let n = 0; n < 200; n++) await store.create('things', thing(`t${n}`, { pad: 'x'.repeat(500) }));
    store.close();
    const raw = new DatabaseSync(path);
    raw.exec('PRAGMA journal_mode = DELETE');
    raw.close();
    const { readFile } = await import('node:fs/promises');
    const bytes = await readFile(path);
    bytes.fill(0xff, 8192, 40_960);
    await writeFile(path, bytes);
    assert.throws(open, StoreCorruptError);
  });

  test('a store in use, a store of the future, and a folder that is not there', () => {
    const store = open();
    assert.throws(open, StoreLockedError);
    store.close();
    const raw = new DatabaseSync(path);
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    assert.throws(open, StoreNewerError);
    path = join(folder, 'missing', 'store.db');
    assert.throws(open, StoreUnavailableError);
  });

  test('when there is no room, writes fail with a clear error, reads go on, and room heals it', async () => {
    const log = new MemoryLogger();
    const store = open({ maxBytes: 256 * 1024, log });
    const kept = await store.create('things', thing('kept'));
    let failure: unknown;
    let written = 0;
    for (; written < 100 && failure === undefined; written++) {
      failure = await store.create('things', thing(`t${written}`, { pad: 'x'.repeat(16_000) })).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    assert.ok(failure instanceof StoreFullError, String(failure));
    assert.match(failure.message, /Free some disk space/);
    await assert.rejects(store.create('things', thing('more', { pad: 'x'.repeat(16_000) })), StoreFullError);
    assert.equal(log.at('error').length, 1, 'told once');
    assert.deepEqual(store.get('things', 'ns', 'kept'), kept);
    assert.equal(store.get('things', 'ns', `t${written - 1}`), undefined);
    for (const object of store.list('things').items.filter((item) => item !== kept))
      await store.remove('things', object);
    await store.create('things', thing('after'));
    assert.match(log.at('info').join(), /can write again/);
    store.close();
    const again = open();
    assert.deepEqual(
      again.list('things').items.map((item) => item.metadata?.name),
      ['after', 'kept'],
    );
    again.close();
  });

  test('large changes shorten the history, so that it cannot fill the memory', async () => {
    const store = open();
    const first = await store.create('things', thing('a'));
    let last = first;
    for (let n = 0; n < 66; n++)
      last = await store.replace('things', thing('a', { n, pad: 'x'.repeat(2 ** 20) }), revisionOf(last));
    assert.throws(() => store.watch('things', Number(revisionOf(first)), () => undefined), RevisionCompacted);
    const seen: number[] = [];
    store.watch('things', store.revision - 5, ({ revision }) => seen.push(revision))();
    assert.equal(seen.length, 5);
    store.close();
  });

  test('the files are their owner’s only', async () => {
    const store = open();
    await store.create('things', thing('secret'));
    for (const file of [path, `${path}-wal`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file);
    store.close();
  });

  test('a closed store refuses writes', async () => {
    const store = open();
    const last = store.create('things', thing('a'));
    store.close();
    await last;
    await assert.rejects(
      store.create('things', thing('b')),
      (error) => error instanceof StoreError && error.code === 'closed',
    );
  });
});

// Programs from many modules: made once, made again when a source changes, and able to find what stays outside.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundlePrograms } from '../src/supervisor/program-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-bundle-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const cache = join(directory, 'cache');
const entry = join(directory, 'source/main.ts');
mkdirSync(join(directory, 'source'));

const other = join(directory, 'source/other.ts');

function source(greeting: string): void {
  writeFileSync(join(directory, 'source/part.ts'), `export const greeting: string = '${greeting}';`);
  writeFileSync(join(directory, 'source/beside.txt'), 'beside the source');
  writeFileSync(
    entry,
    "import koffi from 'koffi'; import { greeting } from './part.ts'; console.log(greeting, typeof koffi.load);",
  );
  writeFileSync(
    other,
    "import { readFileSync } from 'node:fs'; import { greeting } from './part.ts'; console.log(greeting, readFileSync(new URL('beside.txt', import.meta.url), 'utf8'));",
  );
}

async function bundle(): Promise<{ main: string; other: string; built: boolean }> {
  const { paths, built } = await bundlePrograms(cache, [entry, other]);
  return { main: paths[entry] ?? '', other: paths[other] ?? '', built };
}

const run = (path: string) => execFileSync(process.execPath, [path], { encoding: 'utf8' }).trim();

test('bundles run where no node_modules is, and are made again only when a source changed', async () => {
  source('hello');
  const first = await bundle();
  assert.equal(first.built, true);
  assert.equal(run(first.main), 'hello function');
  assert.equal(run(first.other), 'hello beside the source');
  assert.deepEqual(await bundle(), { ...first, built: false });

  source('good day');
  const second = await bundle();
  assert.equal(second.built, true);
  assert.notEqual(second.main, first.main);
  assert.equal(run(second.main), 'good day function');
  assert.equal(run(first.main), 'hello function'); // a sidecar that is just starting still finds it
});

test('a bundle that was deleted is made again', async () => {
  const { main } = await bundle();
  rmSync(main);
  assert.equal((await bundle()).built, true);
  assert.equal(run(main), 'good day function');
});

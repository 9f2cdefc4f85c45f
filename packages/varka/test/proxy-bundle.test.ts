// One file from many modules: made once, made again when a source changes, and able to load what stays outside.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundleProxy } from '../src/supervisor/proxy-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-bundle-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const cache = join(directory, 'cache');
const entry = join(directory, 'source/main.ts');
mkdirSync(join(directory, 'source'));

function source(greeting: string): void {
  writeFileSync(join(directory, 'source/part.ts'), `export const greeting: string = '${greeting}';`);
  writeFileSync(
    entry,
    "import { createRequire } from 'node:module'; import { greeting } from './part.ts'; console.log(greeting, typeof createRequire(import.meta.url)('koffi').load);",
  );
}

const run = (path: string) => execFileSync(process.execPath, [path], { encoding: 'utf8' }).trim();

test('the bundle runs where no node_modules is, and is made again only when a source changed', async () => {
  source('hello');
  const first = await bundleProxy(cache, entry);
  assert.equal(first.built, true);
  assert.equal(run(first.path), 'hello function');
  assert.deepEqual(await bundleProxy(cache, entry), { path: first.path, built: false });

  source('good day');
  const second = await bundleProxy(cache, entry);
  assert.equal(second.built, true);
  assert.notEqual(second.path, first.path);
  assert.equal(run(second.path), 'good day function');
  assert.equal(run(first.path), 'hello function'); // a sidecar that is just starting still finds it
});

test('a bundle that was deleted is made again', async () => {
  const { path } = await bundleProxy(cache, entry);
  rmSync(path);
  assert.deepEqual(await bundleProxy(cache, entry), { path, built: true });
});

// The launcher is plain JavaScript: it has to start, and to find the right Node, on a machine with an older one.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const launcher = fileURLToPath(new URL('../bin/varka.mjs', import.meta.url));
const run = promisify(execFile);

function olderNode(): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'node'));
  return candidates.find((path) => {
    if (!existsSync(path)) return false;
    const major = Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }));
    return major >= 20 && major < 24;
  });
}

test('it runs on this Node, from any directory', async () => {
  const { stdout } = await run(process.execPath, [launcher, 'version'], { cwd: '/' });
  assert.match(stdout, /^varka \d+\.\d+\.\d+ \(node 2[4-9]\./);
});

const older = olderNode();
test('on an older Node it hands over to the one that npm installed', {
  skip: older === undefined ? 'no Node 20 or 22 in PATH' : false,
}, async () => {
  const { stdout } = await run(older ?? '', [launcher, 'version'], { cwd: '/' });
  assert.match(stdout, /\(node 24\./);
  await assert.rejects(run(older ?? '', [launcher, 'upp']), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 1); // the exit code comes through
    assert.match(error.stderr ?? '', /unknown command 'upp'\n\(Did you mean up\?\)/);
    return true;
  });
});

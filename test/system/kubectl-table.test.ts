// What people type: kubectl command lines in order, each with what it must print or change, in one real mesh for every
// kubectl that is here.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deployments, jobs, pods, twins } from './kubectl-table/deployments.ts';
import { files, forms, serverSide } from './kubectl-table/files.ts';
import { generators, rights } from './kubectl-table/generators.ts';
import { type Line, words } from './kubectl-table/line.ts';
import { legacy, meshKinds, operators } from './kubectl-table/mesh-kinds.ts';
import { lastApplied, namespaces, server } from './kubectl-table/namespaces.ts';
import { eventually } from './support/eventually.ts';
import { kubectlOfVersion, newestKubectl } from './support/kubectl.ts';
import { Mesh, type Result } from './support/mesh.ts';
import { must, namespacesAllowed, skipUnless } from './support/peers.ts';

const CHAPTERS = [
  server,
  namespaces,
  lastApplied,
  generators,
  rights,
  files,
  forms,
  serverSide,
  deployments,
  twins,
  pods,
  jobs,
  meshKinds,
  legacy,
  operators,
];
const PATIENCE_MS = 30_000;

function judge({ run, out, err, fails = false }: Line, { code, stdout, stderr }: Result): void {
  const told = `kubectl ${run}\n${stdout}${stderr}`;
  if (fails) assert.notEqual(code, 0, `${told}\nshould have failed`);
  else assert.equal(code, 0, told);
  if (typeof out === 'string') assert.equal(stdout, out, told);
  else if (out !== undefined) assert.match(stdout, out, told);
  if (err !== undefined) assert.match(stderr, err, told);
  else assert.doesNotMatch(stderr, /^error/im, told);
}

for (const [version, peer] of [
  ['1.32', kubectlOfVersion('1.32')],
  ['the newest', newestKubectl()],
] as const) {
  describe(`kubectl ${version}`, { skip: skipUnless(namespacesAllowed(), peer) }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'varka-table-'));
    const mesh = new Mesh({ cwd: folder });
    const type = ({ run, input, env = {} }: Line) => {
      const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      return mesh.run('env', [...variables, must(peer), ...words(run)], input);
    };

    before(async () => {
      for (const [name, text] of CHAPTERS.flatMap((chapter) => Object.entries(chapter.files ?? {}))) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      const up = await mesh.up();
      assert.equal(up.code, 0, up.stdout + up.stderr);
    });
    after(async () => {
      await mesh.dispose();
      rmSync(folder, { recursive: true });
    });

    for (const { about, lines } of CHAPTERS) {
      test(about, async (t) => {
        for (const line of lines) {
          await t.test(`kubectl ${line.run}`, async () => {
            if (line.until !== true) return judge(line, await type(line));
            await eventually(`kubectl ${line.run}`, PATIENCE_MS, async () => {
              const result = await type(line);
              judge(line, result);
              return result;
            });
          });
        }
      });
    }
  });
}

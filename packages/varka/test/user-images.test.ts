// The programs of varka.yaml while Varka runs: built once, read again, and what is said when either fails.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CatalogEntry } from '@varka/node/images/image-catalog.ts';
import { readConfig } from '../src/config.ts';
import { VarkaError } from '../src/errors.ts';
import { UserImages } from '../src/front/user-images.ts';
import type { ProgressEvent } from '../src/protocol.ts';

class Fixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'varka-user-images-'));
  readonly told: ProgressEvent[] = [];
  readonly taken: (readonly CatalogEntry[])[] = [];
  readonly images = new UserImages(this.directory, (event) => {
    this.told.push(event);
    this.#wake();
  });
  #wake: () => void = () => undefined;

  constructor(t: TestContext) {
    t.after(() => {
      this.images.close();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  write(text: string): void {
    writeFileSync(join(this.directory, 'varka.yaml'), text);
  }

  take(): Promise<readonly CatalogEntry[]> {
    return this.images.take(readConfig(this.directory));
  }

  watch(): void {
    this.images.watch((entries) => {
      this.taken.push(entries);
    });
  }

  /** As soon as such a thing was told. */
  async hears(wanted: (event: ProgressEvent) => boolean): Promise<ProgressEvent> {
    for (;;) {
      const found = this.told.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const row = (build: string): string =>
  `images: [{ image: my/app, command: [./app], build: ${JSON.stringify(build)} }]\n`;

test('a build runs once, in its directory, as a step', async (t) => {
  const fixture = new Fixture(t);
  fixture.write(row('echo x >> built; pwd > where'));
  assert.equal((await fixture.take())[0]?.program.entrypoint[0], join(fixture.directory, 'app'));
  await fixture.take();
  assert.equal(readFileSync(join(fixture.directory, 'built'), 'utf8'), 'x\n');
  assert.equal(readFileSync(join(fixture.directory, 'where'), 'utf8').trim(), fixture.directory);
  assert.deepEqual(
    fixture.told.map((event) => `${event.kind} ${'label' in event ? event.label : ''}`),
    ['begin building my/app', 'update built my/app', 'done built my/app'],
  );
});

test('a build that fails is told with its last lines', async (t) => {
  const fixture = new Fixture(t);
  fixture.write(row('seq 30; echo "no compiler" >&2; exit 3'));
  await assert.rejects(fixture.take(), (error) => {
    assert.ok(error instanceof VarkaError);
    assert.match(
      error.problem.what,
      /^varka\.yaml: the build of image my\/app failed \(exit code 3\): \/bin\/sh -c seq 30/,
    );
    assert.match(error.problem.why, /its last lines:[\s\S]*30\n\s*no compiler$/);
    assert.doesNotMatch(error.problem.why, /\n\s*7\n/);
    return true;
  });
  fixture.write('images: [{ image: my/app, command: [./app], build: [no-such-program] }]');
  await assert.rejects(fixture.take(), /no-such-program/);
});

test('the file is read again when it changes; what is wrong with it is told and changes nothing', async (t) => {
  const fixture = new Fixture(t);
  fixture.write('images: []');
  await fixture.take();
  fixture.watch();
  fixture.write('images: [{ image: my/app, command: [sh] }]');
  await fixture.hears(({ kind }) => kind === 'note');
  assert.equal(fixture.taken.at(-1)?.[0]?.image, 'my/app');
  fixture.write('images: [{ image: my/app, command: [no-such-program] }]');
  const wrong = await fixture.hears(({ kind }) => kind === 'problem');
  assert.ok(wrong.kind === 'problem' && wrong.problem.name === 'config-invalid');
  fixture.told.length = 0;
  fixture.write(row('exit 1'));
  const failed = await fixture.hears(({ kind }) => kind === 'problem');
  assert.ok(failed.kind === 'problem' && failed.problem.name === 'build-failed');
  assert.equal(fixture.taken.length, 1);
});

test('a build under way ends with Varka', async (t) => {
  const fixture = new Fixture(t);
  fixture.write(row('echo $$ > pid; sleep 1000'));
  const taking = fixture.take();
  await fixture.hears(({ kind }) => kind === 'begin');
  fixture.images.close();
  await assert.rejects(taking, /signal SIGKILL/);
});

test('a build ends with Varka though something that it started goes on', { timeout: 30_000 }, async (t) => {
  const fixture = new Fixture(t);
  const escapes = `child_process.spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }).pid`;
  fixture.write(row(`"${process.execPath}" -e "fs.writeFileSync('pid', String(${escapes}))"; sleep 1000`));
  const taking = fixture.take();
  const pidFile = join(fixture.directory, 'pid');
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await new Promise(setImmediate);
  const escaped = Number(readFileSync(pidFile, 'utf8'));
  t.after(() => process.kill(escaped, 'SIGKILL'));
  fixture.images.close();
  await assert.rejects(taking, /signal SIGKILL/);
});

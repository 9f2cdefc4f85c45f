// The SQL engine: the contract beside PostgreSQL, and what only ours does (keeping, seeding, limits).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Program, start } from '@varka/demo-kit/test/program.ts';
import pg from 'pg';
import { sqlContract } from './sql-contract.ts';
import { skipUnlessInstalled, startPostgres } from './support/real-engine.ts';

const MODULE = new URL('../src/sql.ts', import.meta.url);

/** Stopped with the test, however that ends. */
async function engine(t: TestContext, env: Record<string, string> = {}, args: string[] = []): Promise<Program> {
  const program = await start(MODULE, env, args);
  t.after(() => program.process.kill('SIGKILL'));
  return program;
}

async function client(program: Program, password?: string, database = 'x'): Promise<pg.Client> {
  const one = new pg.Client({
    host: '127.0.0.1',
    port: program.port,
    user: 'demo',
    database,
    ...(password === undefined ? {} : { password }),
  });
  await one.connect();
  return one;
}

sqlContract('embedded', false, async () => {
  const program = await start(MODULE);
  return { port: program.port, stop: async () => assert.equal(await program.stop(), 0) };
});

sqlContract('PostgreSQL', skipUnlessInstalled('initdb', 'postgresql'), startPostgres);

describe('the SQL engine', () => {
  it('says what it is when it is ready, keeps data in DATA_DIR and seeds it once', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'varka-sql-test-'));
    const seed = join(directory, 'seed.sql');
    writeFileSync(
      seed,
      'CREATE TABLE t (n INT); -- one; comment\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);',
    );
    for (const expected of [2, 3]) {
      const program = await engine(t, { DATA_DIR: directory }, ['--init', seed]);
      assert.match(program.startLine, /^sql: SQLite behind PostgreSQL's protocol on :\d+, \/.*varka-sql-test-/);
      const one = await client(program);
      assert.equal((await one.query('SELECT n FROM t')).rowCount, expected);
      await one.query('INSERT INTO t VALUES (3)');
      program.process.kill('SIGKILL');
      one.on('error', () => undefined);
      await once(program.process, 'exit');
    }
    rmSync(directory, { recursive: true });
  });

  it('keeps nothing of a broken seed script, and says where it is broken', () => {
    const directory = mkdtempSync(join(tmpdir(), 'varka-sql-test-'));
    const seed = join(directory, 'seed.sql');
    writeFileSync(seed, 'CREATE TABLE t (n INT); INSERT INTO missing VALUES (1)');
    const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(MODULE), '--port', '0', '--init', seed], {
      env: { TMPDIR: directory },
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^the seed script failed, nothing of it was kept: .*seed\.sql: no such table: missing, in: INSERT/m,
    );
    assert.deepEqual(readdirSync(directory), ['seed.sql']);
    rmSync(directory, { recursive: true });
  });

  it('keeps databases apart, each a copy of the seeded template when it is new', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'varka-sql-test-'));
    const seed = join(directory, 'seed.sql');
    writeFileSync(seed, 'CREATE TABLE t (n INT); INSERT INTO t VALUES (1)');
    const program = await engine(t, { DATA_DIR: directory }, ['--init', seed]);
    const rows = async (database: string): Promise<number | null> => {
      const one = await client(program, undefined, database);
      await one.query('INSERT INTO t VALUES (2)');
      const { rowCount } = await one.query('SELECT n FROM t');
      await one.end();
      return rowCount;
    };
    assert.deepEqual([await rows('Stock'), await rows('Stock'), await rows('../x.y')], [2, 3, 2]);
    assert.ok(readdirSync(directory).every((name) => !name.startsWith('..')));
    await assert.rejects(client(program, undefined, 'x'.repeat(64)), { code: '3D000' });
    await Promise.all(
      Array.from({ length: 97 }, (_, at) => client(program, undefined, `d${at}`).then((one) => one.end())),
    );
    await assert.rejects(client(program, undefined, 'one-more'), { code: '53400' });
    assert.equal(await program.stop(), 0);
    rmSync(directory, { recursive: true });
  });

  it('checks the password when POSTGRES_PASSWORD is set', async (t) => {
    const program = await engine(t, { POSTGRES_PASSWORD: 'secret' });
    await assert.rejects(client(program, 'wrong'), { code: '28P01' });
    const one = await client(program, 'secret');
    assert.equal((await one.query('SELECT 1 AS one')).rows[0]?.one, 1);
    await one.end();
  });

  it('lets no client near other files, or at what the connections share', async (t) => {
    const program = await engine(t);
    const one = await client(program);
    for (const sql of ["ATTACH '/tmp/other' AS other", 'PRAGMA journal_mode = DELETE', 'PRAGMA user_version = 7']) {
      await assert.rejects(one.query(sql), { code: '42501' }, sql);
    }
    await one.end();
  });

  it('ends a conversation that is none, and serves the others on', async (t) => {
    const program = await engine(t);
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\xff\xff\xff\xff',
      '\0\0\0\x08\0\x02\0\0',
      '\0\0\0\x09\0\x03\0\0\0Q\xff\xff\xff\xff',
    ]) {
      const socket = connectTcp(program.port, '127.0.0.1');
      socket.resume();
      socket.write(Buffer.from(bytes, 'latin1'));
      await once(socket, 'close');
    }
    const one = await client(program);
    one.on('error', () => undefined);
    await assert.rejects(one.query({ text: 'SELECT $1', values: ['x'.repeat(17 * 1024 * 1024)] }), { code: '08P01' });
    const other = await client(program);
    await assert.rejects(
      other.query(
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT printf('%.*c', 1000000, 'x') FROM r",
      ),
      { code: '54000' },
    );
    assert.equal((await other.query('SELECT 1 AS one')).rows[0]?.one, 1);
    await other.end();
  });

  it('refuses what it does not know, in one clear line', () => {
    const run = (args: string[], env: Record<string, string> = {}) =>
      spawnSync(process.execPath, [fileURLToPath(MODULE), ...args], { env, encoding: 'utf8' });
    assert.deepEqual(
      [run(['--port', 'x']).status, run(['--port', 'x']).stderr],
      [1, 'PORT is "x"; it must be a number from 0 to 65535\n'],
    );
    assert.match(run(['--what']).stderr, /Unknown option '--what'[\s\S]*usage: sql \[--port VALUE\] \[--init VALUE\]/);
  });
});

// What the demos rely on of a SQL server, as the stock client sees it: the embedded engine and PostgreSQL alike.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { installed, type RunningEngine } from './support/real-engine.ts';

export function sqlContract(name: string, skip: string | false, start: () => Promise<RunningEngine>): void {
  describe(`SQL: ${name}`, { skip }, () => {
    let engine: RunningEngine;
    let client: pg.Client;
    const connect = async (): Promise<pg.Client> => {
      const other = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'demo', database: 'postgres' });
      await other.connect();
      return other;
    };
    before(async () => {
      engine = await start();
      client = await connect();
      await client.query(`CREATE TABLE customer (
        id SERIAL PRIMARY KEY, name VARCHAR(50) NOT NULL, email TEXT UNIQUE, age INT, balance DOUBLE PRECISION,
        active BOOLEAN, profile JSONB, joined TIMESTAMPTZ, photo BYTEA, visits BIGINT DEFAULT 0, CHECK (age >= 0))`);
    });
    after(async () => {
      await client?.end();
      await engine?.stop();
    });

    it('gives back every type as pg has it', async () => {
      const joined = new Date('2024-05-06T07:08:09.123Z');
      const { rows, rowCount, command } = await client.query(
        `INSERT INTO customer (name, email, age, balance, active, profile, joined, photo)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *`,
        ["O'Hara \u{1F9E6}", 'o@example.com', 41, 12.5, true, { tags: ['a', 1] }, joined, Buffer.from([0, 255, 10])],
      );
      assert.deepEqual([rowCount, command], [1, 'INSERT']);
      assert.deepEqual(rows, [
        {
          id: 1,
          name: "O'Hara \u{1F9E6}",
          email: 'o@example.com',
          age: 41,
          balance: 12.5,
          active: true,
          profile: { tags: ['a', 1] },
          joined,
          photo: Buffer.from([0, 255, 10]),
          visits: '0',
        },
      ]);
    });

    it('gives nulls, and rows in order', async () => {
      await client.query("INSERT INTO customer (name, active) VALUES ('b', false), ('c', NULL)");
      const { rows, fields } = await client.query(
        'SELECT name, active, age FROM customer WHERE email IS NULL ORDER BY name DESC',
      );
      assert.deepEqual(rows, [
        { name: 'c', active: null, age: null },
        { name: 'b', active: false, age: null },
      ]);
      assert.deepEqual(
        fields.map((field) => [field.name, field.dataTypeID]),
        [
          ['name', 1043],
          ['active', 16],
          ['age', 23],
        ],
      );
    });

    it('compares parameters with columns by the column’s type', async () => {
      assert.equal((await client.query('SELECT name FROM customer WHERE active = $1', [false])).rows[0]?.name, 'b');
      assert.equal((await client.query('SELECT name FROM customer WHERE id = $1', ['2'])).rows[0]?.name, 'b');
      assert.equal((await client.query('UPDATE customer SET name = $1 WHERE id = $2', ['007', 3])).rowCount, 1);
      assert.equal((await client.query('SELECT name FROM customer WHERE name = $1', ['007'])).rows[0]?.name, '007');
      const since = await client.query('SELECT id FROM customer WHERE joined > $1', ['2024-05-06T09:08:09+02:00']);
      assert.deepEqual(since.rows, [{ id: 1 }]);
      assert.equal(
        (await client.query('SELECT id FROM customer ORDER BY id LIMIT $1 OFFSET $2', [1, 1])).rows[0]?.id,
        2,
      );
      assert.equal((await client.query('SELECT $1::text AS t', ['12'])).rows[0]?.t, '12');
      assert.equal((await client.query('SELECT $1::int + 1 AS n', ['12'])).rows[0]?.n, 13);
    });

    it('updates and deletes by count, and upserts', async () => {
      assert.equal((await client.query('UPDATE customer SET visits = visits + 1')).rowCount, 3);
      const upsert = `INSERT INTO customer (name, email) VALUES ('again', 'o@example.com')
        ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id, name`;
      assert.deepEqual((await client.query(upsert)).rows, [{ id: 1, name: 'again' }]);
      assert.equal((await client.query('DELETE FROM customer WHERE id = $1', [2])).rowCount, 1);
      assert.equal((await client.query('DELETE FROM customer WHERE id = $1', [2])).rowCount, 0);
    });

    it('tells errors by their SQLSTATE, and goes on', async () => {
      for (const [sql, code] of [
        ["INSERT INTO customer (name, email) VALUES ('x', 'o@example.com')", '23505'],
        ['INSERT INTO customer (name) VALUES (NULL)', '23502'],
        ["INSERT INTO customer (name, age) VALUES ('x', -1)", '23514'],
        ['SELEC 1', '42601'],
        ['SELECT (1', '42601'],
        ['SELECT * FROM missing', '42P01'],
        ['SELECT missing FROM customer', '42703'],
        ['SELECT missing(1)', '42883'],
        ['CREATE TABLE customer (id INT)', '42P07'],
      ] as const) {
        await assert.rejects(client.query(sql), { code }, sql);
        await assert.rejects(client.query({ text: sql, values: [], name: '' }), { code }, sql);
      }
      await assert.rejects(client.query('SELECT id FROM customer WHERE id = $1', ['x']), { code: '22P02' });
      await assert.rejects(client.query('SELECT id FROM customer WHERE id = $1', [1, 2]), { code: '08P01' });
      assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.one, 1);
    });

    it('runs a prepared statement again under its name', async () => {
      for (const name of ['p', 'q', 'r']) {
        const query = { name: 'add', text: 'INSERT INTO customer (name) VALUES ($1) RETURNING name', values: [name] };
        assert.deepEqual((await client.query(query)).rows, [{ name }]);
      }
    });

    it('answers queries in the order they were sent, without waiting', async () => {
      const answers = await Promise.all([1, 2, 3].map((n) => client.query('SELECT $1::int AS n', [n])));
      assert.deepEqual(
        answers.map(({ rows }) => rows[0]?.n),
        [1, 2, 3],
      );
    });

    it('gives several results of one text, all or nothing', async () => {
      const results = (await client.query('SELECT 1 AS a; SELECT 2 AS b')) as unknown as pg.QueryResult[];
      assert.deepEqual(
        results.map(({ rows }) => rows),
        [[{ a: 1 }], [{ b: 2 }]],
      );
      await assert.rejects(client.query("INSERT INTO customer (name) VALUES ('half'); SELECT * FROM missing"));
      assert.equal((await client.query("SELECT id FROM customer WHERE name = 'half'")).rowCount, 0);
      assert.equal((await client.query('-- nothing')).rowCount, null);
    });

    it('shows nothing of a transaction to others before it commits, and nothing after a rollback', async () => {
      const other = await connect();
      const seen = async (who: pg.Client): Promise<number | null> =>
        (await who.query("SELECT id FROM customer WHERE name = 'tx'")).rowCount;
      for (const [word, expected] of [
        ['ROLLBACK', 0],
        ['COMMIT', 1],
      ] as const) {
        await client.query('BEGIN');
        await client.query("INSERT INTO customer (name) VALUES ('tx')");
        assert.deepEqual([await seen(client), await seen(other)], [1, 0]);
        await client.query(word);
        assert.deepEqual([await seen(client), await seen(other)], [expected, expected]);
      }
      await other.end();
    });

    it('ignores everything after an error until the transaction ends', async () => {
      await client.query('BEGIN');
      await client.query("INSERT INTO customer (name) VALUES ('lost')");
      await assert.rejects(client.query('SELECT * FROM missing'), { code: '42P01' });
      await assert.rejects(client.query('SELECT 1'), { code: '25P02' });
      assert.equal((await client.query('COMMIT')).command, 'ROLLBACK');
      assert.equal((await client.query("SELECT id FROM customer WHERE name = 'lost'")).rowCount, 0);
    });

    it('lets clients write at the same time, losing nothing', async () => {
      await client.query('CREATE TABLE counter (n INT NOT NULL)');
      await client.query('INSERT INTO counter VALUES (0)');
      const clients = await Promise.all([1, 2, 3, 4].map(connect));
      await Promise.all(
        clients.map(async (one) => {
          for (let i = 0; i < 10; i++) {
            await one.query('BEGIN');
            await one.query('UPDATE counter SET n = n + 1');
            await one.query('SELECT n FROM counter');
            await one.query('COMMIT');
          }
        }),
      );
      assert.equal((await client.query('SELECT n FROM counter')).rows[0]?.n, 40);
      await Promise.all(clients.map((one) => one.end()));
    });

    it('rolls back what a client leaves behind when it goes', async () => {
      const leaving = await connect();
      await leaving.query('BEGIN');
      await leaving.query("INSERT INTO customer (name) VALUES ('gone')");
      leaving.on('error', () => undefined);
      await leaving.end();
      await client.query("INSERT INTO customer (name) VALUES ('stays')");
      const { rows } = await client.query("SELECT name FROM customer WHERE name IN ('gone', 'stays')");
      assert.deepEqual(rows, [{ name: 'stays' }]);
    });

    it('carries ten thousand rows', async () => {
      await client.query('CREATE TABLE many (n INT, t TEXT)');
      const values = Array.from({ length: 10_000 }, (_, n) => `(${n}, 'row ${n}')`).join(',');
      assert.equal((await client.query(`INSERT INTO many VALUES ${values}`)).rowCount, 10_000);
      const { rows } = await client.query('SELECT n, t FROM many ORDER BY n');
      assert.equal(rows.length, 10_000);
      assert.deepEqual(rows[9_999], { n: 9_999, t: 'row 9999' });
    });

    it('talks to psql', { skip: installed('psql') === undefined ? 'no psql on this machine' : false }, () => {
      const { status, stdout } = spawnSync(
        'psql',
        [`host=127.0.0.1 port=${engine.port} user=demo dbname=postgres`, '-At', '-c', "SELECT 1, 'two', true"],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0);
      assert.match(stdout, /^1\|two\|(t|1)\n$/);
    });
  });
}

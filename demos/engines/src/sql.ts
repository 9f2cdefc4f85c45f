// The SQL engine: SQLite behind PostgreSQL's wire protocol. `--init FILE.sql` is run once, when the data is new.
import { engineArguments, fail, listenEngine } from './engine.ts';
import { Databases } from './sql/database.ts';
import { sqlServer } from './sql/server.ts';

const { port, dataDirectory, flags } = engineArguments('sql', 5432, { init: 'string' });
const init = flags['init'];

const databases = new Databases(dataDirectory);
try {
  if (typeof init === 'string') databases.seed(init);
} catch (error) {
  databases.close();
  fail(`the seed script failed, nothing of it was kept: ${error instanceof Error ? error.message : error}`, 1);
}
listenEngine(
  sqlServer(databases, process.env['POSTGRES_PASSWORD']),
  port,
  (bound) => `sql: SQLite behind PostgreSQL's protocol on :${bound}, ${dataDirectory ?? 'nothing kept'}`,
  () => databases.close(),
);

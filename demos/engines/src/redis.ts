// The Redis engine: redis-server where it is installed, a small server of ours otherwise. `--engine` settles which.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineArguments, fail, freePort, listenEngine } from './engine.ts';
import { installed, sharesMachinesPorts } from './installed.ts';
import { Redis } from './redis/redis.ts';
import { redisServer } from './redis/server.ts';

const { port, dataDirectory, flags } = engineArguments('redis', 6379, { engine: 'string', requirepass: 'string' });
const password = typeof flags['requirepass'] === 'string' ? flags['requirepass'] : undefined;
const server = installed('redis-server');
const engine = flags['engine'] ?? (server === undefined || sharesMachinesPorts() ? 'embedded' : 'redis');

if (engine === 'redis') {
  if (server === undefined) fail('redis-server is not installed; use --engine embedded', 1);
  await runRedisServer(server);
} else if (engine === 'embedded') {
  const redis = new Redis(Date.now, dataDirectory === undefined ? undefined : join(dataDirectory, 'redis.aof'));
  listenEngine(
    redisServer(redis, password),
    port,
    (bound) => `redis: embedded server (RESP 2 and 3) on :${bound}, ${dataDirectory ?? 'nothing kept'}`,
    () => redis.close(),
  );
} else {
  fail(`--engine is "${engine}"; it must be redis or embedded`, 2);
}

async function runRedisServer(program: string): Promise<void> {
  const bound = port === 0 ? await freePort() : port;
  const directory = dataDirectory ?? mkdtempSync(join(tmpdir(), 'varka-redis-'));
  const child = spawn(
    program,
    [
      ...['--port', String(bound), '--bind', process.env['HOST'] ?? '*', '--dir', directory, '--save', ''],
      // Its clients are the pods of one mesh, which come from other addresses.
      ...['--protected-mode', 'no', '--appendonly', dataDirectory === undefined ? 'no' : 'yes'],
      ...(password === undefined ? [] : ['--requirepass', password]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let log = '';
  let ready = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
    if (ready || !/Ready to accept connections/.test(log)) return;
    ready = true;
    console.log(`redis: redis-server on :${bound}, ${dataDirectory ?? 'nothing kept'}`);
  });
  let stopping = false;
  child.once('exit', (code) => {
    if (dataDirectory === undefined) rmSync(directory, { recursive: true, force: true });
    if (!stopping) fail(`redis-server ended with ${code}:\n${log}`, 1);
    process.exit(0);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stopping = true;
      child.kill('SIGTERM');
    });
  }
}

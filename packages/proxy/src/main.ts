// The proxy program: takes the flags of Envoy that matter here, runs until told to stop, drains, and exits.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BootstrapError, parseBootstrap } from './bootstrap.ts';
import { logSink } from './observe/log-sink.ts';
import { LEVELS, type Level, Logger } from './observe/logger.ts';
import { formatEndpoint } from './runtime/addresses.ts';
import { ProxyInstance } from './runtime/proxy-instance.ts';

const USAGE = `usage: varka-proxy (--config-yaml TEXT | --config-path FILE) [--log-level LEVEL] [--drain-time-s SECONDS]
  --config-yaml TEXT     the bootstrap as JSON
  -c, --config-path FILE a file with it
  -l, --log-level LEVEL  one of ${LEVELS.join(', ')} (default info)
  --drain-time-s SECONDS how long connections of removed listeners may go on (default 45)
`;

const VERSION = 'varka/0.1.0';

/** New connections are still taken for so long after SIGTERM: those who balance over us have not all heard yet. */
const LAME_DUCK_MS = 1_000;
/** What is then under way has this long to finish (Istio: terminationDrainDuration). */
const SHUTDOWN_LIMIT_MS = 5_000;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface Settings {
  readonly text: string;
  readonly origin: string;
  readonly level: Level;
  readonly drainTimeMs: number;
}

function readSettings(args: readonly string[]): Settings | 'help' {
  const { values } = parseFlags(args);
  if (values.help === true) return 'help';
  const { 'config-yaml': text, 'config-path': path, 'log-level': level = 'info' } = values;
  if ((text === undefined) === (path === undefined))
    throw new UsageError('exactly one of --config-yaml and --config-path is needed');
  if (!(LEVELS as readonly string[]).includes(level)) throw new UsageError(`--log-level: unknown level ${level}`);
  const seconds = Number(values['drain-time-s'] ?? '45');
  if (!Number.isFinite(seconds) || seconds < 0) throw new UsageError('--drain-time-s: not a number of seconds');
  const common = { level: level as Level, drainTimeMs: seconds * 1000 };
  if (text !== undefined) return { text, origin: '--config-yaml', ...common };
  return { text: readConfig(path!), origin: path!, ...common };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'config-yaml': { type: 'string' },
        'config-path': { type: 'string', short: 'c' },
        'log-level': { type: 'string', short: 'l' },
        'drain-time-s': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new BootstrapError(`--config-path: ${(error as Error).message}`);
  }
}

/** Exit status once there is no more to do. */
async function run(args: readonly string[]): Promise<number> {
  const settings = readSettings(args);
  if (settings === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const logger = new Logger(settings.level, (line) => process.stderr.write(line));
  // Without a listener, a log that nobody reads any more (EPIPE) would end the traffic too.
  process.stderr.on('error', goOnWithoutLog);
  process.on('uncaughtException', (error) => {
    logger.log('critical', 'main', `uncaught: ${error.stack ?? String(error)}`);
    process.exit(1);
  });
  const bootstrap = parseBootstrap(settings.text, settings.origin);
  const proxy = new ProxyInstance({ bootstrap, logger, openLog: logSink, drainTimeMs: settings.drainTimeMs });
  const { promise: told, resolve: tell } = Promise.withResolvers<string>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, tell);
  await proxy.start();
  const admin = await openAdmin(proxy, () => tell('/quitquitquit'));
  logger.log('info', 'main', `started in ${Math.round(performance.now())} ms`);
  const reason = await told;
  logger.log('warning', 'main', `${reason}: draining`);
  await shutDown(proxy);
  admin?.close();
  proxy.stop();
  logger.log('info', 'main', 'exiting');
  return 0;
}

function goOnWithoutLog(): undefined {
  return undefined;
}

/** Loaded behind the listeners: traffic does not wait for it. */
async function openAdmin(proxy: ProxyInstance, quit: () => void): Promise<{ close(): void } | undefined> {
  const { admin } = proxy.bootstrap;
  if (admin === undefined) return undefined;
  const { AdminServer } = await import('./admin/admin-server.ts');
  const server = await AdminServer.open(admin, proxy, { quit, version: VERSION });
  proxy.logger.log('info', 'main', `admin address: ${formatEndpoint(server.endpoint.address, server.endpoint.port)}`);
  return server;
}

async function shutDown(proxy: ProxyInstance): Promise<void> {
  proxy.healthcheckFailed = true;
  proxy.listeners.beginDrain();
  await new Promise((resolve) => setTimeout(resolve, LAME_DUCK_MS));
  await proxy.drain(SHUTDOWN_LIMIT_MS - LAME_DUCK_MS);
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const known = error instanceof UsageError || error instanceof BootstrapError;
  const text = known ? (error as Error).message : ((error as Error).stack ?? String(error));
  process.stderr.write(`varka-proxy: ${text}\n${error instanceof UsageError ? USAGE : ''}`);
  process.exit(1);
}
process.exit();

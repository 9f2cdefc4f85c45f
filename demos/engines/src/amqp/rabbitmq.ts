// RabbitMQ itself as the engine: a node of its own, with its own data, port and port mapper, that ends with us.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fail, freePort } from '../engine.ts';
import type { Credentials } from './connection.ts';

export interface RabbitmqOptions {
  readonly port: number;
  readonly managementPort: number | undefined;
  readonly credentials: Credentials;
  readonly dataDirectory: string | undefined;
}

/** Where Debian, and RabbitMQ's own packages, put the server; the one in PATH is a wrapper that changes the user. */
const SERVERS = ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server'];
const EPMDS = ['/usr/bin/epmd', '/usr/lib/erlang/bin/epmd', '/usr/lib/erlang/erts-*/bin/epmd'];

const STARTING_MS = 90_000;

export const rabbitmqInstalled = (): boolean => globSync(SERVERS).length > 0 && globSync(EPMDS).length > 0;

/** Resolves when the server takes connections, having said so; the process ends when it does. */
export async function runRabbitmq({
  port,
  managementPort,
  credentials,
  dataDirectory,
}: RabbitmqOptions): Promise<void> {
  const [server] = globSync(SERVERS);
  const [epmd] = globSync(EPMDS);
  if (server === undefined || epmd === undefined)
    return fail('rabbitmq-server is not installed; use --engine embedded', 1);
  const directory = dataDirectory ?? mkdtempSync(join(tmpdir(), 'varka-rabbitmq-'));
  const bound = port === 0 ? await freePort() : port;
  const [distribution, mapper] = [await freePort(), await freePort()];
  configure(directory, bound, managementPort, credentials);
  const env = {
    ...process.env,
    // RabbitMQ reads the defaults of these for itself, and PORT is not its.
    RABBITMQ_NODENAME: 'varka@localhost',
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The cookie goes there.
    HOME: directory,
  };
  // In the foreground: the one that Erlang would start for itself stays behind for ever.
  const ports = spawn(epmd, ['-port', String(mapper), '-address', '127.0.0.1'], { stdio: 'ignore' });
  const node = spawn(server, [], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  node.stdout.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
  });
  let stopping = false;
  const clean = (): void => {
    ports.kill('SIGKILL');
    if (dataDirectory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  node.once('exit', (code) => {
    clean();
    if (!stopping) fail(`rabbitmq-server ended with ${code}:\n${log}`, 1);
    process.exit(0);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stopping = true;
      node.kill('SIGTERM');
    });
  }
  await accepting(bound, node);
  console.log(`amqp: RabbitMQ on :${bound}, ${dataDirectory ?? 'nothing kept'}`);
}

function configure(
  directory: string,
  port: number,
  managementPort: number | undefined,
  credentials: Credentials,
): void {
  mkdirSync(join(directory, 'mnesia'), { recursive: true });
  const address = process.env['HOST'] ?? '0.0.0.0';
  const lines = [
    `listeners.tcp.1 = ${address}:${port}`,
    `default_user = ${credentials.user}`,
    `default_pass = ${credentials.password}`,
    // As RabbitMQ's own image has it: guest may come from other hosts too.
    'loopback_users = none',
    ...(managementPort === undefined
      ? []
      : [`management.tcp.port = ${managementPort}`, `management.tcp.ip = ${address}`]),
  ];
  writeFileSync(join(directory, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  writeFileSync(
    join(directory, 'enabled_plugins'),
    managementPort === undefined ? '[].\n' : '[rabbitmq_management].\n',
  );
}

async function accepting(port: number, node: ChildProcess): Promise<void> {
  const deadline = performance.now() + STARTING_MS;
  while (performance.now() < deadline && node.exitCode === null) {
    const socket = connect(port, process.env['HOST'] ?? '127.0.0.1');
    const accepted = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (accepted) return;
    await pause(100);
  }
  node.kill('SIGKILL');
  fail(`rabbitmq-server took no connections within ${STARTING_MS / 1000} s`, 1);
}

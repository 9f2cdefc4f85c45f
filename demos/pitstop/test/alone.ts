// Pitstop's programs on free ports of this machine, to be stopped and started one by one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { alone } from '@varka/demo-kit/test/target.ts';
import { type Ports, programs, STANDARD_PORTS } from '../src/programs.ts';
import type { PitstopTarget } from './behaviour.ts';

/** A slow machine starts fourteen programs at once. */
const START_PATIENCE_MS = 30_000;

export interface Pitstop extends PitstopTarget {
  readonly ports: Ports;
  /** Ends all programs and forgets their data; fails when one does not end with code 0. */
  dispose(): Promise<void>;
}

async function freePorts(): Promise<Ports> {
  const names = Object.keys(STANDARD_PORTS) as (keyof Ports)[];
  const servers = await Promise.all(
    names.map(async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const numbers = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return Object.fromEntries(names.map((name, index) => [name, numbers[index] ?? 0])) as unknown as Ports;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

export async function startPitstop(): Promise<Pitstop> {
  const directory = mkdtempSync(join(tmpdir(), 'pitstop-test-'));
  const ports = await freePorts();
  const known = new Map(programs(ports, directory).map((program) => [program.name, program]));
  // Not RabbitMQ, which takes its time to start where it is installed.
  const extra: Readonly<Record<string, readonly string[]>> = { rabbitmq: ['--engine', 'embedded'] };
  const running = new Map<string, ChildProcess>();
  const printed = new Map<string, string>();

  const start = async (name: string, env: Record<string, string> = {}): Promise<void> => {
    const program = known.get(name);
    if (program === undefined) throw new Error(`there is no program ${name}`);
    const child = spawn(
      process.execPath,
      [fileURLToPath(program.module), ...(program.args ?? []), ...(extra[name] ?? [])],
      {
        env: { PATH: process.env['PATH'] ?? '', ...program.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    running.set(name, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => printed.set(name, (printed.get(name) ?? '') + text));
    }
    const port = Object.hasOwn(ports, name) ? ports[name as keyof Ports] : undefined;
    if (port === undefined) return; // a worker
    const deadline = performance.now() + START_PATIENCE_MS;
    while (!(await answers(port))) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || performance.now() > deadline) throw new Error(`${name} does not answer:\n${printed.get(name)}`);
      await setTimeout(25);
    }
  };
  const stop = async (name: string): Promise<void> => {
    const child = running.get(name);
    if (child === undefined) return;
    running.delete(name);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`${name} ended with ${code}:\n${printed.get(name)}`);
  };
  const restart = async (name: string, env: Record<string, string>): Promise<void> => {
    await stop(name);
    await start(name, env);
  };

  const dispose = async (): Promise<void> => {
    await Promise.all([...running.keys()].map(stop));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all([...known.keys()].map((name) => start(name)));
  } catch (error) {
    for (const child of running.values()) child.kill('SIGKILL');
    throw error;
  }
  const services = Object.keys(ports).map((name) => [name, { port: ports[name as keyof Ports] }] as const);
  const web = { ...Object.fromEntries(services), mailserver: { port: ports['mailserver-web'] } };
  return {
    ...alone(web),
    ports,
    start,
    stop,
    useCustomerApi: (version) => restart('customermanagementapi', { API_VERSION: version }),
    shortenDays: () => restart('timeservice', { DAY_SECONDS: '1' }),
    log: async (name) => printed.get(name) ?? '',
    dispose,
  };
}

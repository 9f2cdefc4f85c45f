// The shop's programs on free ports of this machine, to be stopped and started one by one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { alone } from '@varka/demo-kit/test/target.ts';
import { type Ports, type ProgramName, programs, STANDARD_PORTS } from '../src/programs.ts';
import type { ShopTarget } from './behaviour.ts';

/** A slow machine starts sixteen programs at once. */
const START_PATIENCE_MS = 50_000;

export interface Shop extends ShopTarget {
  readonly ports: Ports;
  /** Resolves when the program has ended, which must be with code 0. */
  stop(name: ProgramName): Promise<void>;
  /** Resolves when it takes connections. */
  start(name: ProgramName): Promise<void>;
  dispose(): Promise<void>;
}

async function freePorts(): Promise<Ports> {
  const names = Object.keys(STANDARD_PORTS) as ProgramName[];
  const servers = await Promise.all(
    names.map(async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const numbers = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return Object.fromEntries(names.map((name, index) => [name, numbers[index] ?? 0])) as Record<ProgramName, number>;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export async function startShop(): Promise<Shop> {
  const ports = await freePorts();
  const known = new Map(programs(ports).map((program) => [program.name as ProgramName, program]));
  const running = new Map<ProgramName, ChildProcess>();
  const printed = new Map<string, string>();

  const start = async (name: ProgramName): Promise<void> => {
    const program = known.get(name);
    if (program === undefined) throw new Error(`there is no program ${name}`);
    const child = spawn(process.execPath, [fileURLToPath(program.module)], {
      env: { PATH: process.env['PATH'] ?? '', ...program.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.set(name, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => printed.set(name, (printed.get(name) ?? '') + text));
    }
    const deadline = performance.now() + START_PATIENCE_MS;
    while (!(await answers(ports[name]))) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || performance.now() > deadline) throw new Error(`${name} does not answer:\n${printed.get(name)}`);
      await setTimeout(25);
    }
  };
  const stop = async (name: ProgramName): Promise<void> => {
    const child = running.get(name);
    if (child === undefined) return;
    running.delete(name);
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGTERM');
    const [code] = await exited;
    if (code !== 0) throw new Error(`${name} ended with ${code}:\n${printed.get(name)}`);
  };
  try {
    await Promise.all([...known.keys()].map(start));
  } catch (error) {
    for (const child of running.values()) child.kill('SIGKILL');
    throw error;
  }
  const { fetch } = alone(Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { port }])));
  return {
    ports,
    fetch,
    start,
    stop,
    log: (name) => Promise.resolve(printed.get(name) ?? ''),
    async dispose() {
      await Promise.all([...running.keys()].map(stop));
    },
  };
}

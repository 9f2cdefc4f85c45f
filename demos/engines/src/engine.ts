// An engine as a process: its port and directory, its start line, its end.

import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { parseArgs } from 'node:util';
import { portFromEnvironment } from '@varka/demo-kit/serve.ts';

export interface EngineArguments {
  readonly port: number;
  /** Undefined: nothing is kept. */
  readonly dataDirectory: string | undefined;
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
}

/** `--port N` or `PORT`, `DATA_DIR`, and the engine's own flags. Ends the process with a usage line on wrong ones. */
export function engineArguments(
  name: string,
  standardPort: number,
  flags: Readonly<Record<string, 'string' | 'boolean'>>,
): EngineArguments {
  const options = Object.fromEntries(
    Object.entries({ port: 'string' as const, ...flags }).map(([flag, type]) => [flag, { type }]),
  );
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({ options, strict: true }).values as typeof values;
  } catch (error) {
    const usage = Object.entries(options).map(([flag, { type }]) => `[--${flag}${type === 'string' ? ' VALUE' : ''}]`);
    return fail(`${error instanceof Error ? error.message : error}\nusage: ${name} ${usage.join(' ')}`, 2);
  }
  const { port, ...rest } = values;
  if (typeof port === 'string') process.env['PORT'] = port;
  const dataDirectory = process.env['DATA_DIR'] || undefined;
  if (dataDirectory !== undefined) mkdirSync(dataDirectory, { recursive: true });
  return { port: portFromEnvironment(standardPort), dataDirectory, flags: rest };
}

/** Listens on `HOST` or every address, prints `started(port)`, and on SIGTERM or SIGINT calls `stop` and exits 0. */
export function listenEngine(server: Server, port: number, started: (port: number) => string, stop: () => void): void {
  server.on('error', (error: NodeJS.ErrnoException) => {
    fail(
      error.code === 'EADDRINUSE'
        ? `port ${port} is taken by another program; set PORT to a free one`
        : `can't listen on port ${port}: ${error.message}`,
      1,
    );
  });
  const host = process.env['HOST'];
  server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
    console.log(started((server.address() as AddressInfo).port));
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop();
      process.exit(0);
    });
  }
}

export function fail(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

/** A port nobody listens on, for a server that can't choose one itself. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

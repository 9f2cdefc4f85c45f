// The sock shop's load test: customers who look around, log in and order, without a pause.
// Takes locust's flags, or the shell loop around them that the shop's manifest has.
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

interface Load {
  readonly host: string;
  readonly clients: number;
  readonly requests: number;
  readonly forever: boolean;
}

const TIMEOUT_MS = 10_000;
/** Between rounds in which nothing could be reached. */
const RETRY_MS = 1000;

function loadFrom(argv: readonly string[]): Load {
  const script = argv[0] === '-c' ? (argv[1] ?? '') : undefined;
  const line = script === undefined ? argv : (/\blocust\s+([^;]*)/.exec(script)?.[1] ?? '').trim().split(/\s+/);
  const string = { type: 'string' } as const;
  const options = {
    host: { ...string, short: 'H' },
    file: { ...string, short: 'f' },
    clients: { ...string, short: 'c' },
    'hatch-rate': { ...string, short: 'r' },
    'num-request': { ...string, short: 'n' },
    'no-web': { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: [...line], options });
  const number = (name: 'clients' | 'num-request', standard: number): number => {
    const value = Number(values[name] ?? standard);
    if (!Number.isInteger(value) || value < 1) throw new TypeError(`--${name} ${values[name]}: a whole number above 0`);
    return value;
  };
  if (values.host === undefined || !URL.canParse(values.host)) throw new TypeError('--host http://HOST is needed');
  return {
    host: values.host,
    clients: Math.min(number('clients', 5), 1000),
    requests: number('num-request', 100),
    forever: script !== undefined && /\bwhile\s+true\b/.test(script),
  };
}

/** One customer's visit: answers as they come, until `more` says that it is enough. */
async function visit(host: string, count: (ok: boolean) => boolean): Promise<void> {
  let cookie = '';
  const ask = async (path: string, init: RequestInit = {}): Promise<Response | undefined> => {
    try {
      const headers = { ...(init.headers as Record<string, string>), ...(cookie === '' ? {} : { cookie }) };
      const response = await fetch(new URL(path, host), { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const set = response.headers.getSetCookie().map((one) => one.split(';', 1)[0]);
      if (set.length > 0) cookie = set.join('; ');
      return response;
    } catch {
      // Counted as a failure; a load test goes on.
      return undefined;
    }
  };
  const steps: (() => Promise<Response | undefined>)[] = [];
  const list = await ask('/catalogue');
  if (!count(list?.ok === true)) return;
  const socks = list?.ok === true ? ((await list.json().catch(() => [])) as { id: string }[]) : [];
  const item = Array.isArray(socks) ? socks[Math.floor(Math.random() * socks.length)]?.id : undefined;
  const authorization = `Basic ${Buffer.from('user:password').toString('base64')}`;
  steps.push(
    () => ask('/'),
    () => ask('/login', { headers: { authorization } }),
    () => ask('/category.html'),
    () => ask(`/detail.html?id=${item ?? ''}`),
    () => ask('/cart', { method: 'DELETE' }),
    () =>
      ask('/cart', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: item, quantity: 1 }),
      }),
    () => ask('/basket.html'),
    () => ask('/orders', { method: 'POST' }),
  );
  for (const step of steps) {
    const response = await step();
    await response?.arrayBuffer().catch(() => undefined);
    if (!count(response?.ok === true)) return;
  }
}

async function round({ host, clients, requests }: Load): Promise<{ made: number; failed: number }> {
  let [made, failed] = [0, 0];
  const count = (ok: boolean): boolean => {
    made += 1;
    if (!ok) failed += 1;
    return made < requests;
  };
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (made < requests) await visit(host, count);
    }),
  );
  return { made, failed };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
try {
  const load = loadFrom(process.argv.slice(2));
  console.log(`${load.clients} customers at ${load.host}, ${load.requests} requests a round`);
  do {
    const { made, failed } = await round(load);
    console.log(`${made} requests, ${failed} failed`);
    if (load.forever && failed === made) await pause(RETRY_MS);
  } while (load.forever);
} catch (error) {
  console.error(`load-test: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}

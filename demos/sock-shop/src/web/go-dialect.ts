// How the shop's services that were written in Go speak: their errors, their health, and their log in logfmt on stderr.
import { STATUS_CODES } from 'node:http';
import { json, RequestError, type ShopReply } from './service.ts';

export function goError(error: unknown): ShopReply {
  const status = error instanceof RequestError ? error.status : 500;
  const message = error instanceof Error ? error.message : String(error);
  return json(status, { error: message, status_code: status, status_text: STATUS_CODES[status] ?? '' });
}

/** As Go's routers word it. */
export function goMissing(): ShopReply {
  return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: '404 page not found\n' };
}

/** The service itself, and what it depends on. */
export function goHealth(services: readonly (readonly [name: string, ok: boolean])[]): ShopReply {
  const time = new Date().toISOString().replace('T', ' ').replace('Z', ' +0000 UTC');
  return json(200, { health: services.map(([service, ok]) => ({ service, status: ok ? 'OK' : 'err', time })) });
}

/** One line of logfmt; `took` is measured from `begin`. */
export function logCall(fields: Readonly<Record<string, unknown>>, begin: number): void {
  const all = {
    ts: new Date().toISOString(),
    caller: 'logging.ts',
    ...fields,
    took: `${(performance.now() - begin).toFixed(3)}ms`,
  };
  process.stderr.write(`${Object.entries(all).map(pair).join(' ')}\n`);
}

function pair([key, value]: [string, unknown]): string {
  const shown = String(value);
  return `${key}=${/[\s="\p{C}]/u.test(shown) ? JSON.stringify(shown) : shown}`;
}

/** Runs a method of the service and logs it, whether it worked or not; `result` says what to show of it. */
export async function logged<T>(
  fields: Readonly<Record<string, unknown>>,
  run: () => Promise<T>,
  result: (value: T) => Readonly<Record<string, unknown>>,
): Promise<T> {
  const begin = performance.now();
  try {
    const value = await run();
    logCall({ ...fields, ...result(value), err: 'null' }, begin);
    return value;
  } catch (error) {
    logCall({ ...fields, err: error instanceof Error ? error.message : String(error) }, begin);
    throw error;
  }
}

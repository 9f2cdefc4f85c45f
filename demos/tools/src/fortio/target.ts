// What a run calls: the URL taken apart, and the request as bytes.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

export const VERSION = '1.63.9';

/** The user can mend it: a URL, a header, a host. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
}

export interface RequestOptions {
  readonly headers: readonly string[];
  /** '': GET, or POST with a payload. */
  readonly method: string;
  readonly payload: string;
  readonly keepAlive: boolean;
  readonly http10: boolean;
}

export interface Target {
  readonly url: string;
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly request: Buffer;
  /** All addresses of the host; connections take them in turn. */
  readonly addresses: readonly string[];
}

/** Throws a TargetError for what is no http URL, no header, or a host without an address. */
export async function prepareTarget(url: string, options: RequestOptions): Promise<Target> {
  const parsed = parseUrl(url);
  const tls = parsed.protocol === 'https:';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  return {
    url,
    tls,
    host,
    port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port),
    request: requestBytes(parsed, options),
    addresses: await resolve(host),
  };
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new TargetError(`${url} is not an http or https URL`);
  }
  return parsed;
}

async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    // IPv4 first, as fortio's -resolve-ip-type ip4; a host that has only the other kind is called by that.
    const four = found.filter(({ family }) => family === 4);
    return (four.length > 0 ? four : found).map(({ address }) => address);
  } catch {
    throw new TargetError(`lookup ${host}: no such host`);
  }
}

/** X-Content-Type for x-content-type, as Go's canonical form. */
const canonical = (name: string): string => name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

function requestBytes(url: URL, { headers, method, payload, keepAlive, http10 }: RequestOptions): Buffer {
  const body = Buffer.from(payload, 'utf8');
  const all = new Map<string, string[]>([['User-Agent', [`fortio.org/fortio-${VERSION}`]]]);
  if (body.length > 0) {
    all.set('Content-Length', [String(body.length)]);
    all.set('Content-Type', ['application/octet-stream']);
  }
  let host = url.host;
  const given = new Set<string>();
  for (const header of headers) {
    const colon = header.indexOf(':');
    const name = canonical(header.slice(0, Math.max(colon, 0)).trim());
    const value = header.slice(colon + 1).trim();
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new TargetError(`invalid extra header '${header}', expecting Key: Value`);
    }
    if (name === 'Host') {
      host = value;
      continue;
    }
    all.set(name, [...(given.has(name) ? (all.get(name) ?? []) : []), value]);
    given.add(name);
  }
  const lines = [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => values.map((v) => `${name}: ${v}`));
  const head = [
    `${method === '' ? (body.length > 0 ? 'POST' : 'GET') : method} ${url.pathname}${url.search} HTTP/${http10 ? '1.0' : '1.1'}`,
    ...(http10 && host === url.host ? [] : [`Host: ${host}`]),
    ...(!http10 && !keepAlive ? ['Connection: close'] : []),
    ...lines,
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'utf8'), body]);
}

// What of a proxied message's head is passed on, and where a redirect leads as the client sees it.
import type { ProxyTarget } from './proxy-target.ts';

/** RFC 9110 §7.6.1, with the older names that proxies drop too; they are about one connection. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names and values in turn, as Node's rawHeaders; names (in lower case) that `drop` matches are left out as well. */
export function endToEndHeaders(raw: readonly string[], drop?: RegExp): string[] {
  const dropped = new Set(HOP_BY_HOP);
  for (const [name, value] of pairs(raw)) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const token of value.split(',')) dropped.add(token.trim().toLowerCase());
  }
  return pairs(raw)
    .map(([name, value]) => ({ name, value, lower: name.toLowerCase() }))
    .filter(({ lower }) => !dropped.has(lower) && drop?.test(lower) !== true)
    .flatMap(({ name, value }) => [name, value]);
}

export function pairs(raw: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) found.push([raw[at] as string, raw[at + 1] as string]);
  return found;
}

/**
 * A Location as the client must follow it: a path on the same server gets the proxy's own path in front of it, one on
 * another server or relative to the request stays (Kubernetes: proxy.Transport, rewriteURL).
 *
 * `prefix` is the path up to and with `/proxy`, `clientHost` the Host that the client asked for.
 */
export function rewriteLocation(location: string, target: ProxyTarget, clientHost: string, prefix: string): string {
  const absolute = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)(.*)$/i.exec(location);
  const path = absolute === null ? location : (absolute[2] as string);
  if (absolute !== null && ![`${target.host}:${target.port}`, target.host, clientHost].includes(absolute[1] as string))
    return location;
  if (absolute === null && !path.startsWith('/')) return location;
  // Without host: the client's own, whichever way it came.
  return path.startsWith(`${prefix}/`) ? path : `${prefix}${path.startsWith('/') ? '' : '/'}${path}`;
}

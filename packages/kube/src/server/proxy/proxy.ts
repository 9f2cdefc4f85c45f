// `pods/NAME/proxy` and `services/NAME/proxy`: the way from the API to what a pod serves.
import { randomInt } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerContext } from '../context.ts';
import type { ConnectPath } from '../streams/connect-path.ts';
import type { Upgrade } from '../streams/upgrade.ts';
import { type ProxyRequest, proxyRequest, proxyUpgrade } from './proxy-request.ts';
import { proxyTarget } from './proxy-target.ts';

export async function proxy(
  context: ServerContext,
  path: ConnectPath,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const proxied = resolve(context, path, url);
  if (path.rest === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    // Without the slash a page's relative links would lead out of it.
    response.writeHead(301, { location: `${url.pathname}/${url.search}`, 'content-length': 0 }).end();
    return;
  }
  await proxyRequest(proxied, request, response);
}

export async function upgradeProxy(
  context: ServerContext,
  path: ConnectPath,
  url: URL,
  upgrade: Upgrade,
): Promise<void> {
  await proxyUpgrade(resolve(context, path, url), upgrade);
}

function resolve({ store, log }: ServerContext, path: ConnectPath, url: URL): ProxyRequest {
  const { plural, namespace, name, rest } = path;
  const target = proxyTarget(store, plural, namespace, name, (below) => randomInt(below));
  const prefix = rest === '' ? url.pathname : url.pathname.slice(0, -rest.length);
  return { target, path: `${rest === '' ? '/' : rest}${url.search}`, prefix, log };
}

// What answers a request for a stream, by what it wants to be connected to.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError } from '../../status-error.ts';
import type { ServerContext } from '../context.ts';
import { proxy, upgradeProxy } from '../proxy/proxy.ts';
import type { ConnectPath } from './connect-path.ts';
import { portForward } from './port-forward.ts';
import { remoteCommand } from './remote-command.ts';
import type { Upgrade } from './upgrade.ts';

/** A request that stays HTTP. */
export async function connect(
  context: ServerContext,
  path: ConnectPath,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (path.connection === 'proxy') return proxy(context, path, url, request, response);
  throw StatusError.badRequest('you must specify at least 1 of Upgrade: websocket, Upgrade: SPDY/3.1');
}

export async function connectUpgrade(
  context: ServerContext,
  path: ConnectPath,
  url: URL,
  upgrade: Upgrade,
): Promise<void> {
  switch (path.connection) {
    case 'proxy':
      return upgradeProxy(context, path, url, upgrade);
    case 'exec':
    case 'attach':
      return remoteCommand(context, path, url.searchParams, upgrade);
    case 'portforward':
      return portForward(context, path, upgrade);
  }
}

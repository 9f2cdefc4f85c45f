// `kubectl exec` and `kubectl attach`: a program's streams, its terminal and its end, over whatever the client speaks.
import { pipeline, type Readable, type Writable } from 'node:stream';
import type { KubeObject, Status } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { ServerContext } from '../context.ts';
import type { CommandOptions, CommandSession, PodBackend } from '../pod-backend.ts';
import { containerOf } from '../pod-containers.ts';
import { asStatusError } from '../reply.ts';
import type { CommandChannels } from './command-channels.ts';
import type { ConnectPath } from './connect-path.ts';
import { spdyChannels } from './spdy-channels.ts';
import type { Upgrade } from './upgrade.ts';
import { webSocketChannels } from './websocket-channels.ts';

/** Rejects with a StatusError while HTTP is still spoken; what goes wrong later goes over the error channel. */
export async function remoteCommand(
  context: ServerContext,
  { namespace, name, connection }: ConnectPath,
  query: URLSearchParams,
  upgrade: Upgrade,
): Promise<void> {
  const pod = context.store.get('pods', namespace, name);
  if (pod === undefined) throw StatusError.notFound({ group: '', plural: 'pods' }, name);
  if (context.podBackend === undefined) throw StatusError.unavailable('nothing runs pods here');
  const options = commandOptions(pod, query);
  const over = new AbortController();
  upgrade.socket.once('close', () => over.abort());
  const session = await start(context.podBackend, { namespace, name, connection }, query, options, over.signal);
  session.exited.catch(() => undefined); // looked at when the streams are open
  let channels: CommandChannels;
  try {
    const open = isWebSocket(upgrade) ? webSocketChannels : spdyChannels;
    channels = await open(upgrade, options);
  } catch (error) {
    over.abort();
    throw error;
  }
  channels.closed.addEventListener('abort', () => over.abort(), { once: true });
  if (channels.closed.aborted) over.abort();
  await channels.finish(await carry(session, channels));
  over.abort();
}

function start(
  backend: PodBackend,
  { namespace, name, connection }: Pick<ConnectPath, 'namespace' | 'name' | 'connection'>,
  query: URLSearchParams,
  options: CommandOptions,
  signal: AbortSignal,
): Promise<CommandSession> {
  if (connection === 'attach') return backend.attach(namespace, name, options, signal);
  const command = query.getAll('command');
  if (command.length === 0) throw StatusError.badRequest('you must specify at least 1 word of command');
  return backend.exec(namespace, name, command, options, signal);
}

function commandOptions(pod: KubeObject, query: URLSearchParams): CommandOptions {
  const flag = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const tty = flag('tty');
  const options = {
    container: containerOf(pod, query.get('container') ?? ''),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr') && !tty,
    tty,
  };
  if (options.stdin || options.stdout || options.stderr) return options;
  throw StatusError.badRequest('you must specify at least 1 of stdin, stdout, stderr');
}

export function isWebSocket({ request }: Upgrade): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket';
}

async function carry(session: CommandSession, channels: CommandChannels): Promise<Status> {
  if (channels.stdin !== undefined && session.stdin !== undefined) connect(channels.stdin, session.stdin);
  else channels.stdin?.resume();
  if (session.resize !== undefined) channels.onResize(session.resize.bind(session));
  const outputs = [deliver(session.stdout, channels.stdout), deliver(session.stderr, channels.stderr)];
  try {
    const code = await session.exited;
    await Promise.all(outputs);
    return exitStatus(code);
  } catch (error) {
    return asStatusError(error).status;
  }
}

/** A program that has stopped reading is no failure. */
function connect(from: Readable, to: Writable): void {
  pipeline(from, to, () => from.resume());
}

function deliver(from: Readable, to: Writable | undefined): Promise<void> {
  if (to === undefined) {
    from.resume();
    return Promise.resolve();
  }
  return new Promise((resolve) => pipeline(from, to, () => resolve()));
}

/** Kubernetes' remote-command protocol, version 4: how a client learns the exit code. */
function exitStatus(code: number | undefined): Status {
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {} } as const;
  if (code === undefined || code === 0) return { ...base, status: 'Success' };
  return {
    ...base,
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

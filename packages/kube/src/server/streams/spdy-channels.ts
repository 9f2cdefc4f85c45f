// A command's streams as streams of a SPDY connection: each says in a header which it is.
import type { Status } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { TerminalSize } from '../pod-backend.ts';
import { type ChannelOptions, type CommandChannels, OPEN_TIMEOUT_MS, parseSize } from './command-channels.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { type Upgrade, upgradeHead } from './upgrade.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const MAX_SIZE_TEXT = 1024;

/** Speaks SPDY from here on; the head of the answer names the protocol spoken on the streams. */
export function acceptSpdy({ request, socket, head }: Upgrade, protocol: string): void {
  const offered = request.headers['x-stream-protocol-version'];
  const names = (Array.isArray(offered) ? offered : [offered ?? '']).flatMap((one) =>
    one.split(',').map((name) => name.trim()),
  );
  if (!names.includes(protocol))
    throw StatusError.of(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${names.join(' ')}], server accepts [${protocol}]`,
    );
  const headers = ['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', 'X-Stream-Protocol-Version', protocol];
  socket.write(upgradeHead(101, '', headers));
  if (head.length > 0) socket.unshift(head);
}

/** A client that does not open the streams that it asked for gets channels that are closed. */
export async function spdyChannels(upgrade: Upgrade, options: ChannelOptions): Promise<CommandChannels> {
  const wanted = [
    'error',
    ...(options.stdin ? ['stdin'] : []),
    ...(options.stdout ? ['stdout'] : []),
    ...(options.stderr ? ['stderr'] : []),
    ...(options.tty ? ['resize'] : []),
  ];
  acceptSpdy(upgrade, PROTOCOL);
  const streams = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const session = new SpdySession(upgrade.socket, (stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!wanted.includes(type) || streams.has(type)) {
      stream.destroy();
      return;
    }
    streams.set(type, stream);
    if (streams.size === wanted.length) complete.resolve();
  });
  const gone = new AbortController();
  void session.closed.then(() => gone.abort());
  const late = setTimeout(() => void session.close(), OPEN_TIMEOUT_MS);
  await Promise.race([complete.promise, session.closed]);
  clearTimeout(late);
  const error = streams.get('error');
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    closed: gone.signal,
    onResize: (listener) => readSizes(streams.get('resize'), listener),
    finish: async (status: Status) => {
      if (gone.signal.aborted) return;
      error?.write(JSON.stringify(status));
      await Promise.all([...streams.values()].map(ending));
      await session.close();
    },
  };
}

/** Resolves when the client has been told. */
function ending(stream: SpdyStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.end(() => resolve());
  });
}

/** One JSON object a line. */
function readSizes(stream: SpdyStream | undefined, listener: (size: TerminalSize) => void): void {
  let text = '';
  stream?.on('data', (chunk: Buffer) => {
    const lines = `${text}${chunk}`.split('\n');
    text = (lines.pop() ?? '').slice(0, MAX_SIZE_TEXT);
    for (const line of lines) {
      const size = parseSize(line);
      if (size !== undefined) listener(size);
    }
  });
}

// A command's streams in one WebSocket: the first byte of every message says which it belongs to.
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { type RawData, WebSocket } from 'ws';
import type { Status } from '../../object.ts';
import type { TerminalSize } from '../pod-backend.ts';
import { type ChannelOptions, COMMAND_PROTOCOLS, type CommandChannels, parseSize } from './command-channels.ts';
import type { Upgrade } from './upgrade.ts';
import { acceptWebSocket, chooseProtocol } from './websocket.ts';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export async function webSocketChannels(upgrade: Upgrade, options: ChannelOptions): Promise<CommandChannels> {
  const protocol = chooseProtocol(upgrade.request, COMMAND_PROTOCOLS);
  const socket = await acceptWebSocket(upgrade, protocol);
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  const send = (channel: number, data: Buffer, sent: (error?: Error | null) => void): void => {
    socket.send(Buffer.concat([Buffer.of(channel), data]), { binary: true }, sent);
  };
  const output = (channel: number): Writable =>
    new Writable({ write: (chunk: Buffer, _encoding, done) => send(channel, chunk, done) });
  // While nobody takes the input nothing is read; closing and pings wait with it.
  const stdin = options.stdin ? new Readable({ read: () => socket.resume() }) : undefined;
  let resized = (_size: TerminalSize): void => undefined;
  let lastSize: TerminalSize | undefined;
  socket.on('message', (message: RawData) => {
    const channel = (message as Buffer)[0];
    const data = (message as Buffer).subarray(1);
    if (channel === CHANNEL.stdin && stdin?.push(data) === false) socket.pause();
    if (channel === CHANNEL.close && data[0] === CHANNEL.stdin) stdin?.push(null);
    if (channel === CHANNEL.resize) {
      lastSize = parseSize(data.toString()) ?? lastSize;
      if (lastSize !== undefined) resized(lastSize);
    }
  });
  // An empty message on the first channel that is written to says that all is ready (Kubernetes: createWebSocketStreams).
  send(
    options.stdout ? CHANNEL.stdout : options.stderr ? CHANNEL.stderr : CHANNEL.error,
    Buffer.alloc(0),
    () => undefined,
  );
  return {
    stdin,
    stdout: options.stdout ? output(CHANNEL.stdout) : undefined,
    stderr: options.stderr ? output(CHANNEL.stderr) : undefined,
    closed: gone.signal,
    onResize: (listener) => {
      resized = listener;
      if (lastSize !== undefined) listener(lastSize);
    },
    finish: async (status: Status) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      send(CHANNEL.error, Buffer.from(JSON.stringify(status)), () => undefined);
      socket.resume();
      socket.close(1000);
      await once(socket, 'close');
    },
  };
}

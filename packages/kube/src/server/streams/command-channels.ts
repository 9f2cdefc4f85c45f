// What a command's streams are to whoever runs it, whichever way they are carried to the client.
import type { Readable, Writable } from 'node:stream';
import type { Status } from '../../object.ts';
import type { CommandStreams, TerminalSize } from '../pod-backend.ts';

/** Kubernetes' remote-command protocol; version 5 lets a WebSocket client end its input. */
export const COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

/** How long a client may take to open the streams that it asked for. */
export const OPEN_TIMEOUT_MS = 30_000;

export interface CommandChannels {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  onResize(listener: (size: TerminalSize) => void): void;
  /** The last word, and the end of the connection. */
  finish(status: Status): Promise<void>;
  /** Aborts when the client is gone. */
  readonly closed: AbortSignal;
}

export type ChannelOptions = CommandStreams;

/** `{"Width":80,"Height":24}`; undefined for anything else. */
export function parseSize(text: string): TerminalSize | undefined {
  let size: unknown;
  try {
    size = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof size !== 'object' || size === null) return undefined;
  const { Width: columns, Height: rows } = size as { Width?: unknown; Height?: unknown };
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
  return isCount(columns) && isCount(rows) ? { columns, rows } : undefined;
}

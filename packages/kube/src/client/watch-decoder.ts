// The lines of a watch answer, each a JSON event (Kubernetes API concepts: "Efficient detection of changes").
import type { KubeObject, WatchEvent } from '../object.ts';

export class WatchDecodeError extends Error {
  override readonly name = 'WatchDecodeError';
}

const NEWLINE = 0x0a;
const EVENT_TYPES = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/** Decodes until the bytes end. Anything that is not a watch event throws: guessing would lose an update for good. */
export async function* decodeWatch<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pending.push(chunk.subarray(start, end));
      pendingBytes += end - start;
      if (pendingBytes > maxLineBytes) throw tooLong(maxLineBytes);
      const line = pending.length === 1 ? Buffer.from(pending[0] as Uint8Array) : Buffer.concat(pending);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield decodeLine<T>(line.toString('utf8'));
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > maxLineBytes) throw tooLong(maxLineBytes);
    }
  }
  if (pendingBytes > 0) throw new WatchDecodeError('the watch ended in the middle of an event');
}

function decodeLine<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new WatchDecodeError(`a line of the watch is not JSON: ${excerpt(line)}`, { cause: error });
  }
  if (!isRecord(event) || !EVENT_TYPES.has(event['type'] as string) || !isRecord(event['object'])) {
    throw new WatchDecodeError(`a line of the watch is not a watch event: ${excerpt(line)}`);
  }
  return event as unknown as WatchEvent<T>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tooLong(maxLineBytes: number): WatchDecodeError {
  return new WatchDecodeError(`a line of the watch is longer than ${maxLineBytes} bytes`);
}

function excerpt(line: string): string {
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

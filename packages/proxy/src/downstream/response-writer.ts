// Writes an upstream's response to the client: head and a small body in one write, anything larger as it comes.
import type net from 'node:net';
import type { BodyScanner } from '../http/body-scanner.ts';
import { writeLent } from '../write-lent.ts';
import { bodyPieces, ONE_WRITE_BYTES } from './request-body.ts';

/**
 * `head` is '' once it is out. `bytes` are lent for the call, so what may not be written at once is copied. `chunk` puts
 * chunk framing around a body that has none, and so has no framing to leave out. False when the client should be given
 * time.
 */
export function writeResponse(
  socket: net.Socket,
  head: string,
  bytes: Buffer,
  from: number,
  to: number,
  scanner: BodyScanner,
  chunk: boolean,
): boolean {
  if (scanner.pieces !== undefined) return writePieces(socket, head, bytes, from, to, scanner.pieces);
  const length = to - from;
  const before = chunk && length > 0 ? `${head}${length.toString(16)}\r\n` : head;
  const after = chunk ? `${length > 0 ? '\r\n' : ''}${scanner.done ? '0\r\n\r\n' : ''}` : '';
  if (length > ONE_WRITE_BYTES) return writeLent(socket, bytes, from, to, before, after);
  const text = length > 0 ? before + bytes.toString('latin1', from, to) + after : before + after;
  return text === '' || socket.write(text, 'latin1');
}

function writePieces(
  socket: net.Socket,
  head: string,
  bytes: Buffer,
  from: number,
  to: number,
  pieces: readonly number[],
): boolean {
  socket.cork();
  if (head !== '') socket.write(head, 'latin1');
  for (const piece of bodyPieces(bytes, from, to, pieces)) socket.write(Buffer.from(piece));
  socket.uncork();
  return !socket.writableNeedDrain;
}

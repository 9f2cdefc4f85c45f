// Writes an upstream's response to the client: head and a small body in one write, anything larger as it comes.
import type net from 'node:net';
import type { BodyScanner } from '../http/body-scanner.ts';
import { bodyPieces, ONE_WRITE_BYTES } from './request-body.ts';

/**
 * `head` is '' once it is out. `bytes` are lent for the call, so what may not be written at once is copied. `chunk` puts
 * chunk framing around a body that has none. False when the client should be given time.
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
  if (scanner.pieces === undefined && !chunk && to - from <= ONE_WRITE_BYTES) {
    if (to > from) return socket.write(head + bytes.toString('latin1', from, to), 'latin1');
    return head === '' || socket.write(head, 'latin1');
  }
  if (scanner.pieces === undefined && !chunk) {
    const out = Buffer.allocUnsafe(head.length + to - from);
    out.write(head, 'latin1');
    out.set(bytes.subarray(from, to), head.length);
    return socket.write(out);
  }
  socket.cork();
  if (head !== '') socket.write(head, 'latin1');
  for (const piece of bodyPieces(bytes, from, to, scanner.pieces)) {
    if (chunk) socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
    socket.write(Buffer.from(piece));
    if (chunk) socket.write('\r\n', 'latin1');
  }
  if (chunk && scanner.done) socket.write('0\r\n\r\n', 'latin1');
  socket.uncork();
  return !socket.writableNeedDrain;
}

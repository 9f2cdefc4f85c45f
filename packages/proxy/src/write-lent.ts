// Writes bytes that are lent for the call only. The kernel nearly always takes them at once, and then one buffer serves
// every socket; bytes that have to wait keep the buffer they are in.
import type { Socket } from 'node:net';

/** A whole read of 64 KiB and a head before it. */
const SHARED_BYTES = 72 * 1024;

let shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

/**
 * Writes `bytes` from `from` to `to`, with text around them, one byte a character. False when the reader should be given
 * time.
 */
export function writeLent(
  socket: Socket,
  bytes: Uint8Array,
  from: number,
  to: number,
  before = '',
  after = '',
): boolean {
  const bytesEnd = before.length + to - from;
  const length = bytesEnd + after.length;
  const queues = socket.writableLength > 0 || length > SHARED_BYTES;
  const out = queues ? Buffer.allocUnsafe(length) : shared;
  if (before !== '') out.write(before, 'latin1');
  out.set(bytes.subarray(from, to), before.length);
  if (after !== '') out.write(after, bytesEnd, 'latin1');
  if (queues) return socket.write(out);
  socket.write(out.subarray(0, length));
  if (socket.writableLength === 0) return true;
  shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  return !socket.writableNeedDrain;
}

/** `socket.write`, but a write that has gone out already is never a reason to wait, however large it was. */
export function writeOut(socket: Socket, data: Uint8Array): boolean {
  return socket.write(data) || socket.writableLength === 0;
}

// Closes a socket in peace: what was written to it goes out first, and its peer has a moment to close by itself. A peer
// that takes nothing is not waited for.
import type { Socket } from 'node:net';

/** Time for the peer to close once everything has gone out (Envoy: delayed_close_timeout). */
const LINGER_MS = 1_000;

/** Time in which a peer must take something of what waits for it. */
const STALL_MS = 60_000;

/** What still comes in is thrown away: closing with unread bytes would reset the connection under the last ones sent. */
export function closeFlushed(socket: Socket): void {
  if (socket.destroyed) return;
  let timer: NodeJS.Timeout | undefined;
  const linger = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
  const watch = (): void => {
    const waiting = socket.writableLength;
    timer = setTimeout(() => (socket.writableLength === waiting ? socket.destroy() : watch()), STALL_MS).unref();
  };
  socket.once('close', () => clearTimeout(timer));
  if (socket.writableFinished) linger();
  else {
    socket.once('finish', linger);
    watch();
  }
  socket.end();
  socket.resume();
}

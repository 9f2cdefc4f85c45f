// Clients over TCP: one session each, messages in order, no more than can be written away.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Databases } from './database.ts';
import { Session } from './session.ts';
import { SqlError } from './sql-error.ts';
import { backend, MessageReader, WireError } from './wire.ts';

const MAX_CLIENTS = 200;
const STARTUP_TIMEOUT_MS = 60_000;
const GOODBYE_MS = 1000;

export function sqlServer(databases: Databases, password: string | undefined): Server {
  let clients = 0;
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', (error) => console.error(`client ${socket.remoteAddress}: ${error.message}`));
    if (clients >= MAX_CLIENTS) {
      socket.end(backend.error(new SqlError('53300', 'sorry, too many clients already'), 'FATAL'));
      return;
    }
    clients += 1;
    const session = new Session(databases, {
      password,
      write: (bytes) => void socket.write(bytes),
      end: () => void socket.end(),
    });
    socket.once('close', () => {
      clients -= 1;
      session.close();
    });
    converse(socket, session).catch((error: unknown) => {
      if (error instanceof WireError) {
        // What the client is still sending is read away for a while: a reset would take the reason from it.
        socket.end(backend.error(new SqlError('08P01', error.message), 'FATAL'));
        socket.resume().setTimeout(GOODBYE_MS, () => socket.destroy());
      } else if (!socket.destroyed) {
        console.error(`client ${socket.remoteAddress}:`, error);
        socket.destroy();
      }
    });
  });
}

async function converse(socket: Socket, session: Session): Promise<void> {
  const reader = new MessageReader();
  socket.setTimeout(STARTUP_TIMEOUT_MS, () => socket.destroy());
  const chunks: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    reader.push(chunk);
    for (let message = reader.next(); message !== undefined; message = reader.next()) {
      // Rows are many small messages: together they go out in few packets.
      socket.cork();
      await session.handle(message);
      socket.uncork();
      if (session.typed) {
        reader.started();
        socket.setTimeout(0);
      }
      if (socket.writableNeedDrain) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    }
  }
}

// Clients over TCP, and what is done by the clock.
import { createServer, type Server, type Socket } from 'node:net';
import type { Redis } from './redis.ts';
import { CommandReader, ProtocolError } from './resp.ts';
import { SERVER_VERSION, Session } from './session.ts';

const MAX_CLIENTS = 1000;
/** What a subscriber may leave unread, as Redis' client-output-buffer-limit of pubsub. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;
const MAX_HEAP_BYTES = 256 * 1024 * 1024;
const TICK_MS = 1000;

export function redisServer(redis: Redis, password: string | undefined): Server {
  const started = performance.now();
  const clients = new Set<Socket>();
  let lastId = 0;
  const info = (): string => {
    const keyspace = redis.databases.flatMap((db, index) =>
      db.size === 0 ? [] : [`db${index}:keys=${db.size},expires=${db.expiringCount},avg_ttl=0`],
    );
    return [
      '# Server',
      `redis_version:${SERVER_VERSION}`,
      'redis_mode:standalone',
      'server_name:varka embedded',
      `process_id:${process.pid}`,
      `uptime_in_seconds:${Math.floor((performance.now() - started) / 1000)}`,
      '',
      '# Clients',
      `connected_clients:${clients.size}`,
      '',
      '# Memory',
      `used_memory:${process.memoryUsage().heapUsed}`,
      '',
      '# Replication',
      'role:master',
      'connected_slaves:0',
      '',
      '# Keyspace',
      ...keyspace,
      '',
    ].join('\r\n');
  };
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', (error) => console.error(`client ${socket.remoteAddress}: ${error.message}`));
    if (clients.size >= MAX_CLIENTS) {
      socket.end('-ERR max number of clients reached\r\n');
      return;
    }
    clients.add(socket);
    lastId += 1;
    const session = new Session(
      redis,
      {
        id: lastId,
        address: `${socket.remoteAddress}:${socket.remotePort}`,
        write(text) {
          if (socket.writableEnded) return;
          socket.write(text, 'latin1');
          if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
        },
        end: () => void socket.end(),
        info,
      },
      password,
    );
    socket.once('close', () => {
      clients.delete(socket);
      session.close();
    });
    converse(socket, session);
  });
  const tick = setInterval(() => {
    redis.tick();
    redis.full = process.memoryUsage().heapUsed > MAX_HEAP_BYTES;
  }, TICK_MS);
  tick.unref();
  return server;
}

function converse(socket: Socket, session: Session): void {
  const reader = new CommandReader();
  const work = (): void => {
    socket.cork();
    try {
      // A client that does not read its answers is not read from either; the rest waits for the drain.
      while (!socket.writableNeedDrain && !socket.writableEnded) {
        const words = reader.next();
        if (words === undefined) break;
        session.handle(words);
      }
    } catch (error) {
      const known = error instanceof ProtocolError;
      if (!known) console.error(`client ${socket.remoteAddress}:`, error);
      socket.end(known ? `-ERR Protocol error: ${error.message}\r\n` : '-ERR internal error, see the log\r\n');
    }
    socket.uncork();
    if (socket.writableNeedDrain) socket.pause();
  };
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    work();
  });
  socket.on('drain', () => {
    socket.resume();
    work();
  });
}

// Clients of the broker over TCP.
import { createServer, type Server, type Socket } from 'node:net';
import { AmqpError } from './amqp-error.ts';
import type { Broker } from './broker.ts';
import { Connection, type Credentials } from './connection.ts';
import { FrameReader, HEARTBEAT, WrongProtocol } from './frames.ts';

const MAX_CLIENTS = 500;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const GOODBYE_MS = 1000;

export function amqpServer(broker: Broker, credentials: Credentials): Server {
  let clients = 0;
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', (error) => console.error(`client ${socket.remoteAddress}: ${error.message}`));
    if (clients >= MAX_CLIENTS) {
      socket.destroy();
      return;
    }
    clients += 1;
    socket.once('close', () => {
      clients -= 1;
    });
    converse(socket, broker, credentials);
  });
}

function converse(socket: Socket, broker: Broker, credentials: Credentials): void {
  const reader = new FrameReader();
  let beat: NodeJS.Timeout | undefined;
  let greeted = false;
  // What the client still sends is read away for a while: a reset would take the reason from it.
  const end = (): void => {
    socket.end();
    socket.setTimeout(GOODBYE_MS, () => socket.destroy());
  };
  const connection = new Connection(
    broker,
    {
      write: (bytes) => {
        if (!socket.writableEnded) socket.write(bytes);
      },
      end,
      writable: () => !socket.writableNeedDrain && !socket.writableEnded,
      heartbeat: (seconds) => {
        socket.setTimeout(seconds * 2000);
        if (seconds > 0) beat = setInterval(() => socket.write(HEARTBEAT), seconds * 500);
      },
    },
    credentials,
  );
  socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
  socket.on('drain', () => connection.drained());
  socket.once('close', () => {
    clearInterval(beat);
    connection.close();
  });
  socket.on('data', (chunk: Buffer) => {
    if (socket.writableEnded) return;
    reader.push(chunk);
    // A burst of small frames leaves in few packets.
    socket.cork();
    try {
      if (!greeted && reader.greeted()) {
        greeted = true;
        connection.greet();
      }
      for (let frame = greeted ? reader.next() : undefined; frame !== undefined; frame = reader.next()) {
        connection.handle(frame);
      }
    } catch (error) {
      if (error instanceof WrongProtocol) {
        socket.write(error.answer);
        end();
      } else {
        connection.fail(new AmqpError(501, error instanceof Error ? error.message : String(error)), 0);
      }
    }
    socket.uncork();
  });
}

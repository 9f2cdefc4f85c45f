// One buffer for all sockets: whatever their readers' pace, nobody gets another's bytes, or its own twice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { writeLent } from '../src/write-lent.ts';

/** Byte `at` of stream `id`: its period is prime, so no block looks like the one before. */
const byteOf = (id: number, at: number): number => (at % 251) ^ (id * 37);

test('bytes arrive as they were lent, though the lender writes over them at once', async (t) => {
  const TOTAL = 12 * 1024 * 1024;
  const STREAMS = 4;
  const lent = Buffer.alloc(64 * 1024);
  const server = createServer((socket) => {
    socket.once('data', (hello: Buffer) => send(socket, hello[0]!));
  });
  const send = (socket: Socket, id: number): void => {
    let sent = 0;
    const more = (): void => {
      while (sent < TOTAL) {
        // Sizes on both sides of what the kernel takes at once.
        const size = Math.min(1 + ((sent * 7 + id * 1009) % lent.length), TOTAL - sent);
        for (let i = 0; i < size; i++) lent[i] = byteOf(id, sent + i);
        const open = writeLent(socket, lent, 0, size, 'b', 'a');
        lent.fill(255, 0, size);
        sent += size;
        if (!open) {
          socket.once('drain', more);
          return;
        }
      }
      socket.end();
    };
    more();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;

  const read = async (id: number): Promise<void> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(Buffer.of(id));
    const parts: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => {
      parts.push(bytes);
      // Every other reader is slower than the writer.
      if (id % 2 === 0) return;
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
    });
    await once(socket, 'end');
    const all = Buffer.concat(parts);
    let at = 0;
    for (let sent = 0; sent < TOTAL; ) {
      const size = Math.min(1 + ((sent * 7 + id * 1009) % lent.length), TOTAL - sent);
      assert.equal(all[at++], 0x62);
      for (let i = 0; i < size; i++)
        if (all[at + i] !== byteOf(id, sent + i)) assert.fail(`stream ${id} differs at ${sent + i}`);
      at += size;
      assert.equal(all[at++], 0x61);
      sent += size;
    }
    assert.equal(at, all.length);
  };
  await Promise.all(Array.from({ length: STREAMS }, (_, id) => read(id)));
});

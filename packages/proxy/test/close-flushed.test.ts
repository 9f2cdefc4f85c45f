// Closing in peace: the last bytes reach a slow reader, and a peer that does nothing is not waited for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { closeFlushed } from '../src/close-flushed.ts';
import { eventually } from './support/backends.ts';

/** Both ends of a connection; the far one reads nothing until it is told to, and keeps its own half open. */
async function pair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  far.pause();
  const [near] = (await once(server, 'connection')) as [Socket];
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

/** Writes until bytes wait outside the kernel. */
function fill(socket: Socket): number {
  const block = Buffer.alloc(1024 * 1024, 'x');
  let written = 0;
  while (socket.writableLength === 0) {
    socket.write(block);
    written += block.length;
  }
  return written;
}

test('a slow reader gets all that was written before, however long it takes to begin', async (t) => {
  const { near, far } = await pair(t);
  const written = fill(near);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  closeFlushed(near);
  t.mock.timers.tick(30_000);
  assert.ok(!near.destroyed);
  t.mock.timers.reset();
  let received = 0;
  far.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  far.resume();
  await once(far, 'end');
  assert.equal(received, written);
});

test('a reader that takes nothing for a minute is given up', async (t) => {
  const { near } = await pair(t);
  fill(near);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  closeFlushed(near);
  t.mock.timers.tick(60_000);
  assert.ok(near.destroyed);
});

test('a peer that has everything has a second to close', async (t) => {
  const { near, far } = await pair(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  near.write('bye');
  closeFlushed(near);
  far.resume();
  await once(far, 'end');
  await eventually(() => near.writableFinished, 'all is out');
  assert.ok(!near.destroyed);
  t.mock.timers.tick(1_000);
  assert.ok(near.destroyed);
});

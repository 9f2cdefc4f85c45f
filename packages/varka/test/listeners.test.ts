// The published ports: the usual one, the next free one, or exactly the one asked for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { VarkaError } from '../src/errors.ts';
import { openListener } from '../src/front/listeners.ts';

async function takenPort(t: { after(hook: () => void): void }): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

test('a port asked for and taken is an error that says so', async (t) => {
  const port = await takenPort(t);
  await assert.rejects(openListener('http', port), (error: unknown) => {
    assert.ok(error instanceof VarkaError);
    assert.equal(error.problem.name, 'port-taken');
    assert.match(error.problem.what, new RegExp(`port ${port} `));
    assert.match(error.problem.why, /--gateway-port/);
    return true;
  });
});

test('a port asked for and free is used; 0 is any', async () => {
  const any = await openListener('http', 0);
  assert.ok(any.port > 0);
  const same = any.port;
  any.server.close();
  await once(any.server, 'close');
  const given = await openListener('http', same);
  assert.deepEqual([given.port, given.movedFrom], [same, undefined]);
  given.server.close();
});

test('with no option a taken port moves to a free one and remembers from where', async () => {
  const first = await openListener('api', undefined);
  const second = await openListener('api', undefined);
  assert.ok(second.port > first.port);
  assert.equal(second.movedFrom, 6443);
  for (const { server } of [first, second]) server.close();
});

// What comes before a container's process, when it takes long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@varka/kube/client/clock.ts';
import { type PreparationHost, prepareContainer } from '../src/pods/container-preparation.ts';

test('a pull under way keeps nobody from ending the container', async () => {
  const stop = new AbortController();
  const asked = Promise.withResolvers<AbortSignal>();
  const events: string[] = [];
  const host: PreparationHost = {
    clock: systemClock,
    plan: (_container, onPull, signal) => {
      onPull();
      asked.resolve(signal);
      return new Promise(() => undefined);
    },
    onImagesChange: () => () => undefined,
    event: (_type, reason) => events.push(reason),
  };
  const waits: string[] = [];
  const spec = { name: 'main', image: 'example/large' };
  const prepared = prepareContainer({ host, spec, stop: stop.signal, wait: (reason) => waits.push(reason) });
  const told = await asked.promise;
  stop.abort();
  assert.equal(await prepared, undefined);
  assert.equal(told.aborted, true);
  assert.deepEqual([events, waits], [['Pulling'], []]);
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EventRecorder } from '../src/client/event-recorder.ts';
import { HttpKubeClient } from '../src/client/http-client.ts';
import type { Event } from '../src/client/typed-objects.ts';
import { Node, Pod } from '../src/kinds/refs.ts';
import { FakeApi } from './support/fake-api.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryLogger } from './support/logger.ts';

describe('the event recorder', () => {
  let api: FakeApi;
  let client: HttpKubeClient;
  let clock: FakeClock;
  let log: MemoryLogger;
  let recorder: EventRecorder;
  const pod = { metadata: { name: 'p', namespace: 'shop', uid: 'u1', resourceVersion: '7' } };
  const events = () => api.all('events') as Event[];

  beforeEach(async () => {
    api = await FakeApi.start();
    client = new HttpKubeClient({ server: api.url });
    clock = new FakeClock();
    log = new MemoryLogger();
    recorder = new EventRecorder({ client, component: 'kubelet', host: 'varka', log, clock });
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  test('writes what happened to an object', async () => {
    recorder.event(Pod, pod, 'Warning', 'BackOff', 'restarting failed container');
    await recorder.flush();
    const [event] = events();
    assert.match(event?.metadata.name ?? '', /^p\.[0-9a-f]+$/);
    assert.equal(event?.metadata.namespace, 'shop');
    assert.deepEqual(event?.involvedObject, {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'p',
      namespace: 'shop',
      uid: 'u1',
      resourceVersion: '7',
    });
    assert.equal(event?.type, 'Warning');
    assert.equal(event?.reason, 'BackOff');
    assert.equal(event?.count, 1);
    assert.equal(event?.firstTimestamp, '2030-01-01T00:00:00Z');
    assert.deepEqual(event?.source, { component: 'kubelet', host: 'varka' });
  });

  test('the same thing again counts up one event, another thing is another event', async () => {
    recorder.event(Pod, pod, 'Warning', 'BackOff', 'again');
    recorder.event(Pod, pod, 'Warning', 'BackOff', 'again');
    await recorder.flush();
    await clock.advance(60_000);
    recorder.event(Pod, pod, 'Warning', 'BackOff', 'again');
    recorder.event(Pod, pod, 'Normal', 'Started', 'Started container main');
    await recorder.flush();
    assert.deepEqual(
      events().map((event) => [event.reason, event.count, event.firstTimestamp, event.lastTimestamp]),
      [
        ['BackOff', 3, '2030-01-01T00:00:00Z', '2030-01-01T00:01:00Z'],
        ['Started', 1, '2030-01-01T00:01:00Z', '2030-01-01T00:01:00Z'],
      ],
    );
  });

  test('an event that was removed meanwhile is written anew; one of a cluster-scoped object goes to default', async () => {
    recorder.event(Node, { metadata: { name: 'varka' } }, 'Normal', 'Ready', 'node is ready');
    await recorder.flush();
    const first = events()[0]?.metadata.name ?? '';
    assert.equal(events()[0]?.metadata.namespace, 'default');
    api.remove('events', 'default', first);
    recorder.event(Node, { metadata: { name: 'varka' } }, 'Normal', 'Ready', 'node is ready');
    await recorder.flush();
    assert.equal(events().length, 1);
    assert.notEqual(events()[0]?.metadata.name, first);
  });

  test('an API that cannot be reached costs the event, never the caller', async () => {
    api.script(
      () => true,
      (_request, response) => response.writeHead(500).end('no'),
    );
    recorder.event(Pod, pod, 'Normal', 'Lost', 'one');
    for (let index = 0; index < 1100; index += 1) recorder.event(Pod, pod, 'Normal', 'Many', `number ${index}`);
    await recorder.flush();
    assert.match(log.at('debug')[0] ?? '', /could not be written .*Lost/);
    assert.match(log.at('warn')[0] ?? '', /too many events/);
    assert(events().length >= 999 && events().length < 1100, String(events().length));
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../src/client/clock.ts';
import { systemClock } from '../src/client/clock.ts';
import { HttpKubeClient } from '../src/client/http-client.ts';
import type { Informer, InformerEvent, InformerOptions } from '../src/client/informer.ts';
import { createInformer } from '../src/client/informer.ts';
import { InformerSet } from '../src/client/informer-set.ts';
import { ConfigMap, Pod } from '../src/kinds/refs.ts';
import type { KubeObject } from '../src/object.ts';
import { eventually } from './support/eventually.ts';
import { FakeApi } from './support/fake-api.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryLogger } from './support/logger.ts';

const configMap = (name: string, value = '', namespace = 'shop'): KubeObject => ({
  metadata: { name, namespace },
  data: { value },
});

/** Time runs fifty times as fast, so that backoff does not slow the tests down. */
const hurriedClock: Clock = {
  now: () => systemClock.now() * 50,
  after: (delayMs, callback) => systemClock.after(delayMs / 50, callback),
};

/** What a consumer believes from events alone; an event that cannot follow from the ones before is a mistake. */
class Replay {
  readonly objects = new Map<string, KubeObject>();
  readonly log: string[] = [];

  readonly handle = (event: InformerEvent<KubeObject>): void => {
    const key = `${event.object.metadata?.namespace}/${event.object.metadata?.name}`;
    this.log.push(`${event.type} ${key}`);
    if (event.type === 'added') assert(!this.objects.has(key), `${key} added twice`);
    else assert(this.objects.has(key), `${event.type} ${key}, which is not there`);
    if (event.type === 'updated') assert.equal(event.old, this.objects.get(key), 'old is what was there before');
    if (event.type === 'deleted') this.objects.delete(key);
    else this.objects.set(key, event.object);
  };

  values(): string[] {
    return [...this.objects.values()].map(printed).sort();
  }
}

const printed = (object: KubeObject): string =>
  `${object.metadata?.uid} ${object.metadata?.namespace}/${object.metadata?.name}=${JSON.stringify(object.data)}`;

describe('an informer', () => {
  let api: FakeApi;
  let client: HttpKubeClient;
  let log: MemoryLogger;
  const running: Informer[] = [];

  beforeEach(async () => {
    api = await FakeApi.start();
    client = new HttpKubeClient({ server: api.url });
    log = new MemoryLogger();
  });

  afterEach(async () => {
    for (const informer of running.splice(0)) informer.stop();
    client.close();
    await api.close();
  });

  const start = (options: Partial<InformerOptions> = {}): Informer => {
    const informer = createInformer(client, ConfigMap, { log, clock: hurriedClock, ...options });
    running.push(informer);
    return informer;
  };
  const lists = () => api.requests.filter((request) => request.startsWith('GET') && !request.includes('watch=true'));
  const watches = () => api.requests.filter((request) => request.includes('watch=true'));

  test('holds what the first list had, then follows changes', async () => {
    api.put('configmaps', configMap('a', '1'));
    const informer = start();
    const replay = new Replay();
    await informer.synced;
    informer.onEvent(replay.handle);
    assert.deepEqual(replay.log, ['added shop/a'], 'a handler is first shown what is there');
    api.put('configmaps', configMap('a', '2'));
    api.put('configmaps', configMap('b', '1', 'other'));
    api.remove('configmaps', 'shop', 'a');
    await eventually(() => replay.log.length === 4, 'all changes');
    assert.deepEqual(replay.log.slice(1), ['updated shop/a', 'added other/b', 'deleted shop/a']);
    assert.equal(informer.get('shop', 'a'), undefined);
    assert.equal(informer.get('other', 'b')?.kind, 'ConfigMap');
    assert.deepEqual(informer.list('shop'), []);
    assert.equal(informer.list().length, 1);
  });

  test('reads a long list in pages, and whole when the pages expire', async () => {
    for (let index = 0; index < 7; index += 1) api.put('configmaps', configMap(`c${index}`));
    const paged = start({ pageSize: 3, namespace: 'shop', labelSelector: 'a=b' });
    await paged.synced;
    assert.equal(paged.list().length, 7);
    const base = 'GET /api/v1/namespaces/shop/configmaps?labelSelector=a%3Db';
    assert.deepEqual(lists(), [`${base}&limit=3`, `${base}&limit=3&continue=3`, `${base}&limit=3&continue=6`]);
    api.script(
      (request) => request.url?.includes('continue=3') ?? false,
      (_request, response) => {
        response
          .writeHead(410)
          .end('{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"old"}');
      },
    );
    const whole = start({ pageSize: 3 });
    await whole.synced;
    assert.equal(whole.list().length, 7);
    assert.equal(lists().at(-1), 'GET /api/v1/configmaps');
  });

  test('goes on from the last resourceVersion, a bookmark’s too, without a new list', async () => {
    const informer = start();
    await informer.synced;
    await eventually(() => api.watching === 1, 'watching');
    const seen = api.put('configmaps', configMap('a'));
    await eventually(() => informer.get('shop', 'a'), 'a');
    api.cutWatches();
    await eventually(() => watches().length === 2 && api.watching === 1, 'watching again');
    assert.match(
      watches()[1] ?? '',
      new RegExp(`resourceVersion=${seen.metadata?.resourceVersion}&allowWatchBookmarks=true`),
    );
    const other = api.put('secrets', configMap('moves the revision on'));
    api.bookmark();
    api.endWatches();
    await eventually(() => watches().length === 3, 'watching a third time');
    assert.match(watches()[2] ?? '', new RegExp(`resourceVersion=${other.metadata?.resourceVersion}&`));
    assert.equal(lists().length, 1);
  });

  test('after 410 lists again and tells what vanished, changed and came meanwhile', async () => {
    api.put('configmaps', configMap('gone'));
    api.put('configmaps', configMap('changed', '1'));
    api.put('configmaps', configMap('same'));
    api.put('configmaps', configMap('replaced'));
    const informer = start();
    const replay = new Replay();
    informer.onEvent(replay.handle);
    await informer.synced;
    await eventually(() => api.watching === 1, 'watching');
    replay.log.length = 0;
    api.cutWatches();
    api.remove('configmaps', 'shop', 'gone');
    api.put('configmaps', configMap('changed', '2'));
    api.remove('configmaps', 'shop', 'replaced');
    api.put('configmaps', configMap('replaced'));
    api.put('configmaps', configMap('new'));
    api.compact();
    await eventually(() => informer.get('shop', 'new'), 'the relist');
    assert.deepEqual(replay.log.sort(), [
      'added shop/new',
      'added shop/replaced',
      'deleted shop/gone',
      'deleted shop/replaced',
      'updated shop/changed',
    ]);
  });

  test('an ERROR event or a garbled line in the watch leads to a new list', async () => {
    const informer = start();
    await informer.synced;
    const mishaps = ['{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}\n', 'garbage\n'];
    for (const [index, mishap] of mishaps.entries()) {
      await eventually(() => api.watching === 1, 'watching');
      api.writeRaw(mishap);
      await eventually(() => lists().length === index + 2 && api.watching === 1, 'a new list');
    }
    assert.equal(log.at('warn').length, 2);
    assert.match(log.at('warn')[0] ?? '', /cannot follow configmaps; trying again .*etcd/);
    api.put('configmaps', configMap('a'));
    await eventually(() => informer.get('shop', 'a'), 'a');
    assert.deepEqual(log.at('info'), ['following configmaps again {}']);
  });

  test('waits longer after each failure, within bounds, and says the same failure once', async () => {
    const clock = new FakeClock();
    const refuse = () =>
      api.script(
        () => true,
        (_request, response) => response.writeHead(500).end('no'),
      );
    const waits: number[] = [];
    for (let index = 0; index < 10; index += 1) refuse();
    const informer = start({ clock, random: () => 0.5 });
    for (let failures = 1; failures <= 10; failures += 1) {
      await eventually(
        () => api.requests.length === failures && clock.next !== undefined && clock.next < 20_000,
        'waiting',
      );
      waits.push(clock.next ?? 0);
      await clock.advance(clock.next ?? 0);
    }
    await informer.synced;
    assert.deepEqual(waits.slice(0, 4), [75, 150, 300, 600]);
    assert.equal(waits.at(-1), 11_250);
    assert.equal(log.at('warn').length, 1);
  });

  test('notices a watch on which nothing comes any more, not even its end', async () => {
    const clock = new FakeClock();
    const informer = start({ clock, random: () => 0 });
    await informer.synced;
    await eventually(() => api.watching === 1, 'watching');
    await clock.advance(300_000 + 29_000);
    assert.equal(watches().length, 1);
    await clock.advance(1_000);
    await eventually(() => clock.next === 50, 'the watch is given up');
    assert.match(log.at('warn')[0] ?? '', /the connection is dead/);
    await clock.advance(50);
    await eventually(() => watches().length === 2 && api.watching === 1, 'a new watch');
    assert.equal(lists().length, 1);
  });

  test('one handler’s mistake does not keep the news from the others', async () => {
    const informer = start();
    const names: string[] = [];
    informer.onEvent(() => {
      throw new Error('my mistake');
    });
    const off = informer.onEvent((event) => names.push(event.object.metadata?.name ?? ''));
    await informer.synced;
    api.put('configmaps', configMap('a'));
    await eventually(() => names.length === 1, 'the other handler');
    assert.match(log.at('error')[0] ?? '', /a handler of configmaps failed .*shop\/a.*my mistake/);
    off();
    api.put('configmaps', configMap('b'));
    await eventually(() => informer.get('shop', 'b'), 'b');
    assert.deepEqual(names, ['a']);
  });

  test('stop ends the watch and what waits for the first list', async () => {
    const informer = start();
    await informer.synced;
    await eventually(() => api.watching === 1, 'watching');
    informer.stop();
    await eventually(() => api.watching === 0, 'no watch');
    api.script(
      () => true,
      () => undefined,
    );
    const early = start();
    early.stop();
    await assert.rejects(early.synced, /stopped before its first list/);
  });

  test('a set shares one informer a kind', async () => {
    const set = new InformerSet({ client, log });
    api.put('configmaps', configMap('a'));
    assert.equal(set.informer(ConfigMap), set.informer(ConfigMap));
    assert.notEqual(set.informer(ConfigMap), set.informer(Pod));
    await set.synced();
    assert.equal(set.informer(ConfigMap).list().length, 1);
    assert.equal(lists().length, 2);
    await eventually(() => api.watching === 2, 'two watches');
    set.stop();
    await eventually(() => api.watching === 0, 'no watch');
  });

  test('whatever happens to its watches, it converges, and its events tell one coherent story', async () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ put: name, value: fc.integer({ min: 0, max: 9 }) }) },
      { weight: 3, arbitrary: fc.record({ remove: name }) },
      {
        weight: 5,
        arbitrary: fc.constantFrom('cut', 'end', 'compact', 'garbage', 'error', 'bookmark', 'refuse', 'settle'),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        for (const left of api.all('configmaps')) api.remove('configmaps', 'shop', left.metadata?.name ?? '');
        const informer = start({ pageSize: 2 });
        const replay = new Replay();
        informer.onEvent(replay.handle);
        const converged = () =>
          JSON.stringify(informer.list().map(printed).sort()) ===
          JSON.stringify(api.all('configmaps').map(printed).sort());
        for (const move of steps) {
          if (typeof move !== 'string') {
            if ('put' in move) api.put('configmaps', configMap(move.put, String(move.value)));
            else api.remove('configmaps', 'shop', move.remove);
          } else if (move === 'cut') api.cutWatches();
          else if (move === 'end') api.endWatches();
          else if (move === 'compact') {
            api.compact();
            api.cutWatches();
          } else if (move === 'garbage') api.writeRaw('garbage\n');
          else if (move === 'error')
            api.writeRaw('{"type":"ERROR","object":{"kind":"Status","code":410,"message":"old"}}\n');
          else if (move === 'bookmark') api.bookmark();
          else if (move === 'settle') await eventually(converged, 'converged on the way');
          else {
            api.script(
              () => true,
              (_request, response) => response.writeHead(503).end(),
            );
          }
        }
        await eventually(converged, `converged after ${JSON.stringify(steps)}`);
        assert.deepEqual(replay.values(), informer.list().map(printed).sort());
        informer.stop();
        assert.deepEqual(log.at('error'), []);
      }),
      { numRuns: 60 },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Informer, InformerEvent } from '../src/client/informer.ts';
import { Controller } from '../src/controllers/controller.ts';
import { Expectations } from '../src/controllers/expectations.ts';
import { WorkQueue } from '../src/controllers/work-queue.ts';
import type { KubeObject } from '../src/object.ts';
import { StatusError } from '../src/status-error.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryLogger } from './support/logger.ts';

const turn = () => new Promise(setImmediate);

describe('the work queue', () => {
  const setUp = (process: (key: string) => Promise<number | undefined>, workers = 4) => {
    const clock = new FakeClock();
    const failures: string[] = [];
    const queue = new WorkQueue({
      process,
      onFailure: (key, error, retryInMs) => failures.push(`${key} ${(error as Error).message} ${retryInMs}`),
      clock,
      random: () => 1,
      workers,
    });
    return { clock, queue, failures };
  };

  test('looks once at a key added many times, and again when it was added meanwhile', async () => {
    const looks: string[] = [];
    const gates: (() => void)[] = [];
    const { queue } = setUp((key) => {
      looks.push(key);
      return new Promise((resolve) => gates.push(() => resolve(undefined)));
    });
    queue.add('a');
    await turn();
    assert.deepEqual(looks, [], 'nothing before start');
    queue.start();
    for (let times = 0; times < 5; times += 1) queue.add('a');
    await turn();
    assert.deepEqual(looks, ['a']);
    queue.add('a');
    queue.add('a');
    await turn();
    assert.deepEqual(looks, ['a'], 'never two at a time for one key');
    gates[0]?.();
    await turn();
    assert.deepEqual(looks, ['a', 'a']);
    gates[1]?.();
    await turn();
    assert.deepEqual(looks, ['a', 'a']);
  });

  test('works on several keys side by side, as many as there are workers', async () => {
    let most = 0;
    let now = 0;
    const done: string[] = [];
    const { queue } = setUp(async (key) => {
      now += 1;
      most = Math.max(most, now);
      await turn();
      now -= 1;
      done.push(key);
      return undefined;
    }, 2);
    queue.start();
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    while (done.length < 5) await turn();
    assert.equal(most, 2);
    assert.deepEqual(done.sort(), ['a', 'b', 'c', 'd', 'e']);
  });

  test('tries again after a growing wait, which a success forgets', async () => {
    let failing = true;
    let looks = 0;
    const { clock, queue, failures } = setUp(async () => {
      looks += 1;
      if (failing) throw new Error('no');
      return undefined;
    });
    queue.start();
    queue.add('a');
    await clock.advance(5 + 10 + 20);
    assert.deepEqual(failures, ['a no 5', 'a no 10', 'a no 20', 'a no 40']);
    failing = false;
    await clock.advance(40);
    assert.equal(looks, 5);
    await clock.advance(100_000);
    assert.equal(looks, 5, 'a success is not looked at again');
    failing = true;
    queue.add('a');
    await turn();
    assert.equal(failures.at(-1), 'a no 5');
  });

  test('looks again after as long as asked, or sooner when something happens', async () => {
    let looks = 0;
    const { clock, queue } = setUp(async () => {
      looks += 1;
      return looks === 1 ? 1000 : undefined;
    });
    queue.start();
    queue.add('a');
    await clock.advance(999);
    assert.equal(looks, 1);
    queue.addAfter('a', 500);
    await clock.advance(1);
    assert.equal(looks, 2, 'the earlier of two times counts');
    await clock.advance(1000);
    assert.equal(looks, 2);
  });

  test('stop takes nothing more up and waits for what is under way', async () => {
    let finish: () => void = () => assert.fail('not begun');
    const looks: string[] = [];
    const { clock, queue } = setUp((key) => {
      looks.push(key);
      return new Promise((resolve) => {
        finish = () => resolve(5);
      });
    }, 1);
    queue.start();
    queue.add('a');
    queue.add('b');
    await turn();
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    queue.add('c');
    await turn();
    assert.equal(stopped, false);
    finish();
    await stopping;
    await clock.advance(1000);
    assert.deepEqual(looks, ['a']);
  });
});

describe('a controller', () => {
  test('reports failures, conflicts quietly, and lets go of what is in a terminating namespace', async () => {
    const clock = new FakeClock();
    const log = new MemoryLogger();
    const errors: Record<string, Error> = {
      broken: new Error('broken'),
      raced: StatusError.conflict({ group: '', plural: 'pods' }, 'p'),
      doomed: StatusError.of(403, 'Forbidden', 'no', { causes: [{ reason: 'NamespaceTerminating' }] }),
    };
    const looks: string[] = [];
    const controller = new Controller({
      name: 'test',
      log,
      clock,
      random: () => 1,
      reconcile: async (key) => {
        looks.push(key);
        const error = errors[key];
        delete errors[key];
        if (error !== undefined) throw error;
        return undefined;
      },
    });
    await controller.start();
    for (const key of Object.keys(errors)) controller.enqueue(key);
    await clock.advance(100);
    assert.deepEqual(looks.sort(), ['broken', 'broken', 'doomed', 'raced', 'raced']);
    assert.deepEqual(log.at('warn'), ['test: could not reconcile broken {"error":"broken","retryInMs":5}']);
    assert.equal(log.at('debug').length, 1);
    await controller.stop();
  });
});

describe('an expectation', () => {
  const setUp = () => {
    const clock = new FakeClock();
    const handlers: ((event: InformerEvent<KubeObject>) => void)[] = [];
    const informer = { onEvent: (handler: (typeof handlers)[number]) => handlers.push(handler) };
    const expectations = new Expectations(informer as unknown as Informer, clock);
    const tell = (type: 'added' | 'deleted', name: string) =>
      handlers[0]?.({ type, object: { metadata: { namespace: 'shop', name } } });
    return { clock, expectations, tell };
  };
  const never = new AbortController().signal;
  const settled = async (promise: Promise<void>) => {
    let state = 'waiting';
    promise.then(
      () => {
        state = 'met';
      },
      () => {
        state = 'failed';
      },
    );
    await turn();
    return state;
  };

  test('is met when the informer shows the object, be it before the answer to the write', async () => {
    const { expectations, tell } = setUp();
    const still = async () => true;
    const late = expectations.created('shop/a', async () => undefined, still, never);
    assert.equal(await settled(late), 'waiting');
    tell('added', 'b');
    assert.equal(await settled(late), 'waiting');
    tell('added', 'a');
    assert.equal(await settled(late), 'met');
    const early = expectations.created('shop/c', async () => tell('added', 'c'), still, never);
    assert.equal(await settled(early), 'met');
    const removal = expectations.deleted('shop/a', async () => undefined, never);
    tell('added', 'a');
    assert.equal(await settled(removal), 'waiting');
    tell('deleted', 'a');
    assert.equal(await settled(removal), 'met');
  });

  test('is given up when the object is gone again, the write fails or the controller stops', async () => {
    const { clock, expectations } = setUp();
    let there = true;
    const unseen = expectations.created(
      'shop/a',
      async () => undefined,
      async () => there,
      never,
    );
    await clock.advance(5_000);
    assert.equal(await settled(unseen), 'waiting', 'it is there: the informer will show it');
    there = false;
    await clock.advance(5_000);
    assert.equal(await settled(unseen), 'met');
    const failing = expectations.created(
      'shop/b',
      () => Promise.reject(new Error('no')),
      async () => true,
      never,
    );
    assert.equal(await settled(failing), 'failed');
    const stop = new AbortController();
    const stopped = expectations.created(
      'shop/c',
      async () => undefined,
      async () => true,
      stop.signal,
    );
    stop.abort();
    assert.equal(await settled(stopped), 'met');
  });
});

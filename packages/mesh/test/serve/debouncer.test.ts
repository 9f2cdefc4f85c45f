// Debouncing on a clock that the test moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@varka/kube/client/clock.ts';
import { type Burst, Debouncer } from '../../src/serve/debouncer.ts';

class FakeClock implements Clock {
  #now = 1_000_000;
  readonly #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void) {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => this.#drop(timer) };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = next.at;
      this.#drop(next);
      next.callback();
    }
    this.#now = end;
  }

  #drop(timer: { at: number; callback: () => void }): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }
}

function setUp() {
  const clock = new FakeClock();
  const bursts: (Burst & { at: number })[] = [];
  const start = clock.now();
  const options = { quietMs: 10, stormQuietMs: 100, stormEvents: 50, maxMs: 1000 };
  const debouncer = new Debouncer(clock, options, (burst) => bursts.push({ ...burst, at: clock.now() - start }));
  return { clock, bursts, debouncer };
}

test('a single change is acted on 10 ms later', () => {
  const { clock, bursts, debouncer } = setUp();
  debouncer.event();
  clock.advance(9);
  assert.equal(bursts.length, 0);
  clock.advance(1);
  assert.deepEqual(
    bursts.map(({ at, events }) => ({ at, events })),
    [{ at: 10, events: 1 }],
  );
});

test('changes close together are one action, 10 ms after the last', () => {
  const { clock, bursts, debouncer } = setUp();
  for (let i = 0; i < 5; i++) {
    debouncer.event();
    clock.advance(8);
  }
  clock.advance(10);
  assert.deepEqual(
    bursts.map(({ at, events }) => ({ at, events })),
    [{ at: 42, events: 5 }],
  );
});

test('under a storm it waits for 100 ms of quiet, and never longer than a second in all', () => {
  const { clock, bursts, debouncer } = setUp();
  for (let i = 0; i < 60; i++) debouncer.event();
  clock.advance(99);
  assert.equal(bursts.length, 0);
  clock.advance(1);
  assert.equal(bursts.length, 1);
  assert.equal(bursts[0]!.events, 60);

  for (let i = 0; i < 400; i++) {
    debouncer.event();
    clock.advance(5);
  }
  assert.ok(bursts.length >= 2, 'a storm without end is acted on all the same');
  const [first, second] = bursts.slice(-2);
  assert.ok(second!.at - first!.at <= 1005, `${second!.at - first!.at} ms between two actions`);
});

test('nothing happens after it is stopped', () => {
  const { clock, bursts, debouncer } = setUp();
  debouncer.event();
  debouncer.stop();
  clock.advance(1000);
  assert.equal(bursts.length, 0);
});

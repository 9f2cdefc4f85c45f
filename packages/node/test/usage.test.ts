import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodWorker } from '../src/pods/pod-worker.ts';
import { type RunningProcess, UsageMeter } from '../src/pods/usage.ts';

const SECOND = 1_000;

/** A machine whose counters the test sets. */
function machine() {
  const state = {
    now: 100 * SECOND,
    machineMs: 0,
    ticks: new Map<number, number>(),
    children: new Map<number, number>(),
  };
  const entry = (pid: number, session: number, ticks: number) => ({
    pid,
    session,
    ticks,
    state: 'S',
    parent: 1,
    startTime: '1',
  });
  const meter = new UsageMeter(() => state.now, {
    processes: () => [
      ...[...state.ticks].map(([pid, ticks]) => entry(pid, pid, ticks)),
      ...[...state.children].map(([pid, session]) => entry(pid, session, 0)),
    ],
    machineMs: () => state.machineMs,
    memoryBytes: (pid) => pid * 1024,
  });
  return { state, meter };
}

const worker = (...running: RunningProcess[]) =>
  ({ pod: { metadata: { namespace: 'shop', name: 'web' } }, running }) as unknown as PodWorker;

describe('usage', () => {
  test('CPU is what was used since an earlier sample, memory that of the whole session', () => {
    const { state, meter } = machine();
    const pod = worker({ name: 'app', pid: 7, startedAt: 10 * SECOND });
    state.ticks.set(7, 1_000);
    state.children.set(9, 7);
    meter.sample();
    state.now += 10 * SECOND;
    state.ticks.set(7, 1_500);
    assert.deepEqual(meter.pods([pod]), [
      {
        namespace: 'shop',
        name: 'web',
        takenAt: 110 * SECOND,
        windowMs: 10 * SECOND,
        // 500 ticks are 5 s of 10.
        containers: [{ name: 'app', cpuNanocores: 500_000_000, memoryBytes: 16 * 1024 }],
      },
    ]);
  });

  test('one that has just started is measured from its start, once that is a second ago', () => {
    const { state, meter } = machine();
    // The number belonged to another process before.
    state.ticks.set(7, 90_000);
    meter.sample();
    const pod = worker({ name: 'app', pid: 7, startedAt: state.now + SECOND });
    state.ticks.set(7, 20);
    state.now += 1.5 * SECOND;
    assert.deepEqual(meter.pods([pod]), []);
    state.now += 1.5 * SECOND;
    assert.deepEqual(
      meter.pods([pod]).map(({ windowMs, containers }) => [windowMs, containers[0]?.cpuNanocores]),
      [[2 * SECOND, 100_000_000]],
    );
  });

  test('a pod is left out while one of its containers cannot be measured, or none runs', () => {
    const { state, meter } = machine();
    state.ticks.set(7, 0);
    const startedAt = 10 * SECOND;
    assert.deepEqual(meter.pods([worker({ name: 'a', pid: 7, startedAt }, { name: 'b', pid: 8, startedAt })]), []);
    assert.deepEqual(meter.pods([worker()]), []);
  });

  test('the node is the machine', () => {
    const { state, meter } = machine();
    assert.deepEqual(meter.nodes('varka'), []);
    state.now += 2 * SECOND;
    state.machineMs += 3 * SECOND;
    const [node] = meter.nodes('varka');
    assert.equal(node?.cpuNanocores, 1_500_000_000);
    assert.ok((node?.memoryBytes ?? 0) > 0);
  });
});

// Ejections: after how many errors, of how many hosts, for how long. Time is the test's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStats } from '../src/observe/stats.ts';
import { Host } from '../src/upstream/host.ts';
import { type OutlierDetectionSpec, OutlierDetector } from '../src/upstream/outlier-detection.ts';

const SPEC: OutlierDetectionSpec = {
  consecutive5xx: 3,
  consecutiveGatewayFailure: 2,
  consecutiveLocalOriginFailure: 2,
  enforcing5xx: 1,
  enforcingGatewayFailure: 0,
  enforcingLocalOriginFailure: 1,
  splitsLocalOrigin: false,
  intervalMs: 1000,
  baseEjectionMs: 10_000,
  maxEjectionMs: 25_000,
  maxEjectionPercent: 100,
  alwaysEjectsOne: false,
};

function world(spec: Partial<OutlierDetectionSpec> = {}, count = 2, draw = 0) {
  const hosts = Array.from({ length: count }, (_, i) => new Host('10.0.0.1', 8000 + i));
  const stats = new ClusterStats();
  let changes = 0;
  const changed = (): void => {
    changes++;
  };
  const detector = new OutlierDetector({ ...SPEC, ...spec }, { hosts: () => hosts, draw: () => draw, changed, stats });
  const answers = (host: Host, ...statuses: number[]): void => {
    for (const status of statuses) detector.onResponse(host, status, 0);
  };
  return { hosts, first: hosts[0]!, second: hosts[1]!, stats, detector, answers, changes: () => changes };
}

test('errors in a row eject a host, and anything else between them begins the count anew', () => {
  const { first, answers, stats, changes } = world();
  answers(first, 500, 500, 200, 500, 500, 404);
  assert.equal(first.ejected, false);
  answers(first, 500, 501, 502);
  assert.equal(first.ejected, true);
  assert.deepEqual([stats.outlierEjectionsActive, stats.outlierEjectionsEnforcedTotal, changes()], [1, 1, 1]);
});

test('gateway errors are counted apart: 502, 503 and 504', () => {
  const gateway = { enforcingGatewayFailure: 1, consecutive5xx: 0 };
  const { first, second, answers } = world(gateway);
  answers(first, 502, 500, 503);
  assert.equal(first.ejected, false);
  answers(first, 504);
  assert.equal(first.ejected, true);
  answers(second, 500, 500, 500, 500);
  assert.equal(second.ejected, false);
});

test('failures to connect and time-outs count as the answers they become, or apart', () => {
  const joined = world();
  joined.answers(joined.first, 500, 500);
  joined.detector.onLocalFailure(joined.first, 'timeout', 0);
  assert.equal(joined.first.ejected, true);

  const apart = world({ splitsLocalOrigin: true });
  apart.answers(apart.first, 500, 500);
  apart.detector.onLocalFailure(apart.first, 'connect-failed', 0);
  assert.equal(apart.first.ejected, false);
  apart.detector.onLocalFailure(apart.first, 'connect-failed', 0);
  assert.equal(apart.first.ejected, true);
});

test('an ejection lasts longer each time, up to a limit, and good behaviour shortens the next', () => {
  const { first, answers, detector } = world({ consecutive5xx: 1 });
  let now = 0;
  const lasted = (): number => {
    const from = now;
    detector.onResponse(first, 500, now);
    assert.equal(first.ejected, true);
    while (first.ejected) {
      now += 1000;
      detector.sweep(now);
    }
    return now - from;
  };
  assert.equal(lasted(), 10_000);
  assert.equal(lasted(), 20_000);
  assert.equal(lasted(), 25_000, 'no longer than max_ejection_time');
  // Three intervals without an ejection take three base times off: the next is as the first.
  for (let i = 0; i < 3; i++) {
    now += 1000;
    detector.sweep(now);
  }
  assert.equal(lasted(), 10_000);
  answers(first, 200);
});

test('no more hosts go than the percentage allows', () => {
  const { hosts, answers, stats } = world({ maxEjectionPercent: 50, consecutive5xx: 1 }, 4);
  for (const host of hosts) answers(host, 500);
  assert.deepEqual(
    hosts.map(({ ejected }) => ejected),
    [true, true, false, false],
  );
  assert.equal(stats.outlierEjectionsOverflow, 2);
  const few = world({ maxEjectionPercent: 10, consecutive5xx: 1 });
  few.answers(few.first, 500);
  assert.equal(few.first.ejected, false, 'one of two is more than ten per cent');
  const one = world({ maxEjectionPercent: 10, consecutive5xx: 1, alwaysEjectsOne: true });
  one.answers(one.first, 500);
  one.answers(one.second, 500);
  assert.deepEqual([one.first.ejected, one.second.ejected], [true, false]);
});

test('what is not enforced is only counted on', () => {
  const { first, answers } = world({ enforcing5xx: 0.5, consecutive5xx: 1 }, 2, 0.5);
  answers(first, 500);
  assert.equal(first.ejected, false);
  const drawn = world({ enforcing5xx: 0.5, consecutive5xx: 1 }, 2, 0.49);
  drawn.answers(drawn.first, 500);
  assert.equal(drawn.first.ejected, true);
});

test('answers that come after the ejection neither prolong nor repeat it; an end of the cluster ends it', () => {
  const { first, answers, stats, detector } = world({ consecutive5xx: 1 });
  answers(first, 500, 500, 500);
  assert.equal(stats.outlierEjectionsEnforcedTotal, 1);
  detector.stop();
  assert.equal(first.ejected, false);
  assert.equal(stats.outlierEjectionsActive, 0);
});

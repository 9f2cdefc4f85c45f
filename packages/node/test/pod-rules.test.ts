// The node agent's decisions, apart from everything: expansion, restarts, probes, phases, addresses.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import fc from 'fast-check';
import { expand } from '../src/config/expansion.ts';
import { nsswitchConf } from '../src/netns/etc-files.ts';
import { isCaptured } from '../src/pods/pod-policy.ts';
import {
  type ContainerReport,
  mergeConditions,
  podStatus,
  qosClassOf,
  type Terminated,
} from '../src/pods/pod-status.ts';
import { firstProbe, observe, type ProbeKind, timingOf } from '../src/pods/probe-state.ts';
import { afterExit, goSeconds, NO_CRASHES, shouldRestart } from '../src/pods/restart-backoff.ts';
import { AddressPool, firstHost } from '../src/sandbox/address-pool.ts';
import { parseStat } from '../src/sandbox/processes.ts';

describe('$(VAR) expansion', () => {
  const variables: Record<string, string> = { A: '1', B: '$(A)', EMPTY: '' };
  const cases: [string, string][] = [
    ['$(A)-$(A)', '1-1'],
    ['$(B)', '$(A)'],
    ['$(NOBODY)', '$(NOBODY)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$$$$(A)', '$$(A)'],
    ['$A $ $', '$A $ $'],
    ['$(A', '$(A'],
    ['a$(EMPTY)b', 'ab'],
    ['$()', '$()'],
  ];
  for (const [input, output] of cases) {
    test(input, () =>
      assert.equal(
        expand(input, (name) => variables[name]),
        output,
      ),
    );
  }
  test('text without a dollar is left alone', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('$')),
        (text) => expand(text, () => 'x') === text,
      ),
    );
  });
});

describe('restarts', () => {
  test('at once, then after 10 s, doubling to 5 minutes', () => {
    let state = NO_CRASHES;
    const delays: number[] = [];
    for (let crash = 0; crash < 9; crash++) {
      const step = afterExit(state, 1_000);
      state = step.state;
      delays.push(step.delayMs / 1_000);
    }
    assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('ten good minutes are a new beginning', () => {
    const state = { crashes: 7 };
    assert.deepEqual(afterExit(state, 600_000), { state: { crashes: 1 }, delayMs: 0 });
    assert.equal(afterExit(state, 599_999).delayMs, 300_000);
  });

  test('by policy', () => {
    assert.deepEqual(
      [0, 1].map((code) => shouldRestart('Always', code)),
      [true, true],
    );
    assert.deepEqual(
      [0, 1].map((code) => shouldRestart('OnFailure', code)),
      [false, true],
    );
    assert.deepEqual(
      [0, 1].map((code) => shouldRestart('Never', code)),
      [false, false],
    );
  });

  test('durations as Go prints them', () => {
    assert.deepEqual([10_000, 80_000, 300_000].map(goSeconds), ['10s', '1m20s', '5m0s']);
  });
});

describe('probes', () => {
  /** Feeds results at the pace asked for; answers what was noticed, with its second. */
  function play(kind: ProbeKind, probe: Parameters<typeof timingOf>[0], results: string): string[] {
    const timing = timingOf(probe);
    let state = firstProbe(kind, timing, 0);
    let now = 0;
    const seen: string[] = [];
    for (const result of results) {
      now += state.nextDelayMs;
      const before = state.verdict;
      const step = observe(kind, timing, state, result === '+', now);
      state = step.state;
      if (state.verdict !== before) seen.push(`${state.verdict} at ${now / 1000}`);
    }
    seen.push(`next in ${state.nextDelayMs / 1000}`);
    return seen;
  }

  test('readiness is found out within a tenth of a second, then asked for once a period', () => {
    assert.deepEqual(play('readiness', {}, '---+'), ['success at 0.3', 'next in 10']);
    assert.deepEqual(play('readiness', {}, '-'.repeat(16)), ['next in 1']);
  });

  test('readiness is lost by as many failures as configured, and regained', () => {
    assert.deepEqual(play('readiness', { periodSeconds: 5 }, '+--+'), ['success at 0', 'next in 5']);
    assert.deepEqual(play('readiness', { periodSeconds: 5 }, '+---'), ['success at 0', 'failure at 15', 'next in 5']);
    assert.deepEqual(play('readiness', { periodSeconds: 5, successThreshold: 2 }, '++---++'), [
      'success at 5',
      'failure at 20',
      'success at 30',
      'next in 5',
    ]);
  });

  test('early failures of a startup probe count once a period: its budget stays in seconds', () => {
    const probe = { periodSeconds: 2, failureThreshold: 3 };
    const seen = play('startup', probe, '-'.repeat(40));
    const failedAt = Number(seen[0]?.split(' ')[2]);
    assert.ok(seen[0]?.startsWith('failure') && failedAt >= 6 && failedAt <= 9, seen.join());
  });

  test('an initial delay holds nobody up that is ready before it; failures do not count until it is over', () => {
    const slow = { initialDelaySeconds: 180, periodSeconds: 3, failureThreshold: 1 };
    assert.deepEqual(play('readiness', slow, '---+'), ['success at 0.3', 'next in 3']);
    // Ten quick attempts take a second, then ever slower: the 190th is after 180 s, and only then it counts.
    const [failed = ''] = play('readiness', slow, '-'.repeat(200));
    const at = Number(failed.split(' ')[2]);
    assert.ok(failed.startsWith('failure') && at >= 183 && at < 186, failed);
    const startup = play('startup', { initialDelaySeconds: 30, periodSeconds: 1, failureThreshold: 2 }, '-'.repeat(60));
    assert.ok(Number(startup[0]?.split(' ')[2]) >= 32, startup.join());
  });

  test('an initial delay of a liveness probe is kept', () => {
    const probe = { initialDelaySeconds: 300, periodSeconds: 3, failureThreshold: 1 };
    assert.deepEqual(play('liveness', probe, '-'), ['failure at 300', 'next in 3']);
  });

  test('liveness leaves the first second alone, then keeps to its period', () => {
    assert.deepEqual(play('liveness', { periodSeconds: 3, failureThreshold: 2 }, '--'), ['failure at 4', 'next in 3']);
    assert.deepEqual(play('liveness', { periodSeconds: 3, failureThreshold: 2 }, '-+-'), ['success at 4', 'next in 3']);
  });
});

describe('pod status', () => {
  const terminated = (exitCode: number): Terminated => ({
    kind: 'terminated',
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt: 't',
    finishedAt: 't',
    containerId: 'varka://1',
  });
  const report = (over: Partial<ContainerReport> & Pick<ContainerReport, 'state'>): ContainerReport => ({
    name: 'main',
    image: 'i',
    restartCount: 0,
    ready: over.state.kind === 'running',
    started: false,
    imageId: '',
    ...over,
  });
  const running = report({ state: { kind: 'running', startedAt: 't', containerId: 'varka://1' } });
  const creating = report({ state: { kind: 'waiting', reason: 'ContainerCreating' } });
  const crashing = report({ state: { kind: 'waiting', reason: 'CrashLoopBackOff' }, last: terminated(1) });
  const cases: [what: string, policy: string, containers: ContainerReport[], phase: string, ready: string][] = [
    ['being made', 'Always', [creating], 'Pending', 'False'],
    ['running', 'Always', [running], 'Running', 'True'],
    ['half made', 'Always', [running, creating], 'Pending', 'False'],
    ['crash loop', 'Always', [crashing], 'Running', 'False'],
    ['one crashing', 'Always', [running, crashing], 'Running', 'False'],
    ['done', 'Never', [report({ state: terminated(0) })], 'Succeeded', 'False'],
    ['failed', 'Never', [report({ state: terminated(1) })], 'Failed', 'False'],
    ['one of two done', 'Never', [report({ state: terminated(0) }), running], 'Running', 'False'],
    ['ended between restarts', 'Always', [report({ state: terminated(0) })], 'Running', 'False'],
    ['to be tried again', 'OnFailure', [crashing], 'Running', 'False'],
  ];
  for (const [what, restartPolicy, containers, phase, ready] of cases) {
    test(`${what}: ${phase}`, () => {
      const pod: Pod = { metadata: { name: 'p' }, spec: { containers: [], restartPolicy } };
      const status = podStatus({ pod, init: [], containers, hostIp: '10.244.0.1', startTime: 't', now: 'n' });
      assert.equal(status.phase, phase);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, ready);
    });
  }

  test('a condition keeps its time while it stays as it is; others’ conditions stay', () => {
    const before = [
      { type: 'Ready', status: 'True', lastTransitionTime: 'old' },
      { type: 'Initialized', status: 'False', lastTransitionTime: 'old' },
      { type: 'example.com/gate', status: 'True', lastTransitionTime: 'old' },
    ];
    const wanted = [
      { type: 'Ready', status: 'True' },
      { type: 'Initialized', status: 'True' },
    ];
    assert.deepEqual(
      mergeConditions(before, wanted, 'new').map((c) => `${c.type} ${c.lastTransitionTime}`),
      ['Ready old', 'Initialized new', 'example.com/gate old'],
    );
  });

  test('a readiness gate holds a pod back until its condition is true', () => {
    const spec = { containers: [], readinessGates: [{ conditionType: 'example.com/gate' }] };
    const ready = (status: string): string | undefined =>
      podStatus({
        pod: { spec, status: { conditions: [{ type: 'example.com/gate', status }] } },
        init: [],
        containers: [running],
        hostIp: '',
        startTime: 't',
        now: 'n',
      }).conditions?.find(({ type }) => type === 'Ready')?.status;
    assert.equal(ready('False'), 'False');
    assert.equal(ready('True'), 'True');
  });

  test('QoS classes', () => {
    const withResources = (resources: object): Pod => ({ spec: { containers: [{ name: 'c', resources }] } });
    assert.equal(qosClassOf(withResources({})), 'BestEffort');
    assert.equal(qosClassOf(withResources({ requests: { cpu: '1' } })), 'Burstable');
    assert.equal(qosClassOf(withResources({ limits: { cpu: '1', memory: '1Gi' } })), 'Guaranteed');
  });
});

describe('capture', () => {
  const meshed = { 'security.istio.io/tlsMode': 'istio' };
  const make = (containers: string[], labels = {}, annotations = {}): Pod => ({
    metadata: { labels, annotations },
    spec: { containers: containers.map((name) => ({ name })) },
  });
  test('is for pods with a sidecar, not for gateways or those that decline', () => {
    assert.equal(isCaptured(make(['app', 'istio-proxy'], meshed)), true);
    assert.equal(isCaptured(make(['app', 'istio-proxy'], {}, { 'sidecar.istio.io/status': '{}' })), true);
    assert.equal(isCaptured(make(['app'], meshed)), false);
    assert.equal(isCaptured(make(['istio-proxy'])), false);
    assert.equal(isCaptured(make(['istio-proxy'], meshed, { 'inject.istio.io/templates': 'gateway' })), false);
    assert.equal(
      isCaptured(make(['app', 'istio-proxy'], meshed, { 'sidecar.istio.io/interceptionMode': 'NONE' })),
      false,
    );
  });
});

describe('addresses', () => {
  test('come in turn, rest after use, and run out', () => {
    const pool = new AddressPool('10.9.8.0/29');
    assert.equal(firstHost('10.9.8.0/29'), '10.9.8.1');
    assert.deepEqual([pool.allocate(), pool.allocate()], ['10.9.8.2', '10.9.8.3']);
    pool.release('10.9.8.2');
    assert.deepEqual(
      [4, 5, 6].map(() => pool.allocate()),
      ['10.9.8.4', '10.9.8.5', '10.9.8.6'],
    );
    assert.equal(pool.allocate(), '10.9.8.2');
    assert.throws(() => pool.allocate(), /every pod address .* is taken/);
  });
  test('of no network are refused', () => {
    for (const cidr of ['10.0.0.0', '10.0.0.1/16', '10.0.0/8', 'x/16', '10.0.0.0/31', '300.0.0.0/8']) {
      assert.throws(() => new AddressPool(cidr), TypeError, cidr);
    }
  });
});

describe('reading the machine', () => {
  test('a process name may hold anything', () => {
    const stat = '42 (a) b) (c) S 1 40 39 0 -1 0 1 2 3 4 100 20 6 1 20 0 1 0 777';
    const entry = { pid: 42, state: 'S', parent: 1, session: 39, startTime: '777', ticks: 127 };
    assert.deepEqual(parseStat(stat), entry);
    assert.equal(parseStat(''), undefined);
  });
  test('names are looked up in files and DNS only', () => {
    assert.equal(
      nsswitchConf('passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n'),
      'passwd: files\nhosts: files dns\n',
    );
    assert.equal(nsswitchConf('passwd: files\n'), 'passwd: files\nhosts: files dns\n');
  });
});

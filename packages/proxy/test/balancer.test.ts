// What every balancer must do, asked of each; then what each does in its own way.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBalancer, pickUntried } from '../src/upstream/balancers/make-balancer.ts';
import type { LoadBalancing } from '../src/upstream/cluster-spec.ts';
import { Host } from '../src/upstream/host.ts';
import { seededDraw } from './support/draw.ts';

const KINDS: readonly LoadBalancing[] = [
  { kind: 'round-robin' },
  { kind: 'least-request', choices: 2 },
  { kind: 'random' },
];

const hosts = (...weights: readonly number[]): Host[] =>
  weights.map((weight, i) => new Host('10.0.0.1', 1000 + i, weight));

function count(pick: () => Host | undefined, n: number): Map<Host, number> {
  const counts = new Map<Host, number>();
  for (let i = 0; i < n; i++) {
    const host = pick();
    assert.ok(host !== undefined);
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return counts;
}

/** Five standard deviations of a binomial count: strayed beyond once in 1.7 million runs. */
const bound = (n: number, p: number): number => 5 * Math.sqrt(n * p * (1 - p));

for (const spec of KINDS)
  describe(spec.kind, () => {
    test('has nothing to give without hosts, and after they are gone', () => {
      const balancer = makeBalancer(spec, seededDraw(1));
      assert.equal(balancer.pick(), undefined);
      balancer.update(hosts(1, 1));
      balancer.update([]);
      assert.equal(balancer.pick(), undefined);
    });

    test('gives every host its share when they weigh the same', () => {
      const balancer = makeBalancer(spec, seededDraw(2));
      const list = hosts(1, 1, 1, 1);
      balancer.update(list);
      const n = 8000;
      const counts = count(() => balancer.pick(), n);
      for (const host of list)
        assert.ok(Math.abs((counts.get(host) ?? 0) - n / 4) < bound(n, 1 / 4), `${host.label}: ${counts.get(host)}`);
    });

    test('never gives a host that has left, and gives one that came', () => {
      const balancer = makeBalancer(spec, seededDraw(3));
      const [a, b, c] = hosts(1, 1, 1) as [Host, Host, Host];
      balancer.update([a, b]);
      count(() => balancer.pick(), 7);
      balancer.update([b, c]);
      const counts = count(() => balancer.pick(), 200);
      assert.deepEqual(new Set(counts.keys()), new Set([b, c]));
    });

    test('passes over hosts that were tried, unless there is no other', () => {
      const balancer = makeBalancer(spec, seededDraw(4));
      const [a, b] = hosts(1, 1) as [Host, Host];
      balancer.update([a, b]);
      // Six random choices of two all meet the tried one once in 64.
      const n = 6400;
      const counts = count(() => pickUntried(balancer, new Set([a])), n);
      const met = counts.get(a) ?? 0;
      const most = spec.kind === 'round-robin' ? 0 : n / 64 + bound(n, 1 / 64);
      assert.ok(met <= most, `the tried host came ${met} times of ${n}`);
      assert.ok(pickUntried(balancer, new Set([a, b])) !== undefined);
    });

    test('repeats itself for the same draws', () => {
      const list = hosts(1, 1, 1);
      const sequence = (): string[] => {
        const balancer = makeBalancer(spec, seededDraw(5));
        balancer.update(list);
        return Array.from({ length: 20 }, () => balancer.pick()!.label);
      };
      assert.deepEqual(sequence(), sequence());
    });
  });

test('round robin takes turns, from a start that the draw says', () => {
  const balancer = makeBalancer({ kind: 'round-robin' }, () => 0.5);
  const list = hosts(1, 1, 1, 1);
  balancer.update(list);
  const picked = Array.from({ length: 6 }, () => list.indexOf(balancer.pick()!));
  assert.deepEqual(picked, [2, 3, 0, 1, 2, 3]);
});

test('round robin keeps to weights exactly, without runs', () => {
  const balancer = makeBalancer({ kind: 'round-robin' }, seededDraw(6));
  const [heavy, light] = hosts(3, 1) as [Host, Host];
  balancer.update([heavy, light]);
  const picked = Array.from({ length: 40 }, () => balancer.pick()!);
  for (let i = 0; i + 4 <= picked.length; i += 4)
    assert.equal(picked.slice(i, i + 4).filter((host) => host === light).length, 1);
});

test('least request avoids the busy', () => {
  const balancer = makeBalancer({ kind: 'least-request', choices: 2 }, seededDraw(8));
  const list = hosts(1, 1, 1, 1);
  list[0]!.active = 10;
  balancer.update(list);
  const n = 4000;
  const busy = count(() => balancer.pick(), n).get(list[0]!) ?? 0;
  // Only when both choices fall on it: once in sixteen.
  assert.ok(Math.abs(busy - n / 16) < bound(n, 1 / 16), `the busy host came ${busy} times of ${n}`);
});

test('least request with weights: what is under way takes from a weight', () => {
  const balancer = makeBalancer({ kind: 'least-request', choices: 2 }, seededDraw(9));
  const [a, b] = hosts(2, 1) as [Host, Host];
  balancer.update([a, b]);
  const idle = count(() => balancer.pick(), 300);
  assert.ok(Math.abs(idle.get(a)! - 200) <= 2);
  a.active = 3;
  const busy = count(() => balancer.pick(), 300);
  // 2 / (3 + 1) against 1 / 1.
  assert.ok(Math.abs(busy.get(a)! - 100) <= 2, `${busy.get(a)}`);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Pod, ReplicaSet, Service } from '../src/client/typed-objects.ts';
import { claim } from '../src/controllers/owners.ts';
import { judge, OwnershipGraph } from '../src/controllers/ownership-graph.ts';
import { byExpendability, planReplicas, podFor, replicaSetStatus } from '../src/controllers/replica-set-plan.ts';
import type { EndpointGroup } from '../src/controllers/service-endpoints-plan.ts';
import { endpointGroups, endpointsFor, planSlices } from '../src/controllers/service-endpoints-plan.ts';
import { generatedName } from '../src/kinds/generated-name.ts';
import { selectorOf } from '../src/kinds/label-selector.ts';
import { Pod as PodKind, ReplicaSet as ReplicaSetKind } from '../src/kinds/refs.ts';
import type { KubeObject } from '../src/object.ts';

const START = Date.parse('2030-01-01T00:00:00Z');

interface PodFacts {
  ready?: boolean;
  readyFor?: number;
  phase?: string;
  node?: string | undefined;
  ip?: string;
  deleting?: boolean;
  restarts?: number;
  age?: number;
  cost?: string;
  labels?: Record<string, string>;
  ports?: { name: string; containerPort: number }[];
  owner?: string;
}

const pod = (name: string, facts: PodFacts = {}): Pod => ({
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    labels: facts.labels ?? { app: 'web' },
    creationTimestamp: new Date(START - (facts.age ?? 0) * 1000).toISOString(),
    ...(facts.deleting === true ? { deletionTimestamp: new Date(START).toISOString() } : {}),
    ...(facts.cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': facts.cost } }),
    ...(facts.owner === undefined
      ? {}
      : {
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: facts.owner, controller: true },
          ],
        }),
  },
  spec: {
    containers: [{ name: 'main', ...(facts.ports === undefined ? {} : { ports: facts.ports }) }],
    ...('node' in facts && facts.node === undefined ? {} : { nodeName: facts.node ?? 'varka' }),
  },
  status: {
    phase: facts.phase ?? 'Running',
    ...(facts.ip === undefined ? {} : { podIP: facts.ip }),
    conditions: [
      {
        type: 'Ready',
        status: facts.ready === false ? 'False' : 'True',
        lastTransitionTime: new Date(START - (facts.readyFor ?? 60) * 1000).toISOString(),
      },
    ],
    containerStatuses: [{ name: 'main', image: '', imageID: '', ready: true, restartCount: facts.restarts ?? 0 }],
  },
});

const replicaSet = (replicas: number, extra: Partial<NonNullable<ReplicaSet['spec']>> = {}): ReplicaSet => ({
  metadata: { name: 'web-abc', namespace: 'shop', uid: 'rs', generation: 3 },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations: { note: 'x' } },
      spec: { containers: [{ name: 'main' }] },
    },
    ...extra,
  },
});

describe('the ReplicaSet plan', () => {
  test('makes what is missing, not counting pods that have ended or are going', () => {
    const pods = [pod('a'), pod('b', { phase: 'Failed' }), pod('c', { deleting: true }), pod('d', { ready: false })];
    assert.deepEqual(planReplicas(replicaSet(4), pods), { kind: 'create', count: 2 });
    assert.deepEqual(planReplicas(replicaSet(2), pods), { kind: 'enough' });
    assert.deepEqual(planReplicas(replicaSet(10_000), []), { kind: 'create', count: 500 });
  });

  test('deletes the most expendable first', () => {
    const names = (pods: Pod[]) => pods.toSorted(byExpendability).map((it) => it.metadata?.name);
    const ranked = [
      pod('unassigned', { node: undefined, ready: false, phase: 'Pending' }),
      pod('pending', { ready: false, phase: 'Pending' }),
      pod('unready', { ready: false }),
      pod('cheap', { cost: '-5', readyFor: 1000 }),
      pod('justReady', { readyFor: 5, age: 900 }),
      pod('restarted', { restarts: 3, age: 800 }),
      pod('young', { age: 100 }),
      pod('old', { age: 200 }),
    ];
    assert.deepEqual(
      names(ranked.toReversed()),
      ranked.map((it) => it.metadata?.name),
    );
    const step = planReplicas(replicaSet(6), ranked);
    assert(step.kind === 'delete');
    assert.deepEqual(
      step.pods.map((it) => it.metadata?.name),
      ['unassigned', 'pending'],
    );
  });

  test('makes pods from the template under fresh names, owned by the ReplicaSet', () => {
    const made = podFor(ReplicaSetKind, replicaSet(1), Math.random);
    assert.match(made.metadata?.name ?? '', /^web-abc-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.equal(made.metadata?.generateName, 'web-abc-');
    assert.deepEqual(made.metadata?.labels, { app: 'web' });
    assert.equal(made.metadata?.ownerReferences?.[0]?.uid, 'rs');
    assert.equal(made.metadata?.ownerReferences?.[0]?.controller, true);
    assert.equal(generatedName('x'.repeat(80), Math.random).length, 63);
  });

  test('counts ready pods as available only after minReadySeconds, and says when that will be', () => {
    const pods = [
      pod('a', { readyFor: 100 }),
      pod('b', { readyFor: 4 }),
      pod('c', { ready: false }),
      pod('d', { deleting: true }),
    ];
    const { status, changesInMs } = replicaSetStatus(replicaSet(3, { minReadySeconds: 10 }), pods, undefined, START);
    assert.deepEqual(status, {
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 2,
      availableReplicas: 1,
      observedGeneration: 3,
    });
    assert.equal(changesInMs, 6000);
  });

  test('adopts only what has no controller: overlapping selectors do not steal', () => {
    const selects = selectorOf({ matchLabels: { app: 'web' } });
    const pods = [
      pod('mine', { owner: 'rs' }),
      pod('theirs', { owner: 'other' }),
      pod('orphan'),
      pod('orphanGoing', { deleting: true }),
      pod('strayed', { owner: 'rs', labels: { app: 'else' } }),
      pod('unrelated', { labels: { app: 'else' } }),
    ];
    const names = (list: Pod[]) => list.map((it) => it.metadata?.name);
    const claimed = claim(replicaSet(1), pods, selects);
    assert.deepEqual([claimed.owned, claimed.adopt, claimed.release].map(names), [['mine'], ['orphan'], ['strayed']]);
    const going = replicaSet(1);
    const last = claim({ ...going, metadata: { ...going.metadata, deletionTimestamp: 'now' } }, pods, selects);
    assert.deepEqual([last.owned, last.adopt, last.release].map(names), [['mine'], [], []]);
  });

  test('selectors follow matchLabels and every operator', () => {
    const selects = (selector: object, labels?: Record<string, string>) => selectorOf(selector)(labels);
    const expression = (operator: string, values?: string[]) => ({
      matchExpressions: [{ key: 'a', operator, values }],
    });
    assert.equal(selectorOf(undefined)({ a: '1' }), false);
    assert.equal(selects({}, undefined), true);
    for (const [selector, matching, other] of [
      [{ matchLabels: { a: '1' } }, { a: '1', b: '2' }, { a: '2' }],
      [expression('In', ['1', '2']), { a: '2' }, {}],
      [expression('NotIn', ['1']), {}, { a: '1' }],
      [expression('Exists'), { a: '' }, {}],
      [expression('DoesNotExist'), { b: '' }, { a: '' }],
    ] as [object, Record<string, string>, Record<string, string>][]) {
      assert.equal(selects(selector, matching), true, JSON.stringify(selector));
      assert.equal(selects(selector, other), false, JSON.stringify(selector));
    }
  });
});

describe('the endpoints plan', () => {
  const service = (spec: NonNullable<Service['spec']> = {}): Service => ({
    metadata: { name: 'web', namespace: 'shop', uid: 'svc', labels: { team: 'a' } },
    spec: {
      selector: { app: 'web' },
      ports: [{ name: 'http', port: 80, targetPort: 'http' }],
      clusterIP: '10.96.1.1',
      ...spec,
    },
  });
  const http = (port: number) => [{ name: 'http', containerPort: port }];

  test('tells ready, not ready and terminating apart, in both forms', () => {
    const pods = [
      pod('a', { ip: '10.0.0.2', ports: http(8080) }),
      pod('b', { ip: '10.0.0.1', ports: http(8080), ready: false }),
      pod('c', { ip: '10.0.0.3', ports: http(8080), deleting: true }),
      pod('ended', { ip: '10.0.0.4', ports: http(8080), phase: 'Succeeded' }),
      pod('homeless', { ports: http(8080) }),
      pod('other', { ip: '10.0.0.5', labels: { app: 'db' } }),
    ];
    const groups = endpointGroups(service(), pods);
    const ref = (name: string) => ({ kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` });
    const { subsets, metadata } = endpointsFor(service(), groups);
    assert.deepEqual(subsets, [
      {
        addresses: [{ ip: '10.0.0.2', nodeName: 'varka', targetRef: ref('a') }],
        notReadyAddresses: [{ ip: '10.0.0.1', nodeName: 'varka', targetRef: ref('b') }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ]);
    assert.deepEqual(metadata?.labels, { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' });
    const [slice] = planSlices(service(), groups, [], Math.random).create;
    assert.deepEqual(
      slice?.endpoints.map(({ addresses, conditions }) => [addresses[0], ...Object.values(conditions ?? {})]),
      [
        ['10.0.0.1', false, false, false],
        ['10.0.0.2', true, true, false],
        ['10.0.0.3', false, true, true],
      ],
    );
    assert.deepEqual(slice?.metadata?.labels, {
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
    assert.equal(slice?.metadata?.ownerReferences?.[0]?.uid, 'svc');
    assert.match(slice?.metadata?.name ?? '', /^web-[a-z0-9]{5}$/);

    const all = service({ publishNotReadyAddresses: true });
    assert.equal(endpointsFor(all, groups).subsets?.[0]?.addresses?.length, 3);
    const [published] = planSlices(all, groups, [], Math.random).create;
    assert(published?.endpoints.every((endpoint) => endpoint.conditions?.ready));
  });

  test('a named target port is each pod’s own number; a number or nothing is everyone’s', () => {
    const pods = [
      pod('a', { ip: '10.0.0.1', ports: http(8080) }),
      pod('b', { ip: '10.0.0.2', ports: http(9090) }),
      pod('c', { ip: '10.0.0.3' }),
    ];
    const groups = endpointGroups(service(), pods);
    assert.deepEqual(
      groups.map((group) => [group.ports[0]?.port, group.members.map((member) => member.ip).join()]),
      [
        [8080, '10.0.0.1'],
        [9090, '10.0.0.2'],
        [undefined, '10.0.0.3'],
      ],
    );
    assert.equal(endpointsFor(service(), groups).subsets?.length, 2, 'no port, no endpoint');
    for (const [port, expected] of [
      [{ port: 80, targetPort: 7070 }, 7070],
      [{ port: 80 }, 80],
    ] as const) {
      const plain = endpointGroups(service({ ports: [port] }), pods);
      assert.deepEqual(
        plain.map((group) => [group.ports[0]?.port, group.members.length]),
        [[expected, 3]],
      );
    }
  });

  test('a headless Service may have endpoints without ports, and host names', () => {
    const { ports: _ports, ...spec } = service({ clusterIP: 'None' }).spec ?? {};
    const headless: Service = { ...service(), spec };
    const named = pod('a', { ip: '10.0.0.1' });
    const member: Pod = { ...named, spec: { ...named.spec, containers: [], hostname: 'a-0', subdomain: 'web' } };
    const groups = endpointGroups(headless, [member]);
    const endpoints = endpointsFor(headless, groups);
    assert.equal(endpoints.subsets?.[0]?.addresses?.[0]?.hostname, 'a-0');
    assert.equal(endpoints.subsets?.[0]?.ports, undefined);
    assert.equal(endpoints.metadata?.labels?.['service.kubernetes.io/headless'], '');
    assert.equal(planSlices(headless, groups, [], Math.random).create[0]?.endpoints[0]?.hostname, 'a-0');
  });

  test('slices hold every endpoint exactly once, a hundred at most, and change no more than they must', () => {
    const apply = (groups: readonly EndpointGroup[], existing: readonly EndpointSlice[]) => {
      const plan = planSlices(service(), groups, existing, Math.random);
      const removed = new Set(plan.remove.map((slice) => slice.metadata?.name));
      const updated = new Map(plan.update.map((slice) => [slice.metadata?.name, slice]));
      const slices = existing
        .filter((slice) => !removed.has(slice.metadata?.name))
        .map((slice) => updated.get(slice.metadata?.name) ?? slice);
      return { plan, slices: [...slices, ...plan.create] };
    };
    const members = fc.uniqueArray(
      fc.record({ id: fc.nat(250), port: fc.constantFrom(8080, 9090), ready: fc.boolean() }),
      {
        selector: ({ id }) => id,
        maxLength: 250,
        size: 'max',
      },
    );
    fc.assert(
      fc.property(fc.array(members, { minLength: 1, maxLength: 4 }), (rounds) => {
        let slices: EndpointSlice[] = [];
        for (const round of rounds) {
          const pods = round.map(({ id, port, ready }) =>
            pod(`p${id}`, { ip: `10.0.1.${id}`, ports: http(port), ready }),
          );
          const groups = endpointGroups(service(), pods);
          slices = apply(groups, slices).slices;
          const found = slices.flatMap((slice) =>
            slice.endpoints.map(
              (endpoint) => `${endpoint.addresses[0]}:${slice.ports?.[0]?.port} ${endpoint.conditions?.ready}`,
            ),
          );
          const expected = round.map(({ id, port, ready }) => `10.0.1.${id}:${port} ${ready}`);
          assert.deepEqual(found.sort(), expected.sort());
          assert(slices.every((slice) => slice.endpoints.length <= 100));
          assert(slices.length >= 1, 'one slice at least says that the Service was looked at');
          const { plan } = apply(groups, slices);
          assert.deepEqual(plan, { create: [], update: [], remove: [] }, 'settled');
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('ownership', () => {
  const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'X', name: uid, uid });

  test('an object goes when its last owner is gone, with the policy its owner or its finalizers ask for', () => {
    const object = { metadata: { name: 'o' } };
    const verdict = (states: Parameters<typeof judge>[1], has = false, of: KubeObject = object) =>
      judge(of, states, has);
    assert.deepEqual(verdict([[owner('a'), 'present']]), { kind: 'keep' });
    assert.deepEqual(verdict([[owner('a'), 'absent']]), { kind: 'delete', propagationPolicy: 'Background' });
    assert.deepEqual(
      verdict([
        [owner('a'), 'absent'],
        [owner('b'), 'present'],
      ]),
      {
        kind: 'unreference',
        uids: new Set(['a']),
      },
    );
    const waiting: Parameters<typeof judge>[1] = [[owner('a'), 'waiting']];
    assert.deepEqual(verdict(waiting), { kind: 'delete', propagationPolicy: 'Background' });
    assert.deepEqual(verdict(waiting, true), { kind: 'delete', propagationPolicy: 'Foreground' });
    const orphaning = { metadata: { finalizers: ['orphan'] } };
    assert.deepEqual(verdict([[owner('a'), 'absent']], false, orphaning), {
      kind: 'delete',
      propagationPolicy: 'Orphan',
    });
    const going = { metadata: { deletionTimestamp: 'now' } };
    assert.deepEqual(verdict([[owner('a'), 'absent']], false, going), { kind: 'keep' });
  });

  test('the graph knows dependents by uid through changes of owner', () => {
    const graph = new OwnershipGraph();
    const names = (uid: string) => graph.dependentsOf(uid).map((node) => node.name);
    graph.put(PodKind, { metadata: { uid: 'p', name: 'p', ownerReferences: [owner('a'), owner('b')] } });
    assert.deepEqual([names('a'), names('b')], [['p'], ['p']]);
    graph.put(PodKind, { metadata: { uid: 'p', name: 'p', ownerReferences: [owner('b')] } });
    assert.deepEqual([names('a'), names('b')], [[], ['p']]);
    const node = graph.put(ReplicaSetKind, {
      metadata: { uid: 'b', name: 'b', deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] },
    });
    assert.deepEqual([node.foreground, node.orphaning], [true, false]);
    assert.equal(graph.remove('p')?.name, 'p');
    assert.deepEqual(names('b'), []);
  });
});

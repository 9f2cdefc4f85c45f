import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseGoDuration } from '../src/kinds/go-duration.ts';
import { humanDuration } from '../src/kinds/human-duration.ts';
import { KINDS } from '../src/kinds/index.ts';
import { parseJsonPath } from '../src/kinds/json-path.ts';
import type { KubeObject } from '../src/object.ts';

const NOW = new Date('2026-01-01T01:00:00Z');

function cells(kind: string, object: KubeObject, wide = false): Record<string, unknown> {
  const row = KINDS.find((one) => one.kind === kind);
  assert.ok(row, `no row for ${kind}`);
  const columns = row.columns.filter((column) => wide || (column.priority ?? 0) === 0);
  return Object.fromEntries(columns.map((column) => [column.name.toUpperCase(), column.cell(object, NOW)]));
}

const meta = { name: 'a', creationTimestamp: '2026-01-01T00:55:00Z' };

test('ages in the two units that matter', () => {
  const s = 1000;
  const cases: [number, string][] = [
    [0, '0s'],
    [119 * s, '119s'],
    [120 * s, '2m'],
    [125 * s, '2m5s'],
    [600 * s, '10m'],
    [3 * 3600 * s, '3h'],
    [3 * 3600 * s + 60 * s, '3h1m'],
    [9 * 3600 * s + 60 * s, '9h'],
    [49 * 3600 * s, '2d1h'],
    [10 * 24 * 3600 * s, '10d'],
    [3 * 365 * 24 * 3600 * s, '3y'],
    [-5 * s, '<invalid>'],
  ];
  for (const [input, expected] of cases) assert.equal(humanDuration(input), expected);
});

test('Go durations', () => {
  const cases: [string, number | undefined][] = [
    ['1s', 1000],
    ['1.5m', 90_000],
    ['1h2m3s', 3_723_000],
    ['500ms', 500],
    ['0', 0],
    ['-2s', -2000],
    ['', undefined],
    ['5', undefined],
    ['5x', undefined],
    ['1s ', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseGoDuration(text), expected, text);
});

test('JSON paths of printer columns', () => {
  const object = {
    spec: { hosts: ['a', 'b'], 'x.y': 1 },
    status: {
      conditions: [
        { type: 'Other', reason: 'no' },
        { type: 'Ready', reason: 'yes' },
      ],
    },
  };
  assert.deepEqual(parseJsonPath('.spec.hosts')?.(object), ['a', 'b']);
  assert.equal(parseJsonPath('.spec.hosts[1]')?.(object), 'b');
  assert.equal(parseJsonPath('{.spec.hosts[0]}')?.(object), 'a');
  assert.equal(parseJsonPath('.status.conditions[?(@.type=="Ready")].reason')?.(object), 'yes');
  assert.equal(parseJsonPath(".spec['x.y']")?.(object), 1);
  assert.equal(parseJsonPath('.spec.x\\.y')?.(object), 1);
  assert.equal(parseJsonPath('.spec.nothing')?.(object), undefined);
  assert.equal(parseJsonPath('.spec[?')?.(object), undefined);
});

describe('what kubectl get shows', () => {
  const spec = { containers: [{ name: 'app' }, { name: 'istio-proxy' }] };

  test('a running pod', () => {
    const status = {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'app',
          ready: true,
          restartCount: 2,
          state: { running: {} },
          lastState: { terminated: { finishedAt: '2026-01-01T00:59:00Z' } },
        },
        { name: 'istio-proxy', ready: false, restartCount: 0, state: { running: {} } },
      ],
    };
    assert.deepEqual(cells('Pod', { metadata: meta, spec, status }), {
      NAME: 'a',
      READY: '1/2',
      STATUS: 'Running',
      RESTARTS: '2 (60s ago)',
      AGE: '5m',
    });
  });

  test('a pod whose image is not there', () => {
    const status = {
      phase: 'Pending',
      containerStatuses: [{ name: 'app', state: { waiting: { reason: 'ImagePullBackOff' } } }],
    };
    assert.equal(cells('Pod', { metadata: meta, spec, status })['STATUS'], 'ImagePullBackOff');
  });

  test('a pod that initializes', () => {
    const init = { ...spec, initContainers: [{ name: 'one' }, { name: 'two' }] };
    const status = {
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'one', state: { terminated: { exitCode: 0 } } },
        { name: 'two', state: { running: {} } },
      ],
    };
    assert.equal(cells('Pod', { metadata: meta, spec: init, status })['STATUS'], 'Init:1/2');
  });

  test('a native sidecar counts as a container', () => {
    const withSidecar = {
      containers: [{ name: 'app' }],
      initContainers: [{ name: 'istio-proxy', restartPolicy: 'Always' }],
    };
    const status = {
      phase: 'Running',
      initContainerStatuses: [{ name: 'istio-proxy', ready: true, started: true, state: { running: {} } }],
      containerStatuses: [{ name: 'app', ready: true, state: { running: {} } }],
    };
    assert.equal(cells('Pod', { metadata: meta, spec: withSidecar, status })['READY'], '2/2');
  });

  test('ended and ending pods', () => {
    const status = {
      phase: 'Failed',
      containerStatuses: [{ name: 'app', state: { terminated: { exitCode: 3, reason: 'Error' } } }],
    };
    assert.equal(cells('Pod', { metadata: meta, spec, status })['STATUS'], 'Error');
    const going = { ...meta, deletionTimestamp: '2026-01-01T01:00:30Z' };
    assert.equal(cells('Pod', { metadata: going, spec, status: { phase: 'Running' } })['STATUS'], 'Terminating');
  });

  test('a deployment', () => {
    const deployment = {
      metadata: meta,
      spec: { replicas: 3 },
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
    };
    assert.deepEqual(cells('Deployment', deployment), {
      NAME: 'a',
      READY: '2/3',
      'UP-TO-DATE': 3,
      AVAILABLE: 2,
      AGE: '5m',
    });
  });

  test('services of all types', () => {
    const ports = [{ port: 80, protocol: 'TCP', nodePort: 30_001 }];
    const shown = (own: object, status = {}) =>
      cells('Service', { metadata: meta, spec: { clusterIP: '10.96.0.20', ports, ...own }, status });
    assert.deepEqual(shown({ type: 'NodePort' }), {
      NAME: 'a',
      TYPE: 'NodePort',
      'CLUSTER-IP': '10.96.0.20',
      'EXTERNAL-IP': '<none>',
      'PORT(S)': '80:30001/TCP',
      AGE: '5m',
    });
    assert.equal(shown({ type: 'LoadBalancer' })['EXTERNAL-IP'], '<pending>');
    assert.equal(
      shown({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } })['EXTERNAL-IP'],
      '127.0.0.1',
    );
    assert.equal(shown({ type: 'ExternalName', externalName: 'a.b' })['EXTERNAL-IP'], 'a.b');
  });

  test("Istio's kinds print lists as Istio's own definitions do", () => {
    const service = { metadata: meta, spec: { hosts: ['*'], gateways: ['gw', 'mesh'] } };
    assert.deepEqual(cells('VirtualService', service), {
      NAME: 'a',
      GATEWAYS: '["gw","mesh"]',
      HOSTS: '["*"]',
      AGE: '5m',
    });
    assert.deepEqual(cells('DestinationRule', { metadata: meta, spec: { host: 'h' } }), {
      NAME: 'a',
      HOST: 'h',
      AGE: '5m',
    });
  });

  test('many endpoints are cut', () => {
    const addresses = [1, 2, 3, 4, 5].map((n) => ({ ip: `10.0.0.${n}` }));
    const shown = cells('Endpoints', { metadata: meta, subsets: [{ addresses, ports: [{ port: 80 }] }] });
    assert.equal(shown['ENDPOINTS'], '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...');
  });
});

// The small parts of reading the users' objects: names, durations, protocols, what holds for the mesh.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '../../src/compile/proxy.ts';
import { destinationRuleFor, toDestinationRule } from '../../src/config/destination-rule.ts';
import { parseDuration } from '../../src/config/duration.ts';
import { covers, intersection, moreSpecific, resolveHost } from '../../src/config/host-names.ts';
import { DEFAULT_MESH_CONFIG, meshConfigOf } from '../../src/config/mesh-config.ts';
import { unsupportedFields } from '../../src/config/unsupported-fields.ts';
import { resolveGateway } from '../../src/config/virtual-service.ts';
import { visibleIn } from '../../src/config/visibility.ts';
import { protocolOf } from '../../src/registry/protocol.ts';

test('short names belong to the object’s namespace', () => {
  assert.equal(resolveHost('a', 'ns', 'cluster.local'), 'a.ns.svc.cluster.local');
  assert.equal(resolveHost('A', 'ns', 'cluster.local'), 'a.ns.svc.cluster.local');
  assert.equal(resolveHost('a.other', 'ns', 'cluster.local'), 'a.other');
  assert.equal(resolveHost('*', 'ns', 'cluster.local'), '*');
  assert.equal(resolveGateway('gw', 'ns'), 'ns/gw');
  assert.equal(resolveGateway('other/gw', 'ns'), 'other/gw');
  assert.equal(resolveGateway('gw.other.svc.cluster.local', 'ns'), 'other/gw');
  assert.equal(resolveGateway('mesh', 'ns'), 'mesh');
});

test('wildcards cover what is longer, and nothing else', () => {
  assert.ok(covers('*', 'a.b'));
  assert.ok(covers('*.b', 'a.b'));
  assert.ok(covers('*.b', '*.a.b'));
  assert.equal(covers('*.b', 'b'), false);
  assert.equal(covers('*.b', '.b'), false);
  assert.equal(covers('a.b', '*.b'), false);
  assert.equal(intersection('*.b', 'a.b'), 'a.b');
  assert.equal(intersection('*.a.b', '*.b'), '*.a.b');
  assert.equal(intersection('a.b', 'c.b'), undefined);
  assert.deepEqual(['*', '*.b', 'a.b', '*.a.b'].toSorted(moreSpecific), ['a.b', '*.a.b', '*.b', '*']);
});

for (const [text, expected] of [
  ['5s', 5_000_000_000],
  ['1h30m', 5_400_000_000_000],
  ['250ms', 250_000_000],
  ['0.5s', 500_000_000],
  ['1.5h', 5_400_000_000_000],
  ['0s', 0],
  ['0', 0],
  ['2m0.25s', 120_250_000_000],
  ['5', undefined],
  ['', undefined],
  ['-1s', undefined],
  ['1s x', undefined],
  ['s', undefined],
] as const)
  test(`duration ${JSON.stringify(text)}`, () => {
    const parsed = parseDuration(text);
    assert.equal(parsed && Number(parsed.seconds) * 1e9 + parsed.nanos, expected);
  });

for (const [port, expected] of [
  [{ port: 80, name: 'http' }, 'http'],
  [{ port: 80, name: 'http-web' }, 'http'],
  [{ port: 80, name: 'http2' }, 'http2'],
  [{ port: 80, name: 'grpc-web-x' }, 'http'],
  [{ port: 80, name: 'grpc-x' }, 'grpc'],
  [{ port: 80, name: 'HTTPS' }, 'https'],
  [{ port: 80, name: 'mongo-carts' }, 'tcp'],
  [{ port: 80, name: 'redis' }, 'tcp'],
  [{ port: 7005, name: '7005' }, 'auto'],
  [{ port: 80, name: 'httpx' }, 'auto'],
  [{ port: 25, name: 'smtp' }, 'tcp'],
  [{ port: 3306 }, 'tcp'],
  [{ port: 80 }, 'auto'],
  [{ port: 80, name: 'tcp', appProtocol: 'http' }, 'http'],
  [{ port: 80, name: 'http', appProtocol: 'tcp-mine' }, 'tcp'],
  [{ port: 3306, name: 'http', appProtocol: 'mine' }, 'tcp'],
  [{ port: 80, appProtocol: 'kubernetes.io/h2c' }, 'http2'],
  [{ port: 80, appProtocol: 'kubernetes.io/ws' }, 'http'],
  [{ port: 53, name: 'dns', protocol: 'UDP' }, 'udp'],
] as const)
  test(`protocol of ${JSON.stringify(port)}`, () => assert.equal(protocolOf(port), expected));

test('exportTo', () => {
  assert.ok(visibleIn(undefined, 'a', 'b'));
  assert.ok(visibleIn(['*'], 'a', 'b'));
  assert.ok(visibleIn(['.'], 'a', 'a'));
  assert.equal(visibleIn(['.'], 'a', 'b'), false);
  assert.ok(visibleIn(['.', 'b'], 'a', 'b'));
});

test('node ids', () => {
  assert.deepEqual(parseNodeId('sidecar~10.0.0.1~a.b-1.ns~ns.svc.cluster.local'), {
    type: 'sidecar',
    address: '10.0.0.1',
    pod: 'a.b-1',
    namespace: 'ns',
  });
  for (const id of [
    '',
    'sidecar',
    'toaster~1~a.b~d',
    'sidecar~1~ab~d',
    'sidecar~1~a.~d',
    'sidecar~1~.b~d',
    'sidecar~1~a.b~d~e',
  ])
    assert.equal(parseNodeId(id), undefined, id);
});

test('the control plane object says what holds for the mesh', () => {
  assert.deepEqual(meshConfigOf([]), DEFAULT_MESH_CONFIG);
  const spec = {
    tracing: { sampling: 1000 },
    proxy: {
      networking: { trafficControl: { outbound: { policy: 'REGISTRY_ONLY' } } },
      accessLogging: { file: { name: '/dev/stderr' } },
    },
  };
  const elsewhere = { metadata: { namespace: 'apps' }, spec };
  assert.deepEqual(meshConfigOf([elsewhere]), DEFAULT_MESH_CONFIG);
  const mesh = meshConfigOf([elsewhere, { metadata: { namespace: 'istio-system' }, spec }]);
  assert.equal(mesh.tracingSampling, 10);
  assert.equal(mesh.outboundPolicy, 'REGISTRY_ONLY');
  assert.equal(mesh.accessLogFile, '/dev/stderr');
});

test('the DestinationRule for a service: the client’s namespace, the service’s, the root; rules for one host are joined', () => {
  const rule = (name: string, namespace: string, host: string, subsets: string[], more = {}) =>
    toDestinationRule(
      { metadata: { name, namespace }, spec: { host, subsets: subsets.map((subset) => ({ name: subset })), ...more } },
      'cluster.local',
    );
  const host = 'a.svc-ns.svc.cluster.local';
  const find = (rules: ReturnType<typeof rule>[], client = 'client-ns') =>
    destinationRuleFor(rules, host, { client, service: 'svc-ns', root: 'istio-system' });
  const own = rule('own', 'client-ns', host, ['x']);
  const beside = rule('beside', 'svc-ns', 'a', ['y']);
  const root = rule('root', 'istio-system', '*.svc.cluster.local', ['z']);
  const elsewhere = rule('elsewhere', 'third-ns', host, ['w']);
  assert.equal(find([elsewhere, root, beside, own])?.name, 'own');
  assert.equal(find([elsewhere, root, beside])?.name, 'beside');
  assert.equal(find([elsewhere, root])?.name, 'root');
  assert.equal(find([elsewhere]), undefined);
  assert.equal(find([root, beside], 'istio-system')?.name, 'beside', 'a gateway: the mesh’s defaults are not its own');
  assert.equal(find([root], 'istio-system')?.name, 'root');
  const forGateways = rule('for-gateways', 'istio-system', host, ['g'], { exportTo: ['.'] });
  assert.equal(find([root, beside, forGateways], 'istio-system')?.name, 'for-gateways');
  assert.equal(find([rule('hidden', 'svc-ns', 'a', [], { exportTo: ['.'] }), root])?.name, 'root');
  const second = rule('second', 'svc-ns', 'a', ['y', 'y2'], { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } });
  const joined = find([beside, second]);
  assert.deepEqual(
    joined?.subsets.map(({ name }) => name),
    ['y', 'y2'],
  );
  assert.equal(joined?.trafficPolicy?.loadBalancer?.simple, 'RANDOM');
  assert.notEqual(joined?.id, beside.id);
  assert.equal(find([rule('wide', 'svc-ns', '*.svc-ns.svc.cluster.local', ['w']), beside])?.name, 'beside');
});

test('fields that are not carried out are found wherever they stand', () => {
  assert.deepEqual(
    unsupportedFields({
      kind: 'VirtualService',
      spec: {
        hosts: ['a'],
        tls: [{}],
        http: [
          { route: [{ destination: { host: 'a' } }] },
          {
            delegate: { name: 'other' },
            retries: { attempts: 1, retryRemoteLocalities: true },
            route: [],
          },
        ],
      },
    }),
    ['spec.tls', 'spec.http[1].delegate', 'spec.http[1].retries.retryRemoteLocalities'],
  );
  assert.deepEqual(
    unsupportedFields({
      kind: 'DestinationRule',
      spec: {
        host: 'a',
        trafficPolicy: {
          loadBalancer: { consistentHash: {} },
          outlierDetection: {},
          connectionPool: { tcp: { maxConnections: 1 } },
        },
        subsets: [
          { name: 'x', labels: { a: 'b' }, trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } },
          { name: 'y', trafficPolicy: { tls: { mode: 'DISABLE' } } },
        ],
      },
    }),
    ['spec.trafficPolicy.loadBalancer.consistentHash', 'spec.subsets[0].trafficPolicy.tls.mode'],
  );
  assert.deepEqual(
    unsupportedFields({
      kind: 'Gateway',
      spec: {
        servers: [
          { port: { number: 443, protocol: 'HTTPS' }, hosts: ['*'], tls: {} },
          { port: { number: 80, protocol: 'http' }, hosts: ['*'] },
        ],
      },
    }),
    ['spec.servers[0].port.protocol', 'spec.servers[0].tls'],
  );
  assert.deepEqual(
    unsupportedFields({
      kind: 'DestinationRule',
      spec: { trafficPolicy: { loadBalancer: { simple: 'PASSTHROUGH' } } },
    }),
    ['spec.trafficPolicy.loadBalancer.simple'],
  );
  assert.deepEqual(unsupportedFields({ kind: 'Service', spec: { anything: 1 } }), []);
});

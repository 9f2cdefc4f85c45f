// What is asked of the kernel for which Services and EndpointSlices.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import { endedUdpPairs, serviceRules } from '../src/netns/services/service-rules.ts';
import { service, slice } from './support/services.ts';

const rulesOf = (services: Service[], slices: EndpointSlice[]) =>
  serviceRules(services, slices, {
    nodeAddress: '10.244.0.1',
    isNodeLocal: (address) => address.startsWith('10.96.0.'),
    isLoadBalancer: (address) => address.startsWith('127.77.'),
  });
const plain = (map: ReadonlyMap<string, string>): Record<string, string> => Object.fromEntries(map);

describe('service rules', () => {
  test('each port of a service leads to its endpoints’ port of that name', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const rules = rulesOf(
      [service('web', '10.96.7.7', ports)],
      [
        slice(
          'web',
          [
            { name: 'dns', port: 5353, protocol: 'UDP' },
            { name: 'http', port: 8080 },
          ],
          ['10.244.0.6', '10.244.0.5'],
        ),
      ],
    );
    assert.deepEqual(plain(rules.frontends), {
      '10.96.7.7 . tcp . 80': 'random-2',
      '10.96.7.7 . udp . 53': 'random-2',
    });
    assert.deepEqual(plain(rules.backends), {
      '10.96.7.7 . tcp . 80 . 0': '10.244.0.5 . 8080',
      '10.96.7.7 . tcp . 80 . 1': '10.244.0.6 . 8080',
      '10.96.7.7 . udp . 53 . 0': '10.244.0.5 . 5353',
      '10.96.7.7 . udp . 53 . 1': '10.244.0.6 . 5353',
    });
    assert.deepEqual([...rules.loops.keys()], ['10.244.0.5 . 10.244.0.5', '10.244.0.6 . 10.244.0.6']);
  });

  test('several slices make one service, an endpoint in two of them counts once', () => {
    const one = slice('web', [{ port: 8080 }], ['10.244.0.5', '10.244.0.6']);
    const two = slice('web', [{ port: 8080 }], ['10.244.0.6', '10.244.0.7']);
    const { frontends } = rulesOf([service('web', '10.96.7.7', [{ port: 80 }])], [one, two]);
    assert.deepEqual(plain(frontends), { '10.96.7.7 . tcp . 80': 'random-3' });
  });

  test('a node port, a load balancer’s address and an external one lead where the cluster IP does', () => {
    const web = service('web', '10.96.7.7', [{ port: 80, nodePort: 30_080 }], {
      externalIPs: ['192.0.2.7', 'fd00::1', '10.96.0.1'],
    });
    const status = { loadBalancer: { ingress: [{ ip: '127.77.1.2' }, { ip: '127.0.0.1' }, { hostname: 'lb' }] } };
    const rules = rulesOf([{ ...web, status }], [slice('web', [{ port: 8080 }], ['10.244.0.5'])]);
    const entrances = [
      '10.244.0.1 . tcp . 30080',
      '10.96.7.7 . tcp . 80',
      '127.77.1.2 . tcp . 80',
      '192.0.2.7 . tcp . 80',
    ];
    assert.deepEqual([...rules.frontends.keys()].sort(), entrances);
    assert.deepEqual(
      plain(rules.backends),
      Object.fromEntries(entrances.map((entrance) => [`${entrance} . 0`, '10.244.0.5 . 8080'])),
    );
  });

  const chosen = (...endpoints: Parameters<typeof slice>[2][number][]): string[] => [
    ...rulesOf(
      [service('web', '10.96.7.7', [{ port: 80 }])],
      [slice('web', [{ port: 8080 }], endpoints)],
    ).backends.values(),
  ];

  test('ready endpoints are used; else those that end but still serve; else none', () => {
    const ready = { ip: '10.244.0.5', ready: true, serving: true, terminating: false };
    const leaving = { ip: '10.244.0.6', ready: false, serving: true, terminating: true };
    const gone = { ip: '10.244.0.7', ready: false, serving: false, terminating: true };
    const starting = { ip: '10.244.0.8', ready: false, serving: false, terminating: false };
    assert.deepEqual(chosen(leaving, ready, gone, starting), ['10.244.0.5 . 8080']);
    assert.deepEqual(chosen(leaving, gone, starting), ['10.244.0.6 . 8080']);
    assert.deepEqual(chosen(gone, starting), []);
    assert.deepEqual(chosen({ ip: '10.244.0.9' }), ['10.244.0.9 . 8080']);
  });

  const nothing: { name: string; services: Service[]; slices: EndpointSlice[] }[] = [
    {
      name: 'a headless service',
      services: [service('web', 'None', [{ port: 80 }])],
      slices: [slice('web', [{ port: 8080 }], ['10.244.0.5'])],
    },
    {
      name: 'a service that the node itself answers',
      services: [service('web', '10.96.0.1', [{ port: 443 }])],
      slices: [slice('web', [{ port: 443 }], ['10.244.0.5'])],
    },
    {
      name: 'an address that is none',
      services: [service('web', '10.96.7.7', [{ port: 80 }])],
      slices: [slice('web', [{ port: 8080 }], ['somewhere', '1.2.3', '10.244.0.300'])],
    },
    {
      name: 'a port that is none',
      services: [service('web', '10.96.7.7', [{ port: 80 }])],
      slices: [slice('web', [{ port: 70_000 }], ['10.244.0.5'])],
    },
    {
      name: 'a port of another name',
      services: [service('web', '10.96.7.7', [{ name: 'http', port: 80 }])],
      slices: [slice('web', [{ name: 'grpc', port: 8080 }], ['10.244.0.5'])],
    },
    {
      name: 'a slice of another service',
      services: [service('web', '10.96.7.7', [{ port: 80 }])],
      slices: [slice('other', [{ port: 8080 }], ['10.244.0.5'])],
    },
    {
      name: 'SCTP',
      services: [service('web', '10.96.7.7', [{ port: 80, protocol: 'SCTP' }])],
      slices: [slice('web', [{ port: 8080, protocol: 'SCTP' }], ['10.244.0.5'])],
    },
  ];
  for (const { name, services, slices } of nothing) {
    test(`nothing for ${name}`, () => {
      const rules = rulesOf(services, slices);
      assert.deepEqual([rules.frontends.size, rules.backends.size, rules.loops.size], [0, 0, 0]);
    });
  }

  test('affinity to clients, where there is a choice', () => {
    const sticky = service('web', '10.96.7.7', [{ port: 80 }], { sessionAffinity: 'ClientIP' });
    const among = (...ips: string[]) => [
      ...rulesOf([sticky], [slice('web', [{ port: 8080 }], ips)]).frontends.values(),
    ];
    assert.deepEqual(among('10.244.0.5', '10.244.0.6'), ['by-client-2']);
    assert.deepEqual(among('10.244.0.5'), ['random-1']);
  });
});

test('UDP flows end with the endpoint they go to, not with its number', () => {
  const ports = [
    { name: 'u', port: 53, protocol: 'UDP' },
    { name: 't', port: 53 },
  ];
  const withEndpoints = (...ips: string[]) =>
    rulesOf([service('names', '10.96.7.7', ports)], [slice('names', ports, ips)]);
  const before = withEndpoints('10.244.0.5', '10.244.0.6');
  assert.deepEqual(endedUdpPairs(before, withEndpoints('10.244.0.6')), [
    { frontend: '10.96.7.7 . udp . 53', target: '10.244.0.5 . 53' },
  ]);
  assert.deepEqual(endedUdpPairs(before, withEndpoints('10.244.0.4', '10.244.0.5', '10.244.0.6')), []);
});

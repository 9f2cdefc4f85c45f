// Where connections go in the loopback sandbox's network, case by case.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FabricTable } from '../src/loopback/fabric-table.ts';
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../src/loopback/proxy-header.ts';
import { type Caller, type Route, route } from '../src/loopback/route.ts';

const MESHED = '10.244.0.3';
const OTHER_MESHED = '10.244.0.4';
const PLAIN = '10.244.0.5';
const SHELL = '10.244.0.6';
const NODE = '10.244.0.1';
const PROBE = '169.254.7.127';

const table: FabricTable = {
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  nodeLocalCidr: '10.96.0.0/28',
  loadBalancerCidr: '127.77.0.0/16',
  nodeAddress: NODE,
  probeSource: PROBE,
  zone: 'cluster.local',
  pods: {
    [MESHED]: { captured: true },
    [OTHER_MESHED]: { captured: true },
    [PLAIN]: { captured: false },
    [SHELL]: { captured: false, mapped: { '8080': { address: '127.9.0.6', port: 8080 } } },
  },
  frontends: {
    '10.96.1.1:80': { sticky: false, endpoints: [PLAIN, MESHED].map((address) => ({ address, port: 8080 })) },
    '10.96.1.2:80': {
      sticky: true,
      endpoints: [7, 8, 9].map((host) => ({ address: `10.244.0.${host}`, port: 8080 })),
    },
    '10.244.0.1:30080': { sticky: false, endpoints: [{ address: PLAIN, port: 8080 }] },
    '127.77.1.1:80': { sticky: false, endpoints: [{ address: PLAIN, port: 8080 }] },
    '203.0.113.7:80': { sticky: false, endpoints: [{ address: PLAIN, port: 8080 }] },
  },
  names: {},
  standIns: {},
};

const node: Caller = { address: NODE, kind: 'node' };
const app = (address: string): Caller => ({ address, kind: 'application' });
const sidecar = (address: string, source?: string): Caller => ({ address, kind: 'sidecar', source });

/** In short: `10.244.0.5:8080 from 10.244.0.3 for 10.96.1.1:80`. */
function tell(found: Route): string {
  if (found.kind !== 'fabric') return found.kind;
  const { places, source, destination, mapped } = found;
  const at = places.map(({ address, port, scope }) => `${address}:${port}${scope === 'loopback' ? ' (loopback)' : ''}`);
  const other = mapped === undefined ? '' : ` or ${mapped.address}:${mapped.port} on this machine`;
  return `${at.join(' or ')}${other} from ${source} for ${destination.address}:${destination.port}`;
}

const CASES: readonly [string, Caller, string, string][] = [
  // What leaves a meshed application goes to its own sidecar, whatever it is that it called in the cluster.
  ['meshed app to a service', app(MESHED), '10.96.1.1:80', '10.244.0.3:15001 from 10.244.0.3 for 10.96.1.1:80'],
  ['meshed app to no service', app(MESHED), '10.96.77.1:80', '10.244.0.3:15001 from 10.244.0.3 for 10.96.77.1:80'],
  ['meshed app to a pod', app(MESHED), '10.244.0.5:8080', '10.244.0.3:15001 from 10.244.0.3 for 10.244.0.5:8080'],
  ['meshed app to a balancer', app(MESHED), '127.77.1.1:80', '10.244.0.3:15001 from 10.244.0.3 for 127.77.1.1:80'],
  [
    'meshed app to an external IP',
    app(MESHED),
    '203.0.113.7:80',
    '10.244.0.3:15001 from 10.244.0.3 for 203.0.113.7:80',
  ],
  // But not what the node answers, nor what stays in the pod.
  ['meshed app to the API', app(MESHED), '10.96.0.1:443', '10.96.0.1:443 from 10.244.0.3 for 10.96.0.1:443'],
  ['meshed app to itself', app(MESHED), '10.244.0.3:8080', '10.244.0.3:8080 from 10.244.0.3 for 10.244.0.3:8080'],
  [
    'meshed app to loopback',
    app(MESHED),
    '127.0.0.1:8080',
    '10.244.0.3:8080 (loopback) or 10.244.0.3:8080 from 127.0.0.1 for 127.0.0.1:8080',
  ],
  // A sidecar goes out freely, and comes in to another by that one's inbound side.
  ['sidecar to a plain pod', sidecar(MESHED), '10.244.0.5:8080', '10.244.0.5:8080 from 10.244.0.3 for 10.244.0.5:8080'],
  ['sidecar to a meshed pod', sidecar(MESHED), '10.244.0.4:80', '10.244.0.4:15006 from 10.244.0.3 for 10.244.0.4:80'],
  ['sidecar to its own pod', sidecar(MESHED), '10.244.0.3:80', '10.244.0.3:15006 from 10.244.0.3 for 10.244.0.3:80'],
  [
    'sidecar to its application',
    sidecar(MESHED, '127.0.0.6'),
    '10.244.0.3:80',
    '10.244.0.3:80 from 127.0.0.6 for 10.244.0.3:80',
  ],
  // Into a meshed pod.
  ['plain pod to a meshed one', app(PLAIN), '10.244.0.3:80', '10.244.0.3:15006 from 10.244.0.5 for 10.244.0.3:80'],
  ['the node to a meshed pod', node, '10.244.0.3:80', '10.244.0.3:15006 from 10.244.0.1 for 10.244.0.3:80'],
  ['a probe', { ...node, source: PROBE }, '10.244.0.3:80', '10.244.0.3:80 from 169.254.7.127 for 10.244.0.3:80'],
  ['to the sidecar’s metrics', app(PLAIN), '10.244.0.3:15090', '10.244.0.3:15090 from 10.244.0.5 for 10.244.0.3:15090'],
  // Services, for those without a sidecar: the draw of 0 takes the first endpoint.
  [
    'plain pod to itself by a service',
    app(PLAIN),
    '10.96.1.1:80',
    '10.244.0.5:8080 from 10.244.0.1 for 10.244.0.5:8080',
  ],
  ['the node to a service', node, '10.96.1.1:80', '10.244.0.5:8080 from 10.244.0.1 for 10.244.0.5:8080'],
  ['to a node port', app(SHELL), '10.244.0.1:30080', '10.244.0.5:8080 from 10.244.0.6 for 10.244.0.5:8080'],
  ['to a balancer', app(SHELL), '127.77.1.1:80', '10.244.0.5:8080 from 10.244.0.6 for 10.244.0.5:8080'],
  ['to a balancer’s other port', app(SHELL), '127.77.1.1:81', 'refused'],
  ['to no service', app(PLAIN), '10.96.77.1:80', 'refused'],
  ['to a service’s other port', app(PLAIN), '10.96.1.1:81', 'refused'],
  [
    'to a program without a preload',
    app(PLAIN),
    '10.244.0.6:8080',
    '10.244.0.6:8080 or 127.9.0.6:8080 on this machine from 10.244.0.5 for 10.244.0.6:8080',
  ],
  // Not the cluster's.
  ['to the world', app(MESHED), '192.0.2.1:80', 'outside'],
  ['the node to its own loopback', node, '127.0.0.1:80', 'outside'],
];

describe('a connection', () => {
  for (const [name, caller, to, wanted] of CASES) {
    test(name, () => {
      const [address = '', port] = to.split(':');
      assert.equal(tell(route(caller, { address, port: Number(port) }, table, () => 0)), wanted);
    });
  }

  test('takes an endpoint by the draw, or by its own address where the service asks for that', () => {
    const to = { address: '10.96.1.1', port: 80 };
    const drawn = [0, 0.49, 0.5, 0.999].map((draw) => tell(route(app(SHELL), to, table, () => draw)).split(' ')[0]);
    assert.deepEqual(drawn, ['10.244.0.5:8080', '10.244.0.5:8080', '10.244.0.3:15006', '10.244.0.3:15006']);
    const sticky = { address: '10.96.1.2', port: 80 };
    const heard = new Set<string>();
    for (let host = 10; host < 30; host++) {
      const caller = app(`10.244.0.${host}`);
      const once = tell(route(caller, sticky, table, () => 0));
      assert.equal(tell(route(caller, sticky, table, () => 0.99)), once);
      heard.add(once.split(' ')[0] ?? '');
    }
    assert.equal(heard.size, 3);
  });
});

test('the header says who calls whom; anything else is none', () => {
  const said = { source: { address: '10.244.0.3', port: 40_000 }, destination: { address: '10.96.1.1', port: 80 } };
  const header = encodeHeader(said);
  assert.equal(header.length, HEADER_BYTES);
  assert.deepEqual(decodeHeader(header), said);
  assert.equal(decodeHeader(Buffer.from('GET / HTTP/1.1\r\nHost: a.b\r\n\r\n')), undefined);
  for (let at = 0; at < 16; at++) {
    const broken = Buffer.from(header);
    broken[at] = (broken[at] ?? 0) ^ 1;
    assert.equal(decodeHeader(broken), undefined, `byte ${at}`);
  }
});

// Where the host reaches services: which sockets, which addresses, and what is said when one cannot be had.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import type { Service } from '@varka/kube/client/typed-objects.ts';
import { listenOn } from '../src/front/listeners.ts';
import { claimLoadBalancers } from '../src/front/load-balancer-claim.ts';
import type { FromSupervisor } from '../src/protocol.ts';
import {
  addressOf,
  entrancesOf,
  loadBalancerStatus,
  NOT_TCP,
  troubleOf,
  wantsLoadBalancer,
} from '../src/supervisor/entrances.ts';
import { HostListeners, ListenRefusedError } from '../src/supervisor/host-listeners.ts';
import { LoadBalancerAddresses } from '../src/supervisor/load-balancer-addresses.ts';

function service(spec: NonNullable<Service['spec']>, ip?: string): Service {
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec,
    ...(ip === undefined ? {} : { status: { loadBalancer: { ingress: [{ ip }] } } }),
  };
}

const PORTS = [
  { name: 'http', port: 80, nodePort: 30_402 },
  { name: 'dns', port: 53, nodePort: 30_403, protocol: 'UDP' },
];
/** One number, twice. */
const DNS = [
  { name: 'udp', port: 53, protocol: 'UDP' },
  { name: 'tcp', port: 53 },
];

describe('the entrances of a Service', () => {
  test('none for one of the cluster, a node port each, and the load balancer’s ports beside them', () => {
    const all = (spec: NonNullable<Service['spec']>, host?: string) => entrancesOf(service(spec), host).map(addressOf);
    assert.deepEqual(all({ type: 'ClusterIP', ports: PORTS }), []);
    assert.deepEqual(all({ type: 'NodePort', ports: PORTS }), ['127.0.0.1:30402', '127.0.0.1:30403']);
    assert.deepEqual(all({ type: 'LoadBalancer', ports: PORTS }, '127.77.1.2'), [
      '127.0.0.1:30402',
      '127.77.1.2:80',
      '127.0.0.1:30403',
      '127.77.1.2:53',
    ]);
    assert.deepEqual(all({ type: 'LoadBalancer', ports: [{ port: 80 }] }, '127.77.1.2'), ['127.77.1.2:80']);
  });

  test('a load balancer of another class is not ours', () => {
    assert.equal(wantsLoadBalancer(service({ type: 'LoadBalancer' })), true);
    assert.equal(wantsLoadBalancer(service({ type: 'LoadBalancer', loadBalancerClass: 'example.com/lb' })), false);
    assert.equal(wantsLoadBalancer(service({ type: 'NodePort' })), false);
  });

  test('the status names the ports when one is in trouble, in the form Kubernetes wants', () => {
    const entrances = entrancesOf(service({ type: 'LoadBalancer', ports: PORTS }), '127.77.1.2');
    assert.deepEqual(loadBalancerStatus('127.77.1.2', entrances, new Map()), {
      ingress: [{ ip: '127.77.1.2', ipMode: 'VIP' }],
    });
    const denied = troubleOf({ code: 'EACCES', message: 'listen EACCES' }, '127.77.1.2:80');
    const troubles = new Map([
      ['127.77.1.2:80/TCP', denied],
      ['127.77.1.2:53/UDP', NOT_TCP],
    ]);
    const { ingress } = loadBalancerStatus('127.77.1.2', entrances, troubles);
    assert.deepEqual(ingress[0]?.ports, [
      { port: 80, protocol: 'TCP', error: 'varka.dev/PortNotPermitted' },
      { port: 53, protocol: 'UDP', error: 'varka.dev/ProtocolNotCarried' },
    ]);
    const dns = entrancesOf(service({ type: 'LoadBalancer', ports: DNS }), '127.77.1.2');
    assert.deepEqual(loadBalancerStatus('127.77.1.2', dns, troubles).ingress[0]?.ports, [
      { port: 53, protocol: 'UDP', error: 'varka.dev/ProtocolNotCarried' },
      { port: 53, protocol: 'TCP' },
    ]);
    assert.match(denied.message, /may not listen on 127\.77\.1\.2:80.*ip_unprivileged_port_start/);
  });
});

describe('the addresses of load balancers', () => {
  const GATEWAY = 'istio-system/istio-ingressgateway';
  const balancer = (ip?: string) => service({ type: 'LoadBalancer' }, ip);

  test('one for each Service, the same again, and the first for the gateway', () => {
    const addresses = new LoadBalancerAddresses('127.77.9', GATEWAY);
    assert.equal(addresses.of('a/one', balancer()), '127.77.9.2');
    assert.equal(addresses.of('a/two', balancer()), '127.77.9.3');
    assert.equal(addresses.of('a/one', balancer()), '127.77.9.2');
    assert.equal(addresses.of(GATEWAY, balancer()), '127.77.9.1');
    addresses.release('a/one');
    assert.equal(addresses.of('a/three', balancer()), '127.77.9.2');
  });

  test('what a Service had, or asks for, when that is free and ours', () => {
    const addresses = new LoadBalancerAddresses('127.77.9', GATEWAY);
    assert.equal(addresses.of('a/had', balancer('127.77.9.40')), '127.77.9.40');
    assert.equal(
      addresses.of('a/asks', service({ type: 'LoadBalancer', loadBalancerIP: '127.77.9.7' }, '127.77.9.8')),
      '127.77.9.7',
    );
    for (const [index, wish] of ['127.77.9.40', '127.77.8.2', '127.77.9.1', '127.77.9.254', '8.8.8.8'].entries()) {
      assert.equal(addresses.of(`a/${index}`, balancer(wish)), `127.77.9.${2 + index}`, wish);
    }
  });

  test('there is an end to them, and a machine may have only one', () => {
    const addresses = new LoadBalancerAddresses('127.77.9', GATEWAY);
    for (let number = 0; number < 252; number++) assert.ok(addresses.of(`a/${number}`, balancer()));
    assert.equal(addresses.of('a/late', balancer()), undefined);
    const alone = new LoadBalancerAddresses(undefined, GATEWAY);
    assert.deepEqual([alone.of('a/b', balancer()), alone.gateway], ['127.0.0.1', '127.0.0.1']);
  });

  test('two profiles never share them, and one finds its own again', async (t) => {
    const first = await claimLoadBalancers('/home/a/.varka/default');
    const second = await claimLoadBalancers('/home/a/.varka/default');
    t.after(() => second?.release());
    if (first === undefined || second === undefined) return t.skip('this machine has no 127.77.0.0/16');
    assert.notEqual(first.prefix, second.prefix);
    first.release();
    const again = await claimLoadBalancers('/home/a/.varka/default');
    again?.release();
    assert.equal(again?.prefix, first.prefix);
  });
});

describe('sockets asked for', () => {
  test('come by name or are refused with the system’s code; a trial leaves nothing open', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const bound = taken.address();
    assert.ok(bound !== null && typeof bound === 'object');
    // The front's part, in this process.
    const front = async (message: FromSupervisor): Promise<void> => {
      assert.ok(message.type === 'listen');
      try {
        listeners.take(message.name, await listenOn(message.host, message.port));
      } catch (error) {
        const { code = '', message: words } = error as NodeJS.ErrnoException;
        listeners.refuse(message.name, { code, message: words });
      }
    };
    const listeners = new HostListeners((message) => void front(message));
    await assert.rejects(
      listeners.open('127.0.0.1', bound.port),
      (error: unknown) => error instanceof ListenRefusedError && error.code === 'EADDRINUSE',
    );
    assert.equal(await listeners.isFree('127.0.0.1', bound.port), false);
    const server = await listeners.open('127.0.0.1', 0);
    const own = server.address();
    assert.ok(own !== null && typeof own === 'object');
    server.close();
    await once(server, 'close');
    assert.equal(await listeners.isFree('127.0.0.1', own.port), true);
    await assert.rejects(once(connect(own.port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
  });

  test('of two that ask for one port at the same time each gets its own answer', async () => {
    const names: string[] = [];
    const listeners = new HostListeners((message) => {
      assert.ok(message.type === 'listen');
      names.push(message.name);
    });
    const [first, second] = [listeners.open('127.0.0.1', 80), listeners.open('127.0.0.1', 80)];
    const server = createServer();
    listeners.take(names[0] ?? '', server);
    assert.equal(await first, server);
    listeners.refuse(names[1] ?? '', { code: 'EADDRINUSE', message: 'taken' });
    await assert.rejects(second, (error) => error instanceof ListenRefusedError && error.code === 'EADDRINUSE');
  });

  test('only of the loopback network', () => {
    assert.throws(() => listenOn('0.0.0.0', 0), /not an address of the loopback network/);
  });
});

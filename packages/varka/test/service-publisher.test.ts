// Services coming, changing and going, as the host sees them: real sockets, and an API that only remembers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { after, test } from 'node:test';
import type { Informer, InformerEvent } from '@varka/kube/client/informer.ts';
import type { EndpointSlice, Service } from '@varka/kube/client/typed-objects.ts';
import { ListenRefusedError } from '../src/supervisor/host-listeners.ts';
import { LoadBalancerAddresses } from '../src/supervisor/load-balancer-addresses.ts';
import { ServicePublisher, type ServicePublisherOptions } from '../src/supervisor/service-publisher.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const KEY = 'apps/web';

/** As much of an informer as is followed. */
class Objects<T extends { metadata?: { namespace?: string; name?: string } }> {
  readonly synced = Promise.resolve();
  readonly #objects = new Map<string, T>();
  #tell: ((event: InformerEvent<never>) => void)[] = [];

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  onEvent(tell: (event: InformerEvent<never>) => void): () => void {
    this.#tell.push(tell);
    return () => undefined;
  }

  put(object: T): void {
    this.#objects.set(`${object.metadata?.namespace}/${object.metadata?.name}`, object);
    this.#say({ type: 'added', object });
  }

  delete(key: string): void {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    this.#say({ type: 'deleted', object });
  }

  #say(event: object): void {
    for (const tell of this.#tell) tell(event as InformerEvent<never>);
  }
}

async function eventually<T>(look: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    assert.ok(Date.now() < deadline, 'not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function answerAt(address: string): Promise<string> {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const pod = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
await once(pod, 'listening');
after(() => pod.close());
const podPort = (pod.address() as { port: number }).port;

function fixture(t: { after(hook: () => unknown): void }) {
  const services = new Objects<Service>();
  const slices = new Objects<EndpointSlice>();
  const events: string[] = [];
  const opened: string[] = [];
  const refused = new Map<string, string>();
  const client = {
    async patch(_kind: unknown, name: string, namespace: string, patch: { status: NonNullable<Service['status']> }) {
      const current = services.get(namespace, name);
      if (current !== undefined) services.put({ ...current, status: patch.status });
    },
  };
  const publisher = new ServicePublisher({
    client: client as unknown as ServicePublisherOptions['client'],
    services: services as unknown as Informer<Service>,
    endpointSlices: slices as unknown as Informer<EndpointSlice>,
    listeners: {
      async open(host: string, port: number): Promise<Server> {
        opened.push(`${host}:${port}`);
        const code = refused.get(`${host}:${port}`);
        if (code !== undefined) throw new ListenRefusedError({ code, message: code });
        const server = createServer().listen(port, host);
        await once(server, 'listening');
        return server;
      },
    },
    // No part of the loopback network is claimed: the load balancers share 127.0.0.1.
    addresses: new LoadBalancerAddresses(undefined, 'istio-system/gateway'),
    published: new Set(['127.0.0.1:1']),
    events: {
      event: (_kind, object, type, reason, message) =>
        events.push(`${type} ${reason} ${object.metadata?.name}: ${message}`),
    },
    log: silent,
  });
  t.after(() => publisher.stop());
  slices.put({
    addressType: 'IPv4',
    metadata: { namespace: 'apps', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: podPort }],
  });
  const put = (spec: NonNullable<Service['spec']>) =>
    services.put({ ...services.get('apps', 'web'), metadata: { namespace: 'apps', name: 'web' }, spec });
  return { publisher, services, events, opened, refused, put };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test('a node port leads to a ready pod until the service wants it no more', async (t) => {
  const { publisher, put, services } = fixture(t);
  const [first, second] = [await freePort(), await freePort()];
  const at = (nodePort: number) => put({ type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort }] });
  await publisher.start();
  at(first);
  await eventually(() => publisher.status().some(({ address }) => address === `127.0.0.1:${first}`));
  assert.equal(await eventuallyAnswer(first), 'hello');
  at(second);
  assert.equal(await eventuallyAnswer(second), 'hello');
  await assert.rejects(answerAt(`127.0.0.1:${first}`), { code: 'ECONNREFUSED' });
  services.delete(KEY);
  await eventually(() => publisher.status().length === 0);
  await assert.rejects(answerAt(`127.0.0.1:${second}`), { code: 'ECONNREFUSED' });
});

async function eventuallyAnswer(port: number): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await answerAt(`127.0.0.1:${port}`);
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

test('what cannot be had is told once: as an event, in the status, and to whoever asks', async (t) => {
  const { publisher, put, services, events, refused, opened } = fixture(t);
  await publisher.start();
  refused.set('127.0.0.1:80', 'EACCES');
  const spec = {
    type: 'LoadBalancer',
    loadBalancerIP: '192.0.2.1',
    loadBalancerSourceRanges: ['10.0.0.0/8'],
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  };
  put(spec);
  const ingress = await eventually(() => services.get('apps', 'web')?.status?.loadBalancer?.ingress?.[0]);
  assert.deepEqual(ingress, {
    ip: '127.0.0.1',
    ipMode: 'VIP',
    ports: [
      { port: 80, protocol: 'TCP', error: 'varka.dev/PortNotPermitted' },
      { port: 53, protocol: 'UDP', error: 'varka.dev/ProtocolNotCarried' },
    ],
  });
  put({ ...spec, selector: { app: 'web' } });
  await eventually(() => opened.length >= 2 && events.length >= 4);
  assert.deepEqual(
    opened.filter((address) => address !== '127.0.0.1:80'),
    [],
  );
  assert.deepEqual(events.map((event) => event.split(':')[0]).sort(), [
    ...['Warning LoadBalancerNotAsAsked web', 'Warning LoadBalancerNotAsAsked web'],
    ...['Warning PortNotPublished web', 'Warning PortNotPublished web'],
  ]);
  assert.deepEqual(
    publisher.status().map(({ port, error }) => [port, error?.split(' ')[0]]),
    [
      ['http', 'this'],
      ['dns', 'only'],
    ],
  );
  put({ type: 'ClusterIP', ports: [{ port: 80 }] });
  await eventually(() => services.get('apps', 'web')?.status?.loadBalancer?.ingress === null);
});

test('where the mesh listens in any case is the gateway’s; to others that port is taken', async (t) => {
  const { publisher, services, opened, refused } = fixture(t);
  await publisher.start();
  refused.set('127.0.0.1:1', 'EADDRINUSE');
  const spec = { type: 'LoadBalancer', ports: [{ name: 'http', port: 1 }] };
  services.put({ metadata: { namespace: 'istio-system', name: 'gateway' }, spec });
  await eventually(() => services.get('istio-system', 'gateway')?.status?.loadBalancer?.ingress?.[0]);
  assert.deepEqual(opened, []);
  services.put({ metadata: { namespace: 'apps', name: 'web' }, spec });
  const ingress = await eventually(() => services.get('apps', 'web')?.status?.loadBalancer?.ingress?.[0]);
  assert.equal(ingress.ports?.[0]?.error, 'varka.dev/PortTaken');
  assert.deepEqual(
    publisher.status().map(({ service, error }) => [service, error === undefined]),
    [
      ['gateway', true],
      ['web', false],
    ],
  );
});

// Ingresses of class istio, and Routes: which service of the cluster a request to the gateway ends at.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CHAIN, CHAIN_PODS } from './chain.ts';
import { compileFor, outcome, snapshotOf } from './world.ts';

interface Path {
  readonly path?: string;
  readonly type?: string;
  readonly to: string;
  readonly port?: object;
}

const backend = ({ to, port = { number: 8080 } }: Path) => ({ service: { name: to, port } });

function ingress(
  name: string,
  hosts: Record<string, readonly Path[]>,
  more: object = { ingressClassName: 'istio' },
): string {
  const rules = Object.entries(hosts).map(([host, paths]) => ({
    ...(host === '' ? {} : { host }),
    http: {
      paths: paths.map((one) => ({ path: one.path, pathType: one.type ?? 'Prefix', backend: backend(one) })),
    },
  }));
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'default' },
    spec: { ...(rules.length === 0 ? {} : { rules }), ...more },
  };
  return `\n---\n${JSON.stringify(object)}\n`;
}

function gatewayOf(...ingresses: readonly string[]) {
  const gateway = compileFor(snapshotOf(CHAIN + ingresses.join(''), CHAIN_PODS), 'ingress-1', 'istio-system', 'router');
  const served = gateway.routes.length > 0;
  /** `service-a`, or the status of an answer of the gateway's own. */
  return (path: string, host = 'example.com'): string =>
    (served ? outcome(gateway, 'http.8080', { host, path }) : 'none').replace(
      /^outbound\|8080\|\|(\S+)\.default\.svc\.cluster\.local$/,
      '$1',
    );
}

describe('paths', () => {
  test('Prefix goes by elements, Exact by the whole, and the longest wins', () => {
    const to = gatewayOf(
      ingress('paths', {
        '': [
          { path: '/', to: 'service-a' },
          { path: '/api/', to: 'service-b' },
          { path: '/api', type: 'Exact', to: 'service-c' },
        ],
      }),
    );
    assert.deepEqual(
      ['/', '/apis', '/api', '/api/', '/api/v1', '/other'].map((path) => to(path)),
      ['service-a', 'service-a', 'service-c', 'service-b', 'service-b', 'service-a'],
    );
  });

  test('what says nothing of how it is compared is a prefix with .* or /* at its end, else exact', () => {
    const loose = (path: string, to: string): Path => ({ path, type: 'ImplementationSpecific', to });
    const to = gatewayOf(
      ingress('loose', { '': [loose('/a.*', 'service-a'), loose('/b/*', 'service-b'), loose('/c', 'service-c')] }),
    );
    assert.deepEqual(
      ['/a', '/ab', '/b/x', '/c'].map((path) => to(path)),
      ['service-a', 'service-a', 'service-b', 'service-c'],
    );
    assert.deepEqual(
      ['/b', '/c/d', '/'].map((path) => to(path)),
      ['none', 'none', 'none'],
    );
    assert.equal(gatewayOf(ingress('any', { '': [loose('/.*', 'service-a')] }))('/what/ever'), 'service-a');
  });
});

describe('hosts', () => {
  const byHost = {
    'a.example.com': [{ path: '/', to: 'service-a' }],
    '*.example.com': [{ path: '/', to: 'service-b' }],
  };

  test('have rules of their own, wildcards included', () => {
    const to = gatewayOf(ingress('hosts', byHost));
    assert.deepEqual(
      ['a.example.com', 'b.example.com', 'other.org'].map((host) => to('/', host)),
      ['service-a', 'service-b', 'none'],
    );
  });

  test('what no rule is for goes to the default backend', () => {
    const more = { ingressClassName: 'istio', defaultBackend: backend({ to: 'service-c' }) };
    const to = gatewayOf(ingress('fallback', { 'a.example.com': [{ path: '/only', to: 'service-a' }] }, more));
    assert.deepEqual(
      [to('/only', 'a.example.com'), to('/other', 'a.example.com'), to('/', 'other.org')],
      ['service-a', 'service-c', 'service-c'],
    );
    assert.equal(gatewayOf(ingress('alone', {}, more))('/'), 'service-c');
  });

  test('two Ingresses share one, path by path; where both claim it, it is the older one’s', () => {
    const to = gatewayOf(
      ingress('one', { '': [{ path: '/', to: 'service-a' }] }),
      ingress('two', {
        '': [
          { path: '/b', to: 'service-b' },
          { path: '/', to: 'service-c' },
        ],
      }),
    );
    assert.deepEqual([to('/'), to('/b')], ['service-a', 'service-b']);
  });
});

describe('OpenShift Routes', () => {
  const route = (name: string, spec: object): string =>
    `\n---\n${JSON.stringify({
      apiVersion: 'route.openshift.io/v1',
      kind: 'Route',
      metadata: { name, namespace: 'default' },
      spec,
    })}\n`;
  const to = (name: string) => ({ kind: 'Service', name });

  test('are for their host and path, whatever port the host is written with', () => {
    const ask = gatewayOf(
      route('one', { host: 'one.localhost:8080', to: to('service-a'), tls: { termination: 'edge' } }),
      route('deep', { host: 'one.localhost', path: '/deep', to: to('service-b'), port: { targetPort: 'http' } }),
      route('number', { host: 'two.localhost', to: to('service-c'), port: { targetPort: 8080 } }),
    );
    assert.deepEqual(
      [ask('/', 'one.localhost:9999'), ask('/deep/er', 'one.localhost'), ask('/deeper', 'one.localhost')],
      ['service-a', 'service-b', 'service-a'],
    );
    assert.deepEqual([ask('/', 'two.localhost'), ask('/', 'three.localhost')], ['service-c', 'none']);
  });

  test('without anything behind them answer 503; with TLS that ends elsewhere they are not served', () => {
    const ask = gatewayOf(
      route('gone', { host: 'gone.localhost', to: to('nobody') }),
      route('port', { host: 'port.localhost', to: to('service-a'), port: { targetPort: 'nothing' } }),
      route('through', { host: 'through.localhost', to: to('service-a'), tls: { termination: 'passthrough' } }),
      route('address', { host: '127.0.0.1:8080', to: to('service-a') }),
    );
    assert.deepEqual(
      ['gone', 'port', 'through'].map((name) => ask('/', `${name}.localhost`)),
      ['503 ""', '503 ""', 'none'],
    );
    assert.equal(ask('/', '127.0.0.1'), 'none');
  });
});

describe('what is served', () => {
  const all = { '': [{ path: '/', to: 'service-a' }] };

  test('Ingresses of our class, by field or by annotation, and no others', () => {
    assert.equal(gatewayOf(ingress('ours', all))('/'), 'service-a');
    assert.equal(gatewayOf(ingress('theirs', all, { ingressClassName: 'nginx' }))('/'), 'none');
    assert.equal(gatewayOf(ingress('nobodys', all, {}))('/'), 'none');
    const annotated = ingress('annotated', all, {}).replace(
      '"name":"annotated"',
      '"name":"annotated","annotations":{"kubernetes.io/ingress.class":"istio"}',
    );
    assert.equal(gatewayOf(annotated)('/'), 'service-a');
  });

  test('a port by its name; a port or a backend that there is not answers 503', () => {
    const port = (name: string) => ({ '': [{ path: '/', to: 'service-a', port: { name } }] });
    assert.equal(gatewayOf(ingress('named', port('http')))('/'), 'service-a');
    assert.equal(gatewayOf(ingress('misnamed', port('nothing')))('/'), '503 ""');
    assert.equal(gatewayOf(ingress('resource', {}, { ingressClassName: 'istio', defaultBackend: {} }))('/'), '503 ""');
  });
});

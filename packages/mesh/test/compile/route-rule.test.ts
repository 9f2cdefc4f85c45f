// RouteRules of Istio 0.x: precedence, labels, retries, and an Ingress that leads to a service with rules.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ForwardDecision } from '@varka/decide/route-table.ts';
import { CHAIN, CHAIN_PODS } from './chain.ts';
import { compileFor, decide, named, outcome, snapshotOf } from './world.ts';

const rule = (name: string, spec: string) => `
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: ${name}}
spec: {destination: {name: service-c}, ${spec}}
`;
const subset = (version: string) => `outbound|8080|version-${version}|service-c.default.svc.cluster.local`;
const V1 = rule('stable', 'route: [{labels: {version: v1}}]');

function caller(...rules: string[]) {
  const compiled = compileFor(snapshotOf(CHAIN + rules.join(''), CHAIN_PODS), 'b-1');
  return {
    compiled,
    to: (headers: Record<string, string> = {}, draw = 0) =>
      outcome(compiled, '8080', { host: 'service-c:8080', headers, draw }),
    forward: () => decide(compiled, '8080', { host: 'service-c:8080' }) as ForwardDecision,
  };
}

describe('RouteRules', () => {
  test('labels choose the endpoints, and the cluster for them is there', () => {
    const { compiled, to } = caller(V1);
    assert.equal(to(), subset('v1'));
    const { endpoints } = named(
      compiled.endpoints.map((one) => ({ ...one, name: one.clusterName })),
      subset('v1'),
    );
    assert.equal(endpoints.flatMap(({ lbEndpoints }) => lbEndpoints).length, 1);
  });

  test('the higher precedence goes first, whatever its age; a rule that does not match is passed over', () => {
    const canary = rule(
      'canary',
      'precedence: 1, match: {request: {headers: {x-dev-user: {exact: super-secret}}}}, route: [{labels: {version: v2}}]',
    );
    const { to } = caller(V1, canary);
    assert.equal(to({ 'x-dev-user': 'super-secret' }), subset('v2'));
    assert.equal(to({ 'x-dev-user': 'no' }), subset('v1'));
  });

  test('weights, paths among the headers, and callers by their labels', () => {
    const split = caller(
      rule('split', 'route: [{labels: {version: v1}, weight: 75}, {labels: {version: v2}, weight: 25}]'),
    );
    assert.equal(split.to({}, 0.7499), subset('v1'));
    assert.equal(split.to({}, 0.75), subset('v2'));
    const path = caller(
      rule('path', 'match: {request: {headers: {uri: {prefix: /x}}}}, route: [{labels: {version: v1}}]'),
    );
    assert.equal(path.to(), 'outbound|8080||service-c.default.svc.cluster.local');
    const stranger = caller(
      rule('by-source', 'match: {source: {labels: {app: nobody}}}, route: [{labels: {version: v1}}]'),
    );
    assert.equal(stranger.to(), 'outbound|8080||service-c.default.svc.cluster.local');
  });

  test('retries are on every 5xx, as they were then', () => {
    const { forward } = caller(rule('retry', 'httpReqRetries: {simpleRetry: {attempts: 3, perTryTimeout: 2s}}'));
    const { retry } = forward();
    assert.deepEqual([retry?.numRetries, retry?.perTryTimeoutMs], [3, 2000]);
    assert.deepEqual([...(retry?.retryOn ?? [])], ['5xx', 'connect-failure', 'refused-stream']);
  });

  test('timeouts, faults and mirrors', () => {
    const { forward } = caller(
      rule(
        'all',
        'httpReqTimeout: {simpleTimeout: {timeout: 5s}}, httpFault: {abort: {percent: 10, httpStatus: 500}}, mirror: {name: service-b, labels: {version: v9}}',
      ),
    );
    const { timeoutMs, filters, mirrors } = forward();
    assert.equal(timeoutMs, 5000);
    assert.deepEqual(
      filters.fault?.abort(() => 0.0999),
      { kind: 'http', status: 500 },
    );
    assert.equal(
      filters.fault?.abort(() => 0.1),
      undefined,
    );
    assert.deepEqual(
      mirrors.map(({ cluster }) => cluster({} as never)),
      ['outbound|8080|version-v9|service-b.default.svc.cluster.local'],
    );
  });

  test('a VirtualService for the service has the say', () => {
    const today = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: today}
spec: {hosts: [service-c], http: [{route: [{destination: {host: service-b}}]}]}
`;
    assert.equal(caller(V1, today).to(), 'outbound|8080||service-b.default.svc.cluster.local');
  });

  test('an Ingress that leads to the service follows its rules', () => {
    const ingress = `
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in, annotations: {kubernetes.io/ingress.class: istio}}
spec:
  rules:
  - http: {paths: [{path: '/c.*', pathType: ImplementationSpecific, backend: {service: {name: service-c, port: {number: 8080}}}}]}
`;
    const canary = rule(
      'canary',
      'precedence: 1, match: {request: {headers: {x-dev-user: {exact: super-secret}}}}, route: [{labels: {version: v2}}], httpReqRetries: {simpleRetry: {attempts: 3}}',
    );
    const world = snapshotOf(CHAIN + ingress + V1 + canary, CHAIN_PODS);
    const gateway = compileFor(world, 'ingress-1', 'istio-system', 'router');
    const at = (path: string, headers: Record<string, string> = {}) =>
      outcome(gateway, 'http.8080', { host: 'example.com', path, headers });
    assert.equal(at('/c/1'), subset('v1'));
    assert.equal(at('/c/1', { 'x-dev-user': 'super-secret' }), subset('v2'));
    assert.equal(at('/other', { 'x-dev-user': 'super-secret' }), 'none');
    const paths = ['/other', '/c/deep', '/']
      .map((prefix, i) =>
        rule(
          `path-${i}`,
          `precedence: ${9 - i}, match: {request: {headers: {uri: {prefix: ${prefix}}}}}, route: [{labels: {version: v2}}]`,
        ),
      )
      .join('');
    const narrow = compileFor(
      snapshotOf(CHAIN + ingress + V1 + paths, CHAIN_PODS),
      'ingress-1',
      'istio-system',
      'router',
    );
    const to = (path: string) => outcome(narrow, 'http.8080', { host: 'example.com', path });
    assert.deepEqual(
      [to('/other'), to('/c/deep/1'), to('/c/1')],
      ['none', subset('v2'), subset('v2')],
      'a rule for a path does not widen what the Ingress lets in',
    );
  });
});

// Faults, cross-origin sharing and mirrors as Istio's rules say them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ForwardDecision } from '@varka/decide/route-table.ts';
import { CHAIN, CHAIN_PODS } from './chain.ts';
import { chainsOf, compileFor, decide, managerOf, named, snapshotOf } from './world.ts';

function rule(http: string): ForwardDecision {
  const yaml = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rule}
spec:
  hosts: [service-c]
  http: [{route: [{destination: {host: service-c}}], ${http}}]
`;
  const compiled = compileFor(snapshotOf(CHAIN + yaml, CHAIN_PODS), 'b-1');
  const decision = decide(compiled, '8080', { host: 'service-c:8080' });
  assert.equal(decision.kind, 'forward');
  return decision as ForwardDecision;
}

/** Under which draw an abort or a delay still happens, to a millionth: the share that was compiled. */
function shareOf(happens: (draw: () => number) => boolean): number {
  let [low, high] = [0, 1];
  if (!happens(() => 0)) return 0;
  if (happens(() => 1 - Number.EPSILON)) return 1;
  while (high - low > 1e-7) {
    const middle = (low + high) / 2;
    if (happens(() => middle)) low = middle;
    else high = middle;
  }
  return Math.round(low * 1e6) / 1e6;
}

test('the listeners name the filters in Istio’s order, the router last', () => {
  const compiled = compileFor(snapshotOf(CHAIN, CHAIN_PODS), 'b-1');
  const chain = chainsOf(named(compiled.listeners, '0.0.0.0_8080')).find(({ filters }) =>
    filters[0]?.name.endsWith('http_connection_manager'),
  );
  assert.deepEqual(
    managerOf(chain).httpFilters.map(({ name }) => name),
    ['envoy.filters.http.fault', 'envoy.filters.http.cors', 'envoy.filters.http.router'],
  );
});

const ABORTS: [fault: string, share: number][] = [
  ['{abort: {httpStatus: 503, percentage: {value: 75}}}', 0.75],
  ['{abort: {httpStatus: 503, percentage: {value: 0.1}}}', 0.001],
  ['{abort: {httpStatus: 503, percentage: {value: 100}}}', 1],
  ['{abort: {httpStatus: 503, percentage: {}}}', 0],
  // Without a percentage nothing is injected [istio/api HTTPFaultInjection.Abort].
  ['{abort: {httpStatus: 503}}', 0],
];
for (const [fault, share] of ABORTS) {
  test(`fault ${fault} aborts ${share * 100} % of the requests`, () => {
    const policy = rule(`fault: ${fault}`).filters.fault;
    assert.equal(policy === undefined ? 0 : shareOf((draw) => policy.abort(draw) !== undefined), share);
  });
}

test('delays, by both kinds of percentage, and gRPC aborts by name', () => {
  const delay = rule('fault: {delay: {fixedDelay: 5s, percentage: {value: 100}}}').filters.fault;
  assert.equal(
    delay?.delayMs(() => 0.99),
    5000,
  );
  const old = rule('fault: {delay: {fixedDelay: 1s, percent: 10}}').filters.fault;
  assert.equal(old && shareOf((draw) => old.delayMs(draw) > 0), 0.1);
  const grpc = rule('fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}').filters.fault;
  assert.deepEqual(
    grpc?.abort(() => 0),
    { kind: 'grpc', code: 14 },
  );
});

const MIRRORS: [fields: string, shares: number[]][] = [
  ['mirror: {host: service-b}', [1]],
  ['mirror: {host: service-b}, mirrorPercentage: {value: 25}', [0.25]],
  ['mirror: {host: service-b}, mirrorPercentage: {value: 0}', []],
  ['mirror: {host: service-b}, mirror_percent: 100', [1]],
  ['mirror: {host: service-b}, mirrorPercent: 0', []],
  ['mirrors: [{destination: {host: service-b}, percentage: {value: 50}}, {destination: {host: service-b}}]', [0.5, 1]],
];
for (const [fields, shares] of MIRRORS) {
  test(`${fields} copies ${JSON.stringify(shares)}`, () => {
    const { mirrors } = rule(fields);
    assert.deepEqual(
      mirrors.map(({ share }) => share),
      shares,
    );
    for (const { cluster, marksHost } of mirrors) {
      assert.equal(cluster({} as never), 'outbound|8080||service-b.default.svc.cluster.local');
      assert.equal(marksHost, false, 'the mirrored service is asked under its own name');
    }
  });
}

test('cross-origin sharing, in the old form and in the new', () => {
  const both = [
    "allowOrigin: ['http://shop.example']",
    "allowOrigins: [{exact: 'http://shop.example'}]",
    "allowOrigins: [{regex: 'http://[a-z]+[.]example'}]",
  ];
  for (const origins of both) {
    const { cors } = rule(
      `corsPolicy: {${origins}, allowMethods: [POST, GET], allowCredentials: false, allowHeaders: [X-Foo-Bar], maxAge: 24h}`,
    ).filters;
    const headers: Record<string, string> = { origin: 'http://shop.example', 'access-control-request-method': 'PUT' };
    const decision = cors?.decide({
      method: 'OPTIONS',
      authority: 'a',
      path: '/',
      scheme: 'http',
      header: (name) => headers[name],
    });
    assert.deepEqual(decision, {
      kind: 'preflight',
      responseHeaders: [
        { op: 'set', name: 'access-control-allow-origin', value: 'http://shop.example' },
        { op: 'set', name: 'access-control-allow-methods', value: 'POST,GET' },
        { op: 'set', name: 'access-control-allow-headers', value: 'X-Foo-Bar' },
        { op: 'set', name: 'access-control-max-age', value: '86400' },
      ],
    });
  }
});

// VirtualServices, field by field: the rule that is applied, the request that comes, and what becomes of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHAIN, CHAIN_PODS } from './chain.ts';
import { compileFor, decide, outcome, type RequestLine, snapshotOf } from './world.ts';

const A = 'outbound|8080||service-a.default.svc.cluster.local';
const B = 'outbound|8080||service-b.default.svc.cluster.local';
const C = 'outbound|8080||service-c.default.svc.cluster.local';

/** A rule for service-c with these `http` entries, as a caller in pod b-1 sees it. */
function caller(http: string, pod = 'b-1') {
  const rule = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rule}
spec:
  hosts: [service-c]
  http:
${http.replaceAll(/^/gm, '  ')}
`;
  return compileFor(snapshotOf(CHAIN + rule, CHAIN_PODS), pod);
}

const TO_A = 'route: [{destination: {host: service-a}}]';
const TO_B = 'route: [{destination: {host: service-b}}]';

const MATCHES: { name: string; match: string; yes: Partial<RequestLine>[]; no: Partial<RequestLine>[] }[] = [
  {
    name: 'uri exact',
    match: '{uri: {exact: /x}}',
    yes: [{ path: '/x' }, { path: '/x?q=1' }],
    no: [{ path: '/x/' }, { path: '/X' }],
  },
  { name: 'uri prefix', match: '{uri: {prefix: /x}}', yes: [{ path: '/x' }, { path: '/xyz' }], no: [{ path: '/' }] },
  {
    name: 'uri regex matches all of it',
    match: '{uri: {regex: "/v[0-9]+/.*"}}',
    yes: [{ path: '/v1/a' }],
    no: [{ path: '/a/v1/a' }],
  },
  {
    name: 'ignoreUriCase',
    match: '{uri: {exact: /X}, ignoreUriCase: true}',
    yes: [{ path: '/x' }],
    no: [{ path: '/y' }],
  },
  { name: 'method', match: '{method: {exact: POST}}', yes: [{ method: 'POST' }], no: [{ method: 'GET' }] },
  {
    name: 'authority',
    match: '{authority: {prefix: service-c.default}}',
    yes: [{ host: 'service-c.default' }],
    no: [{}],
  },
  {
    name: 'header exact',
    match: '{headers: {x-dev-user: {exact: secret}}}',
    yes: [{ headers: { 'x-dev-user': 'secret' } }],
    no: [{}, { headers: { 'x-dev-user': 'no' } }],
  },
  {
    name: 'header names ignore case',
    match: '{headers: {X-Dev-User: {exact: secret}}}',
    yes: [{ headers: { 'x-dev-user': 'secret' } }],
    no: [{}],
  },
  {
    name: 'header prefix',
    match: '{headers: {x: {prefix: ab}}}',
    yes: [{ headers: { x: 'abc' } }],
    no: [{ headers: { x: 'cab' } }],
  },
  {
    name: 'header regex',
    match: "{headers: {user-agent: {regex: '.*Firefox.*'}}}",
    yes: [{ headers: { 'user-agent': 'Mozilla Firefox/1' } }],
    no: [{ headers: { 'user-agent': 'curl' } }],
  },
  {
    name: 'header present',
    match: '{headers: {x: {}}}',
    yes: [{ headers: { x: '' } }, { headers: { x: '1' } }],
    no: [{}],
  },
  {
    name: 'withoutHeaders',
    match: '{withoutHeaders: {x: {exact: "1"}}}',
    yes: [{}, { headers: { x: '2' } }],
    no: [{ headers: { x: '1' } }],
  },
  { name: 'withoutHeaders present', match: '{withoutHeaders: {x: {}}}', yes: [{}], no: [{ headers: { x: '1' } }] },
  {
    name: 'queryParams',
    match: '{queryParams: {q: {exact: "1"}}}',
    yes: [{ path: '/?q=1' }, { path: '/a?b=2&q=1' }],
    no: [{ path: '/?q=2' }, { path: '/' }],
  },
  {
    name: 'all of one match must hold',
    match: '{uri: {prefix: /x}, headers: {h: {exact: "1"}}}',
    yes: [{ path: '/x', headers: { h: '1' } }],
    no: [{ path: '/x' }, { headers: { h: '1' } }],
  },
];

for (const { name, match, yes, no } of MATCHES)
  test(`match: ${name}`, () => {
    const proxy = caller(`- match: [${match}]\n  ${TO_A}\n- ${TO_B}`);
    for (const line of yes)
      assert.equal(outcome(proxy, '8080', { host: 'service-c', ...line }), A, JSON.stringify(line));
    for (const line of no)
      assert.equal(outcome(proxy, '8080', { host: 'service-c', ...line }), B, JSON.stringify(line));
  });

test('any of several matches will do, and the first rule that matches decides', () => {
  const proxy = caller(`
- match: [{uri: {exact: /1}}, {headers: {h: {exact: "1"}}}]
  ${TO_A}
- match: [{uri: {prefix: /1}}]
  ${TO_B}
- route: [{destination: {host: service-c}}]`);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/1' }), A);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/2', headers: { h: '1' } }), A);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/11' }), B);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/2' }), C);
});

test('without a catch-all, what matches no rule gets 404', () => {
  const proxy = caller(`- match: [{uri: {prefix: /x}}]\n  ${TO_A}`);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/y' }), 'none');
});

test('a rule that has nothing for this caller leaves the service as it is', () => {
  const elsewhere = `- match: [{gateways: [some-gateway]}]\n  ${TO_A}`;
  const others = `- match: [{sourceLabels: {app: service-a}}]\n  ${TO_A}`;
  assert.equal(outcome(caller(elsewhere), '8080', { host: 'service-c' }), C);
  assert.equal(outcome(caller(others), '8080', { host: 'service-c' }), C);
  assert.equal(outcome(caller(others, 'a-1'), '8080', { host: 'service-c' }), A);
});

test('port, sourceLabels, sourceNamespace and gateways are settled for each caller', () => {
  const http = (match: string) => `- match: [${match}]\n  ${TO_A}\n- ${TO_B}`;
  const to = (match: string, pod?: string) => outcome(caller(http(match), pod), '8080', { host: 'service-c' });
  assert.equal(to('{port: 8080}'), A);
  assert.equal(to('{port: 9090}'), B);
  assert.equal(to('{sourceLabels: {app: service-b}}'), A);
  assert.equal(to('{sourceLabels: {app: service-b}}', 'a-1'), B);
  assert.equal(to('{sourceNamespace: default}'), A);
  assert.equal(to('{sourceNamespace: other}'), B);
  assert.equal(to('{gateways: [mesh]}'), A);
  assert.equal(to('{gateways: [some-gateway]}'), B);
});

test('rewrite, redirect and direct response', () => {
  const proxy = caller(`
- match: [{uri: {prefix: /old/}}]
  rewrite: {uri: /new/, authority: other.example.com}
  ${TO_A}
- match: [{uri: {prefix: /re/}}]
  rewrite: {uriRegexRewrite: {match: "/re/([^/]+)/(.*)", rewrite: '/\\2/\\1'}}
  ${TO_A}
- match: [{uri: {prefix: /go}}]
  redirect: {uri: /there, authority: new.example.com, redirectCode: 308}
- match: [{uri: {prefix: /moved}}]
  redirect: {authority: new.example.com}
- match: [{uri: {prefix: /tea}}]
  directResponse: {status: 418, body: {string: short and stout}}
- ${TO_B}`);
  const old = decide(proxy, '8080', { host: 'service-c', path: '/old/a?b=1' });
  assert.ok(old.kind === 'forward');
  assert.equal(old.path, '/new/a?b=1');
  assert.equal(old.authority, 'other.example.com');
  const regex = decide(proxy, '8080', { host: 'service-c', path: '/re/a/b' });
  assert.ok(regex.kind === 'forward');
  assert.equal(regex.path, '/b/a');
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/go' }), '308 http://new.example.com/there');
  assert.equal(
    outcome(proxy, '8080', { host: 'service-c', path: '/moved/x?y' }),
    '301 http://new.example.com/moved/x?y',
  );
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/tea' }), '418 "short and stout"');
});

test('headers of the rule and of the destination; Host becomes a rewrite', () => {
  const proxy = caller(`
- headers: {request: {set: {x-rule: "1"}, remove: [x-secret]}, response: {add: {x-resp: a}}}
  route:
  - destination: {host: service-a}
    headers: {request: {set: {x-dest: "2", Host: a.example.com}}, response: {remove: [x-internal]}}`);
  const decision = decide(proxy, '8080', { host: 'service-c' });
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.authority, 'a.example.com');
  const edits = decision.requestHeaders.map((edit) => `${edit.op} ${edit.name}`).toSorted();
  assert.deepEqual(edits, ['remove x-secret', 'set x-dest', 'set x-rule']);
  const responses = decision.responseHeaders.map((edit) => `${edit.op} ${edit.name}`).toSorted();
  assert.deepEqual(responses, ['append x-resp', 'remove x-internal']);
});

test('headers of a weighted destination go with it alone', () => {
  const proxy = caller(`
- route:
  - {destination: {host: service-a}, weight: 50, headers: {request: {set: {x-to: a}}}}
  - {destination: {host: service-b}, weight: 50}`);
  const names = (draw: number) => {
    const decision = decide(proxy, '8080', { host: 'service-c', draw });
    assert.ok(decision.kind === 'forward');
    return [decision.cluster, ...decision.requestHeaders.map(({ name }) => name)];
  };
  assert.deepEqual(names(0), [A, 'x-to']);
  assert.deepEqual(names(0.9), [B]);
});

const RETRIES: { name: string; http: string; expected: Record<string, unknown> | undefined }[] = [
  {
    name: 'Istio’s default',
    http: '',
    expected: {
      numRetries: 2,
      perTryTimeoutMs: 0,
      on: 'cancelled connect-failure refused-stream retriable-status-codes unavailable',
      codes: [],
      avoid: 5,
    },
  },
  { name: 'attempts: 0 switches them off', http: 'retries: {attempts: 0}', expected: undefined },
  {
    name: 'attempts and time of a try',
    http: 'retries: {attempts: 3, perTryTimeout: 1s, retryOn: 5xx}',
    expected: { numRetries: 3, perTryTimeoutMs: 1000, on: '5xx', codes: [], avoid: 5 },
  },
  {
    name: 'status codes among the conditions',
    http: 'retries: {attempts: 5, retryOn: "gateway-error, 409,418"}',
    expected: {
      numRetries: 5,
      perTryTimeoutMs: 0,
      on: 'gateway-error retriable-status-codes',
      codes: [409, 418],
      avoid: 5,
    },
  },
];

for (const { name, http, expected } of RETRIES)
  test(`retries: ${name}`, () => {
    const decision = decide(caller(`- ${TO_A}\n  ${http}`), '8080', { host: 'service-c' });
    assert.ok(decision.kind === 'forward');
    const { retry } = decision;
    assert.deepEqual(
      retry && {
        numRetries: retry.numRetries,
        perTryTimeoutMs: retry.perTryTimeoutMs,
        on: [...retry.retryOn].toSorted().join(' '),
        codes: [...retry.retriableStatusCodes],
        avoid: retry.avoidPreviousHosts,
      },
      expected,
    );
  });

test('a timeout is that of the rule, and none without one', () => {
  const timeout = (http: string) => {
    const decision = decide(caller(`- ${TO_A}\n  ${http}`), '8080', { host: 'service-c' });
    assert.ok(decision.kind === 'forward');
    return decision.timeoutMs;
  };
  assert.equal(timeout(''), 0);
  assert.equal(timeout('timeout: 5s'), 5000);
  assert.equal(timeout('timeout: 1m30s'), 90_000);
  assert.equal(timeout('timeout: 250ms'), 250);
});

test('route names, and where a route came from', () => {
  const proxy = caller(`
- name: first
  match: [{name: one, uri: {exact: /1}}, {uri: {exact: /2}}]
  ${TO_A}
- ${TO_B}`);
  const host = proxy.routes
    .find(({ name }) => name === '8080')!
    .virtualHosts.find(({ name }) => name === 'service-c.default.svc.cluster.local:8080')!;
  assert.deepEqual(
    host.routes.map(({ name }) => name),
    ['first.one', 'first', ''],
  );
  assert.deepEqual(
    host.routes.map(({ metadata }) => metadata?.filterMetadata['istio']),
    ['http[0].match[0]', 'http[0].match[1]', 'http[1]'].map((rule) => ({
      config: '/apis/networking.istio.io/v1/namespaces/default/virtual-service/rule',
      rule,
    })),
  );
});

test('every weight 0: nothing can serve it, and the other rules still stand', () => {
  const proxy = caller(`
- match: [{uri: {prefix: /none}}]
  route:
  - {destination: {host: service-a}, weight: 0}
  - {destination: {host: service-b}, weight: 0}
- ${TO_B}`);
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/none' }), '503 ""');
  assert.equal(outcome(proxy, '8080', { host: 'service-c', path: '/' }), B);
});

test('which of several rules holds for a host: exact before wildcard, then the oldest', () => {
  const rule = (name: string, host: string, to: string) => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}}
spec: {hosts: ["${host}"], http: [{route: [{destination: {host: ${to}}}]}]}
`;
  const wide = rule('wide', '*.default.svc.cluster.local', 'service-a');
  const exact = rule('exact', 'service-c', 'service-b');
  const later = rule('later', 'service-c.default.svc.cluster.local', 'service-a');
  const proxy = compileFor(snapshotOf(CHAIN + wide + exact + later, CHAIN_PODS), 'b-1');
  assert.equal(outcome(proxy, '8080', { host: 'service-c' }), B);
  assert.equal(outcome(proxy, '8080', { host: 'service-b' }), A);
});

test('exportTo keeps a rule from other namespaces', () => {
  const rule = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: private}
spec: {hosts: [service-c], exportTo: ["."], http: [{route: [{destination: {host: service-a}}]}]}
`;
  const pods = [...CHAIN_PODS, { name: 'other', namespace: 'elsewhere', ip: '10.244.0.99', labels: { app: 'other' } }];
  const snapshot = snapshotOf(CHAIN + rule, pods);
  assert.equal(outcome(compileFor(snapshot, 'b-1'), '8080', { host: 'service-c' }), A);
  assert.equal(outcome(compileFor(snapshot, 'other', 'elsewhere'), '8080', { host: 'service-c.default' }), C);
});

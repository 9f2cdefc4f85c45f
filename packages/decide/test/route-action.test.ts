// What a matched route says to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { decide, errorsOf, forward, type RequestParts, routes, seededDraw, tableOf } from './support.ts';

const to = (route: JsonObject, match: JsonObject = { prefix: '/' }) => tableOf(routes([{ name: 'r', match, route }]));

test("a plain route carries Envoy's defaults", () => {
  const decision = forward(to({ cluster: 'c' }), { path: '/x?y' });
  assert.deepEqual(decision, {
    kind: 'forward',
    routeName: 'r',
    virtualHost: 'all',
    cluster: 'c',
    clusterNotFoundStatus: 503,
    path: '/x?y',
    authority: undefined,
    timeoutMs: 15_000,
    retry: undefined,
    includeAttemptCount: false,
    requestHeaders: [],
    responseHeaders: [],
    mirrors: [],
    filters: {},
  });
});

test('weights are kept to, and what weighs nothing gets nothing', () => {
  const weights = { v1: 90, v2: 10, v3: 0 };
  const clusters = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
  const table = to({ weighted_clusters: { clusters } });
  const n = 20_000;
  const counts: Record<string, number> = { v1: 0, v2: 0, v3: 0 };
  const draw = seededDraw(7);
  for (let i = 0; i < n; i++) counts[forward(table, {}, draw).cluster]! += 1;
  // A binomial count strays further than five standard deviations once in 1.7 million runs.
  const bound = 5 * Math.sqrt(n * 0.1 * 0.9);
  assert.ok(Math.abs(counts['v2']! - n * 0.1) < bound, `v2 got ${counts['v2']} of ${n}`);
  assert.equal(counts['v3'], 0);
  assert.equal(counts['v1']! + counts['v2']!, n);
});

test('the edges of a weighted choice fall where the weights say', () => {
  const table = to({
    weighted_clusters: {
      clusters: [
        { name: 'a', weight: 1 },
        { name: 'b', weight: 3 },
      ],
    },
  });
  const at = (value: number) => forward(table, {}, () => value).cluster;
  assert.deepEqual([at(0), at(0.2499), at(0.25), at(0.9999)], ['a', 'a', 'b', 'b']);
});

test('a header can be the random value', () => {
  const clusters = [
    { name: 'a', weight: 1 },
    { name: 'b', weight: 1 },
  ];
  const table = to({ weighted_clusters: { clusters, header_name: 'x-user' } });
  for (const [user, cluster] of [
    ['0', 'a'],
    ['1', 'b'],
    ['18446744073709551615', 'b'],
  ] as const)
    assert.equal(forward(table, { headers: { 'x-user': user } }).cluster, cluster);
});

test('cluster_header names the cluster, and a missing one names none', () => {
  const table = to({ cluster_header: 'X-Cluster', cluster_not_found_response_code: 'NOT_FOUND' });
  assert.equal(forward(table, { headers: { 'x-cluster': 'blue' } }).cluster, 'blue');
  assert.equal(forward(table).cluster, '');
  assert.equal(forward(table).clusterNotFoundStatus, 404);
});

const REWRITES: readonly (readonly [string, JsonObject, JsonObject, string, string])[] = [
  ['a prefix is replaced', { prefix: '/a/' }, { prefix_rewrite: '/' }, '/a/b?x=1', '/b?x=1'],
  ['an exact path is replaced', { path: '/a' }, { prefix_rewrite: '/b' }, '/a?x=1', '/b?x=1'],
  [
    'a regex match is replaced as a whole',
    { safe_regex: { regex: '/a.*' } },
    { prefix_rewrite: '/b' },
    '/abc?x',
    '/b?x',
  ],
  ['a prefix in other case', { prefix: '/AB', case_sensitive: false }, { prefix_rewrite: '/x' }, '/abc', '/xc'],
  [
    'a regex rewrite with groups',
    { prefix: '/' },
    { regex_rewrite: { pattern: { regex: '^/v([0-9])/(.*)$' }, substitution: '/\\2/\\1' } },
    '/v1/items?q=/v2/x',
    '/items/1?q=/v2/x',
  ],
  [
    'every match of a regex rewrite',
    { prefix: '/' },
    { regex_rewrite: { pattern: { regex: 'a' }, substitution: '$1\\\\' } },
    '/banana',
    '/b$1\\n$1\\n$1\\',
  ],
  [
    'an empty match behind a match is not one',
    { prefix: '/' },
    { regex_rewrite: { pattern: { regex: '.*' }, substitution: '/x' } },
    '/abc',
    '/x',
  ],
];

for (const [what, match, route, path, expected] of REWRITES)
  test(`rewrite: ${what}`, () => assert.equal(forward(to({ cluster: 'c', ...route }, match), { path }).path, expected));

test('the host is rewritten by literal, header or path, and a weighted cluster has its own', () => {
  assert.equal(forward(to({ cluster: 'c', host_rewrite_literal: 'b.com' })).authority, 'b.com');
  const byHeader = to({ cluster: 'c', host_rewrite_header: 'x-host' });
  assert.equal(forward(byHeader, { headers: { 'x-host': 'h.com' } }).authority, 'h.com');
  assert.equal(forward(byHeader).authority, undefined);
  const byPath = to({
    cluster: 'c',
    host_rewrite_path_regex: { pattern: { regex: '^/(.+)/.+$' }, substitution: '\\1' },
  });
  assert.equal(forward(byPath, { path: '/x.com/y?z=/1/2' }).authority, 'x.com');
  const clusters = [{ name: 'a', weight: 1, host_rewrite_literal: 'own.com' }];
  assert.equal(forward(to({ weighted_clusters: { clusters }, host_rewrite_literal: 'b.com' })).authority, 'own.com');
});

test('append_x_forwarded_host keeps the name the client asked for', () => {
  const table = to({ cluster: 'c', host_rewrite_literal: 'b.com', append_x_forwarded_host: true });
  assert.deepEqual(forward(table, { authority: 'a.com' }).requestHeaders, [
    { op: 'append', name: 'x-forwarded-host', value: 'a.com' },
  ]);
  assert.deepEqual(forward(table, { authority: 'b.com' }).requestHeaders, []);
});

test('timeouts and retries', () => {
  const retry_policy = {
    retry_on: 'connect-failure, Refused-Stream,retriable-status-codes,made-up',
    num_retries: 2,
    per_try_timeout: '2s',
    retriable_status_codes: [503],
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
    host_selection_retry_max_attempts: '5',
    retry_back_off: { base_interval: '0.050s' },
  };
  const { timeoutMs, retry } = forward(to({ cluster: 'c', timeout: '1.5s', retry_policy }));
  assert.equal(timeoutMs, 1500);
  assert.deepEqual(retry, {
    retryOn: new Set(['connect-failure', 'refused-stream', 'retriable-status-codes']),
    numRetries: 2,
    perTryTimeoutMs: 2000,
    retriableStatusCodes: new Set([503]),
    avoidPreviousHosts: 5,
    backoffBaseMs: 50,
    backoffMaxMs: 500,
  });
  assert.equal(forward(to({ cluster: 'c', timeout: '0s' })).timeoutMs, 0);
});

test("a route's retry policy replaces its virtual host's", () => {
  const host = { retry_policy: { retry_on: '5xx', num_retries: 9 }, include_request_attempt_count: true };
  const list = [
    { match: { path: '/own' }, route: { cluster: 'c', retry_policy: { retry_on: 'reset' } } },
    { match: { prefix: '/' }, route: { cluster: 'c' } },
  ];
  const table = tableOf(routes(list, host));
  assert.equal(forward(table, { path: '/own' }).retry?.numRetries, 1);
  assert.equal(forward(table).retry?.numRetries, 9);
  assert.equal(forward(table).includeAttemptCount, true);
});

const add = (key: string, value: string, append_action = 'APPEND_IF_EXISTS_OR_ADD') => ({
  header: { key, value },
  append_action,
});

function levels(config: JsonObject) {
  const clusters = [{ name: 'c', weight: 1, request_headers_to_add: [add('X-Level', 'cluster')] }];
  const route = {
    match: { prefix: '/' },
    route: { weighted_clusters: { clusters } },
    request_headers_to_add: [add('x-level', 'route'), add('x-set', 's%%', 'OVERWRITE_IF_EXISTS_OR_ADD')],
    request_headers_to_remove: ['X-Gone'],
    response_headers_to_add: [add('x-response', 'route', 'ADD_IF_ABSENT')],
  };
  const host = {
    request_headers_to_add: [add('x-level', 'host'), add('x-empty', '')],
    response_headers_to_remove: ['x-secret'],
  };
  return tableOf(routes([route], host, { request_headers_to_add: [add('x-level', 'config')], ...config }));
}

test('headers are edited most specific first, within a level removals, then overwrites, then additions', () => {
  const { requestHeaders, responseHeaders } = forward(levels({}));
  assert.deepEqual(requestHeaders, [
    { op: 'append', name: 'x-level', value: 'cluster' },
    { op: 'remove', name: 'x-gone' },
    { op: 'set', name: 'x-set', value: 's%' },
    { op: 'append', name: 'x-level', value: 'route' },
    { op: 'append', name: 'x-level', value: 'host' },
    { op: 'append', name: 'x-level', value: 'config' },
  ]);
  assert.deepEqual(responseHeaders, [
    { op: 'add-if-absent', name: 'x-response', value: 'route' },
    { op: 'remove', name: 'x-secret' },
  ]);
});

test('most_specific_header_mutations_wins turns the levels round', () => {
  const edits = forward(levels({ most_specific_header_mutations_wins: true })).requestHeaders;
  const values = edits.flatMap((edit) => (edit.op === 'append' && edit.name === 'x-level' ? [edit.value] : []));
  assert.deepEqual(values, ['config', 'host', 'route', 'cluster']);
});

function location(redirect: JsonObject, parts: RequestParts, match: JsonObject = { prefix: '/' }): string {
  const decision = decide(tableOf(routes([{ match, redirect }])), parts);
  assert.equal(decision.kind, 'redirect');
  return (decision as Extract<typeof decision, { kind: 'redirect' }>).location;
}

const REDIRECTS: readonly (readonly [string, JsonObject, RequestParts, string])[] = [
  ['https', { https_redirect: true }, { authority: 'a.com', path: '/x?y' }, 'https://a.com/x?y'],
  ['https drops the http port', { https_redirect: true }, { authority: 'a.com:80' }, 'https://a.com/'],
  ['https keeps another port', { https_redirect: true }, { authority: 'a.com:8080' }, 'https://a.com:8080/'],
  ['a scheme', { scheme_redirect: 'wss' }, { authority: 'a.com' }, 'wss://a.com/'],
  ['host and port', { host_redirect: 'b.com', port_redirect: 8443 }, { path: '/p' }, 'http://b.com:8443/p'],
  ["a port replaces the request's", { port_redirect: 81 }, { authority: '[::1]:8080' }, 'http://[::1]:81/'],
  ['a path keeps the query', { path_redirect: '/n' }, { authority: 'a.com', path: '/o?q=1' }, 'http://a.com/n?q=1'],
  [
    'a path with a query of its own',
    { path_redirect: '/n?z' },
    { authority: 'a.com', path: '/o?q' },
    'http://a.com/n?z',
  ],
  ['strip_query', { path_redirect: '/n', strip_query: true }, { authority: 'a.com', path: '/o?q' }, 'http://a.com/n'],
  ['a prefix', { prefix_rewrite: '/n' }, { authority: 'a.com', path: '/o/p?q' }, 'http://a.com/n/p?q'],
  [
    'a regex',
    { regex_rewrite: { pattern: { regex: 'o' }, substitution: '0' } },
    { authority: 'a.com', path: '/o/o?o' },
    'http://a.com/0/0?o',
  ],
];

for (const [what, redirect, parts, expected] of REDIRECTS)
  test(`redirect: ${what}`, () =>
    assert.equal(location(redirect, parts, { prefix: what === 'a prefix' ? '/o' : '/' }), expected));

test('redirect statuses', () => {
  const codes = {
    FOUND: 302,
    SEE_OTHER: 303,
    TEMPORARY_REDIRECT: 307,
    PERMANENT_REDIRECT: 308,
    MOVED_PERMANENTLY: 301,
  };
  for (const [response_code, status] of Object.entries(codes)) {
    const decision = decide(tableOf(routes([{ match: { prefix: '/' }, redirect: { response_code } }])));
    assert.equal((decision as { status: number }).status, status);
  }
});

test('direct responses', () => {
  const list = [{ name: 'd', match: { prefix: '/' }, direct_response: { status: 418, body: { inline_string: 'té' } } }];
  assert.deepEqual(decide(tableOf(routes(list))), {
    kind: 'direct',
    routeName: 'd',
    virtualHost: 'all',
    status: 418,
    body: 'té',
    responseHeaders: [],
    filters: {},
  });
});

const REFUSED: readonly (readonly [string, JsonObject, RegExp])[] = [
  ['no cluster', { route: {} }, /routes\[0\]\.route: cluster_specifier is missing/],
  [
    'weights of nothing',
    { route: { weighted_clusters: { clusters: [{ name: 'a', weight: 0 }] } } },
    /sum of weights must be greater than zero/,
  ],
  [
    'a mirror without a cluster',
    { route: { cluster: 'c', request_mirror_policies: [{}] } },
    /request_mirror_policies\[0\]: exactly one of cluster and cluster_header is needed/,
  ],
  [
    'both rewrites',
    { route: { cluster: 'c', prefix_rewrite: '/', regex_rewrite: { pattern: { regex: 'a' } } } },
    /are both set/,
  ],
  [
    'a group that is not there',
    { route: { cluster: 'c', regex_rewrite: { pattern: { regex: 'a' }, substitution: '\\1' } } },
    /refers to group 1/,
  ],
  [
    'a body that is too long',
    { direct_response: { status: 200, body: { inline_string: 'x'.repeat(4097) } } },
    /4097 bytes; maximum is 4096/,
  ],
  ['a status out of range', { direct_response: { status: 99 } }, /status 99 is not within 200 to 599/],
  [
    'the host header edited',
    { route: { cluster: 'c' }, request_headers_to_add: [add('Host', 'x')] },
    /request_headers_to_add\[0\]: :-prefixed or host headers/,
  ],
  [
    'a format command',
    { route: { cluster: 'c' }, response_headers_to_add: [add('x', '%START_TIME%')] },
    /%START_TIME% is not supported/,
  ],
  ['a header split', { route: { cluster: 'c' }, request_headers_to_add: [add('x', 'a\r\nb: c')] }, /line break/],
  [
    'per-route filter configuration',
    {
      route: { cluster: 'c' },
      typed_per_filter_config: {
        'envoy.filters.http.lua': { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' },
      },
    },
    /the filter is not supported/,
  ],
  ['no action', {}, /action is missing/],
];

for (const [what, route, expected] of REFUSED)
  test(`refused: ${what}`, () => {
    const errors = errorsOf(routes([{ match: { prefix: '/' }, ...route }]));
    assert.match(errors.join('\n'), expected);
  });

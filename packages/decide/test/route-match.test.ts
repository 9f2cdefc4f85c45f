// Which route of a virtual host a request gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { clusterFor, decide, errorsOf, type RequestParts, routes, tableOf } from './support.ts';

/** Whether a match takes a request. */
function takes(match: JsonObject, parts: RequestParts): boolean {
  return clusterFor(tableOf(routes([{ match, route: { cluster: 'yes' } }])), parts) === 'yes';
}

const withHeader = (header: JsonObject): JsonObject => ({ prefix: '/', headers: [header] });
const withQuery = (query: JsonObject): JsonObject => ({ prefix: '/', query_parameters: [query] });

const PATHS: readonly (readonly [string, JsonObject, string, boolean])[] = [
  ['path is compared without the query', { path: '/a' }, '/a?x=1', true],
  ['path is the whole path', { path: '/a' }, '/a/', false],
  ['path minds the case', { path: '/a' }, '/A', false],
  ['path can ignore the case', { path: '/a', case_sensitive: false }, '/A', true],
  ['prefix', { prefix: '/a' }, '/ab/c', true],
  ['prefix does not see the query', { prefix: '/a?x' }, '/a?x', false],
  ['prefix can ignore the case', { prefix: '/Abc', case_sensitive: false }, '/aBcd', true],
  ['a separated prefix takes the path itself', { path_separated_prefix: '/a/b' }, '/a/b?x=1', true],
  ['a separated prefix takes what is below', { path_separated_prefix: '/a/b' }, '/a/b/c', true],
  ['a separated prefix does not take a longer word', { path_separated_prefix: '/a/b' }, '/a/bc', false],
  ['a regex must match the whole path', { safe_regex: { regex: '/a.' } }, '/abc', false],
  ['a regex does not see the query', { safe_regex: { regex: '/v[0-9]+' } }, '/v2?x=1', true],
  ['a regex ignores case_sensitive', { safe_regex: { regex: '/a' }, case_sensitive: false }, '/A', false],
];

for (const [what, match, path, expected] of PATHS)
  test(`path: ${what}`, () => assert.equal(takes(match, { path }), expected));

const HEADERS: readonly (readonly [string, JsonObject, Record<string, string>, boolean])[] = [
  ['exact', { name: 'V', string_match: { exact: 'a' } }, { v: 'a' }, true],
  ['exact is not a prefix', { name: 'v', string_match: { exact: 'a' } }, { v: 'ab' }, false],
  ['prefix', { name: 'v', string_match: { prefix: 'a' } }, { v: 'ab' }, true],
  ['suffix', { name: 'v', string_match: { suffix: 'b' } }, { v: 'ab' }, true],
  ['contains, ignoring case', { name: 'v', string_match: { contains: 'B', ignore_case: true } }, { v: 'abc' }, true],
  ['regex', { name: 'v', string_match: { safe_regex: { regex: '[ab]+' } } }, { v: 'abba' }, true],
  ['regex matches in full', { name: 'v', string_match: { safe_regex: { regex: '[ab]+' } } }, { v: 'abc' }, false],
  ['deprecated exact_match', { name: 'v', exact_match: 'a' }, { v: 'a' }, true],
  ['deprecated safe_regex_match', { name: 'v', safe_regex_match: { regex: 'a.c' } }, { v: 'abc' }, true],
  ['present by default', { name: 'v' }, { v: '' }, true],
  ['present_match false', { name: 'v', present_match: false }, {}, true],
  ['present, inverted', { name: 'v', present_match: true, invert_match: true }, {}, true],
  ['missing does not match', { name: 'v', string_match: { exact: 'a' } }, {}, false],
  [
    'missing does not match inverted either',
    { name: 'v', string_match: { exact: 'a' }, invert_match: true },
    {},
    false,
  ],
  [
    'missing taken for empty matches inverted',
    { name: 'v', string_match: { exact: 'a' }, invert_match: true, treat_missing_header_as_empty: true },
    {},
    true,
  ],
  ['range takes its start', { name: 'v', range_match: { start: '1', end: '10' } }, { v: '1' }, true],
  ['range does not take its end', { name: 'v', range_match: { start: '1', end: '10' } }, { v: '10' }, false],
  ['range wants a number', { name: 'v', range_match: { start: '0', end: '10' } }, { v: '1x' }, false],
  ['range takes negative numbers', { name: 'v', range_match: { start: '-5', end: '0' } }, { v: '-3' }, true],
];

for (const [what, header, headers, expected] of HEADERS)
  test(`header: ${what}`, () => assert.equal(takes(withHeader(header), { headers }), expected));

test('header: the request line is there under its pseudo names', () => {
  const parts: RequestParts = { method: 'POST', authority: 'a.com', scheme: 'https', path: '/p?q' };
  const pairs = { ':method': 'POST', ':authority': 'a.com', host: 'a.com', ':scheme': 'https', ':path': '/p?q' };
  for (const [name, exact] of Object.entries(pairs))
    assert.ok(takes(withHeader({ name, string_match: { exact } }), parts), name);
});

const QUERIES: readonly (readonly [string, JsonObject, string, boolean])[] = [
  ['present', { name: 'a', present_match: true }, '/?b=1&a', true],
  ['absent', { name: 'a', present_match: true }, '/?ab=1', false],
  ['exact', { name: 'a', string_match: { exact: '1' } }, '/?a=1#f', true],
  ['only the first value counts', { name: 'a', string_match: { exact: '2' } }, '/?a=1&a=2', false],
  ['values are compared undecoded', { name: 'a', string_match: { exact: 'x y' } }, '/?a=x%20y', false],
  ['regex', { name: 'a', string_match: { safe_regex: { regex: '[0-9]+' } } }, '/?a=42', true],
];

for (const [what, query, path, expected] of QUERIES)
  test(`query: ${what}`, () => assert.equal(takes(withQuery(query), { path }), expected));

test('grpc takes its content types only', () => {
  const match = { prefix: '/', grpc: {} };
  assert.ok(takes(match, { headers: { 'content-type': 'application/grpc+proto' } }));
  assert.ok(!takes(match, { headers: { 'content-type': 'application/grpcish' } }));
});

test('runtime_fraction takes the share it names, by the one draw of the request', () => {
  const table = tableOf(
    routes([
      {
        match: { prefix: '/', runtime_fraction: { default_value: { numerator: 25, denominator: 'HUNDRED' } } },
        route: { cluster: 'some' },
      },
      { match: { prefix: '/' }, route: { cluster: 'rest' } },
    ]),
  );
  let draws = 0;
  const draw = (value: number) => () => {
    draws++;
    return value;
  };
  const choose = (value: number) => (decide(table, {}, draw(value)) as { cluster: string }).cluster;
  assert.equal(choose(0.2499), 'some');
  assert.equal(choose(0.25), 'rest');
  assert.equal(draws, 2);
});

test('the first route that matches wins, whatever the routes', () => {
  const prefix = fc.constantFrom('/', '/a', '/a/b', '/b');
  fc.assert(
    fc.property(
      fc.array(prefix, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('/', '/a', '/a/b/c', '/b', '/c'),
      (list, path) => {
        const table = tableOf(
          routes(list.map((each, i) => ({ match: { prefix: each }, route: { cluster: String(i) } }))),
        );
        const first = list.findIndex((each) => path.startsWith(each));
        assert.equal(clusterFor(table, { path }), first === -1 ? 'none' : String(first));
      },
    ),
    { numRuns: 300 },
  );
});

test('a regex that would stall a backtracking engine is answered at once', () => {
  const table = tableOf(routes([{ match: { safe_regex: { regex: '/(a+)+$' } }, route: { cluster: 'c' } }]));
  const started = performance.now();
  assert.equal(clusterFor(table, { path: `/${'a'.repeat(20_000)}!` }), 'none');
  assert.ok(performance.now() - started < 1000);
});

test('what is wrong with a match is said with its place, all of it at once', () => {
  const errors = errorsOf(
    routes([
      { match: { safe_regex: { regex: '(?=x)' } }, route: { cluster: 'c' } },
      {
        name: 'second',
        match: { prefix: '/', headers: [{ name: 'v', string_match: { safe_regex: { regex: '(' } } }] },
        route: { cluster: 'c' },
      },
      { match: { path_separated_prefix: '/a/' }, route: { cluster: 'c' } },
      { route: { cluster: 'c' } },
    ]),
  );
  assert.equal(errors.length, 4);
  assert.match(
    errors[0]!,
    /^virtual_hosts\[all\]\.routes\[0\]\.match\.safe_regex: "\(\?=x\)" is not a valid RE2 pattern/,
  );
  assert.match(errors[1]!, /routes\[second\]\.match\.headers\[0\]\.string_match\.safe_regex: "\(" is not a valid/);
  assert.match(errors[2]!, /path_separated_prefix: "\/a\/" must start with/);
  assert.match(errors[3]!, /routes\[3\]\.match: match is missing/);
});

// Which virtual host a Host header belongs to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { clusterFor, decide, errorsOf, tableOf } from './support.ts';

/** One virtual host for each domain, leading to a cluster of the domain's name. */
function hosts(domains: readonly string[], config: JsonObject = {}): JsonObject {
  return {
    virtual_hosts: domains.map((domain) => ({
      name: domain,
      domains: [domain],
      routes: [{ match: { prefix: '/' }, route: { cluster: domain } }],
    })),
    ...config,
  };
}

test('exact wins over suffix, suffix over prefix, prefix over any', () => {
  const table = tableOf(hosts(['*', 'www.*', '*.example.com', 'www.example.com']));
  assert.equal(clusterFor(table, { authority: 'www.example.com' }), 'www.example.com');
  assert.equal(clusterFor(table, { authority: 'api.example.com' }), '*.example.com');
  assert.equal(clusterFor(table, { authority: 'www.example.org' }), 'www.*');
  assert.equal(clusterFor(table, { authority: 'other.org' }), '*');
});

test('the longest wildcard wins, and a wildcard stands for at least one character', () => {
  const table = tableOf(hosts(['*.com', '*.example.com', '*-a.example.com', 'api.*', 'api.example.*']));
  assert.equal(clusterFor(table, { authority: 'b-a.example.com' }), '*-a.example.com');
  assert.equal(clusterFor(table, { authority: 'b.example.com' }), '*.example.com');
  assert.equal(clusterFor(table, { authority: 'example.com' }), '*.com');
  assert.equal(clusterFor(table, { authority: 'api.example.org' }), 'api.example.*');
  assert.equal(clusterFor(table, { authority: '.com' }), 'none');
});

test('case does not count, the port does', () => {
  const table = tableOf(hosts(['Shop.example.com', 'shop.example.com:8080']));
  assert.equal(clusterFor(table, { authority: 'SHOP.example.com' }), 'Shop.example.com');
  assert.equal(clusterFor(table, { authority: 'shop.example.com:8080' }), 'shop.example.com:8080');
  assert.equal(clusterFor(table, { authority: 'shop.example.com:9090' }), 'none');
});

test('ignore_port_in_host_matching takes the port away, from IPv6 addresses too', () => {
  const table = tableOf(hosts(['shop.example.com', '[2001:db8::1]'], { ignore_port_in_host_matching: true }));
  assert.equal(clusterFor(table, { authority: 'shop.example.com:9090' }), 'shop.example.com');
  assert.equal(clusterFor(table, { authority: '[2001:db8::1]:80' }), '[2001:db8::1]');
  assert.equal(clusterFor(table, { authority: '[2001:db8::1]' }), '[2001:db8::1]');
});

test('a request without a host finds only a table that is nothing but "*"', () => {
  assert.equal(clusterFor(tableOf(hosts(['*'])), { authority: '' }), '*');
  assert.equal(clusterFor(tableOf(hosts(['*', 'a.com'])), { authority: '' }), 'none');
});

test('a domain that is there twice, a second "*" and an empty list are refused', () => {
  assert.match(
    errorsOf(hosts(['a.com', 'A.com'])).join('\n'),
    /virtual_hosts\[A\.com\]: domain "A\.com" is there twice/,
  );
  const two = {
    virtual_hosts: [
      { name: 'a', domains: ['*'] },
      { name: 'b', domains: ['*'] },
    ],
  };
  assert.match(errorsOf(two).join('\n'), /virtual_hosts\[b\]: only a single wildcard domain/);
  assert.match(errorsOf({ virtual_hosts: [{ name: 'a' }] }).join('\n'), /virtual_hosts\[a\]: domains is empty/);
});

/** Envoy's documented order, written down as plainly as can be. */
function naive(domains: readonly string[], authority: string): string {
  const host = authority.toLowerCase();
  if (domains.includes(host)) return host;
  const longest = (found: readonly string[]): string | undefined => [...found].sort((a, b) => b.length - a.length)[0];
  const suffixes = domains.filter((domain) => domain !== '*' && domain.startsWith('*'));
  const prefixes = domains.filter((domain) => domain !== '*' && domain.endsWith('*'));
  return (
    longest(suffixes.filter((domain) => host.length >= domain.length && host.endsWith(domain.slice(1)))) ??
    longest(prefixes.filter((domain) => host.length >= domain.length && host.startsWith(domain.slice(0, -1)))) ??
    (domains.includes('*') ? '*' : 'none')
  );
}

test('any set of domains is searched as the naive model searches it', () => {
  const label = fc.constantFrom('a', 'b', 'ab', 'ba');
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
  const domain = fc.oneof(
    name,
    name.map((text) => `*.${text}`),
    name.map((text) => `*${text}`),
    name.map((text) => `${text}.*`),
    fc.constant('*'),
  );
  fc.assert(
    fc.property(fc.uniqueArray(domain, { minLength: 1, maxLength: 12 }), name, (domains, authority) => {
      assert.equal(clusterFor(tableOf(hosts(domains)), { authority }), naive(domains, authority));
    }),
    { numRuns: 400 },
  );
});

test('require_tls ALL redirects plain requests to https and lets the others through', () => {
  const table = tableOf({
    virtual_hosts: [
      { name: 'a', domains: ['*'], require_tls: 'ALL', routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }] },
    ],
  });
  const decision = decide(table, { authority: 'a.com', path: '/x?y=1' });
  assert.deepEqual(decision, {
    kind: 'redirect',
    routeName: '',
    virtualHost: 'a',
    status: 301,
    location: 'https://a.com/x?y=1',
    responseHeaders: [],
    filters: {},
  });
  assert.equal(clusterFor(table, { headers: { 'x-forwarded-proto': 'https' } }), 'c');
  assert.equal(clusterFor(table, { scheme: 'https' }), 'c');
});

// What the bootstrap says, and what is said about a bad one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BootstrapError, parseBootstrap } from '../src/bootstrap.ts';
import { bootstrapJson, startProxy } from './support/proxy.ts';
import { address, chain, http, listener, routesTo, staticCluster, tcpProxy } from './support/resources.ts';

const parse = (json: unknown) =>
  parseBootstrap(typeof json === 'string' ? json : JSON.stringify(json), '--config-yaml');

test('node, admin, management server and what is static are read', () => {
  const json = bootstrapJson(
    { clusters: [staticCluster('c', [1])], listeners: [listener('l', [chain(tcpProxy('c'))])] },
    15010,
  );
  const config = parse({ ...json, admin: { address: address(15000) } });
  assert.deepEqual(config.admin, { address: '127.0.0.1', port: 15000 });
  assert.deepEqual(config.ads, { cluster: 'xds-grpc', host: '127.0.0.1', port: 15010 });
  assert.equal(config.proto.node?.id, 'sidecar~127.0.0.1~pod.ns~ns.svc.cluster.local');
  assert.deepEqual(
    config.clusters.map((cluster) => cluster.name),
    ['c', 'xds-grpc'],
  );
  assert.deepEqual(
    config.listeners.map((each) => each.name),
    ['l'],
  );
  assert.ok(config.dynamicClusters && config.dynamicListeners);
});

test('a bootstrap with nothing in it is one', () => {
  const config = parse({});
  assert.equal(config.ads, undefined);
  assert.equal(config.admin, undefined);
});

const dynamic = bootstrapJson({}, 15010);

const BAD: readonly (readonly [string, unknown, RegExp])[] = [
  ['not JSON', '{"node": ', /^--config-yaml: not valid JSON: /],
  ['YAML', 'node:\n  id: x\n', /the bootstrap must be JSON; YAML is not read/],
  ['not an object', '[]', /not an Envoy bootstrap/],
  ['an unknown field', { nodes: {} }, /not an Envoy bootstrap: .*nodes/],
  ['a wrong type', { node: { id: 7 } }, /not an Envoy bootstrap: .*id/],
  [
    'an unknown extension',
    {
      static_resources: {
        listeners: [
          listener('l', [chain({ name: 'x', typed_config: { '@type': 'type.googleapis.com/envoy.made.Up' } })]),
        ],
      },
    },
    /envoy\.made\.Up/,
  ],
  ['no node id', { ...dynamic, node: {} }, /node\.id is needed/],
  [
    'no management cluster',
    { ...dynamic, static_resources: {} },
    /ads_config: static_resources has no cluster "xds-grpc"/,
  ],
  [
    'LDS by file',
    { dynamic_resources: { lds_config: { path: '/x' } } },
    /lds_config: only \{"ads": \{\}\} is supported, found path/,
  ],
  ['ADS without a server', { dynamic_resources: { cds_config: { ads: {} } } }, /but there is no ads_config/],
  ['an admin pipe', { admin: { address: { pipe: { path: '/x' } } } }, /admin\.address: pipe is not supported/],
];

for (const [what, json, words] of BAD)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parse(json),
      (error) => {
        assert.ok(error instanceof BootstrapError);
        assert.match(error.message, words);
        return true;
      },
    );
  });

test('what is wrong in static resources is named, all of it at once', async (t) => {
  const broken = {
    clusters: [staticCluster('c', [1], { lb_policy: 'MAGLEV' })],
    listeners: [
      listener('a', [chain(http('by-rds'))]),
      listener('b', [chain(http({ ...routesTo('r', 'c'), virtual_hosts: [{ name: 'v' }] }))]),
    ],
  };
  await assert.rejects(startProxy(t, broken), (error: Error) => {
    assert.match(error.message, /static_resources\.clusters\[c\]: lb_policy MAGLEV is not supported/);
    assert.match(error.message, /static listeners need an inline route_config, not rds \(by-rds\)/);
    assert.match(
      error.message,
      /listeners\[b\]\.filter_chains\[0\].*route_config\[r\]: virtual_hosts\[v\]: domains is empty/,
    );
    return true;
  });
});

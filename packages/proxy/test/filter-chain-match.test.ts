// Which filter chain a connection gets, in Envoy's order of criteria.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionFacts, matchFilterChain } from '../src/downstream/filter-chain-match.ts';
import { TcpStats } from '../src/observe/stats.ts';
import type { FilterChain, FilterChainMatch, ListenerTable } from '../src/runtime/tables.ts';

const ANY: FilterChainMatch = {
  destinationPort: undefined,
  destinationRanges: [],
  serverNames: [],
  transportProtocol: '',
  applicationProtocols: [],
};

function chain(name: string, match: Partial<FilterChainMatch>): FilterChain {
  const config = { statPrefix: name, clusters: [], idleTimeoutMs: 0, accessLogs: [], stats: new TcpStats() };
  return { name, fingerprint: Buffer.from(name), match: { ...ANY, ...match }, filter: { kind: 'tcp', config } };
}

function choose(
  chains: Record<string, Partial<FilterChainMatch>>,
  facts: Partial<ConnectionFacts>,
  withDefault = true,
) {
  const table: ListenerTable = {
    name: 'l',
    address: '0.0.0.0',
    port: 15006,
    bindToPort: true,
    useOriginalDst: false,
    originalDst: true,
    inspectHttp: true,
    inspectTls: true,
    inspectTimeoutMs: 0,
    direction: 'inbound',
    chains: Object.entries(chains).map(([name, match]) => chain(name, match)),
    defaultChain: withDefault ? chain('default', {}) : undefined,
  };
  const connection: ConnectionFacts = {
    destinationAddress: '10.0.0.1',
    destinationPort: 80,
    transportProtocol: 'raw_buffer',
    applicationProtocols: [],
    serverName: undefined,
    ...facts,
  };
  return matchFilterChain(table, connection)?.name;
}

test('a chain for the port wins, and there is no way back from it', () => {
  const chains = { port: { destinationPort: 80, applicationProtocols: ['http/1.1'] }, any: {} };
  assert.equal(choose(chains, { applicationProtocols: ['http/1.1'] }), 'port');
  assert.equal(choose(chains, { applicationProtocols: [] }), 'default');
  assert.equal(choose(chains, { destinationPort: 81 }), 'any');
});

test("Istio's permissive inbound chains", () => {
  const chains = {
    mtlsHttp: { transportProtocol: 'tls', applicationProtocols: ['istio-http/1.1', 'istio-h2'] },
    plainHttp: { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'h2c'] },
    mtlsTcp: { transportProtocol: 'tls', applicationProtocols: ['istio'] },
    plainTcp: { transportProtocol: 'raw_buffer' },
    passTls: { transportProtocol: 'tls' },
  };
  const tls = { transportProtocol: 'tls' };
  assert.equal(choose(chains, { applicationProtocols: ['http/1.1'] }), 'plainHttp');
  assert.equal(choose(chains, {}), 'plainTcp');
  assert.equal(choose(chains, { ...tls, applicationProtocols: ['istio-h2', 'istio'] }), 'mtlsHttp');
  assert.equal(choose(chains, { ...tls, applicationProtocols: ['istio-peer-exchange', 'istio'] }), 'mtlsTcp');
  assert.equal(choose(chains, { ...tls, applicationProtocols: ['h2'] }), 'passTls');
});

test("the client's order of protocols decides", () => {
  const chains = { one: { applicationProtocols: ['http/1.1'] }, two: { applicationProtocols: ['h2'] } };
  assert.equal(choose(chains, { applicationProtocols: ['h2', 'http/1.1'] }), 'two');
});

test('server names: exact, then the longest suffix, then chains without', () => {
  const chains = {
    exact: { serverNames: ['a.b.example.com'] },
    near: { serverNames: ['*.b.example.com'] },
    far: { serverNames: ['*.example.com'] },
    none: {},
  };
  assert.equal(choose(chains, { serverName: 'a.b.example.com' }), 'exact');
  assert.equal(choose(chains, { serverName: 'c.b.example.com' }), 'near');
  assert.equal(choose(chains, { serverName: 'c.d.example.com' }), 'far');
  assert.equal(choose(chains, { serverName: 'example.com' }), 'none');
  assert.equal(choose(chains, {}), 'none');
});

test('the longest destination range wins', () => {
  const chains = {
    wide: { destinationRanges: [['10.0.0.0', 8]] as const },
    near: { destinationRanges: [['10.0.0.0', 24]] as const },
    all: { destinationRanges: [['0.0.0.0', 0]] as const },
    v6: { destinationRanges: [['::', 0]] as const },
  };
  assert.equal(choose(chains, { destinationAddress: '10.0.0.9' }), 'near');
  assert.equal(choose(chains, { destinationAddress: '10.1.0.9' }), 'wide');
  assert.equal(choose(chains, { destinationAddress: '192.0.2.1' }), 'all');
  assert.equal(choose(chains, { destinationAddress: '2001:db8::1' }), 'v6');
});

test('nothing that matches and no default chain is no chain', () => {
  assert.equal(choose({ only: { destinationPort: 81 } }, {}, false), undefined);
});

// Gateways: which rules are bound to which hosts, and how several share a port.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHAIN, CHAIN_PODS } from './chain.ts';
import { compileFor, decide, named, outcome, snapshotOf } from './world.ts';

const gatewayYaml = (name: string, hosts: string[], more = '') => `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ${JSON.stringify(hosts)}}${more}]
`;
const ruleYaml = (name: string, hosts: string[], gateways: string[], http: string, namespace = 'default') => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: ${JSON.stringify(hosts)}
  gateways: ${JSON.stringify(gateways)}
  http: ${http}
`;
const to = (service: string) => `[{route: [{destination: {host: ${service}.default.svc.cluster.local}}]}]`;
const under = (prefix: string, service: string) =>
  `[{match: [{uri: {prefix: ${prefix}}}], route: [{destination: {host: ${service}.default.svc.cluster.local}}]}]`;

const compiled = (yaml: string) =>
  compileFor(snapshotOf(CHAIN + yaml, CHAIN_PODS), 'ingress-1', 'istio-system', 'router');
const cluster = (service: string) => `outbound|8080||${service}.default.svc.cluster.local`;

test('hosts of the Gateway limit those of the rule, and the other way round', () => {
  const yaml =
    gatewayYaml('gw', ['*.example.com']) +
    ruleYaml('all', ['*'], ['istio-system/gw'], to('service-a')) +
    ruleYaml('one', ['b.example.com'], ['istio-system/gw'], to('service-b')) +
    ruleYaml('foreign', ['c.other.org'], ['istio-system/gw'], to('service-c'));
  const gateway = compiled(yaml);
  assert.equal(outcome(gateway, 'http.8080', { host: 'x.example.com' }), cluster('service-a'));
  assert.equal(outcome(gateway, 'http.8080', { host: 'b.example.com' }), cluster('service-b'));
  assert.equal(outcome(gateway, 'http.8080', { host: 'b.example.com:31234' }), cluster('service-b'));
  assert.equal(outcome(gateway, 'http.8080', { host: 'c.other.org' }), 'none');
});

test('rules of several objects for one host are joined: oldest first, catch-alls last', () => {
  const yaml =
    gatewayYaml('gw', ['*']) +
    ruleYaml('rest', ['*'], ['istio-system/gw'], to('service-a')) +
    ruleYaml('b', ['*'], ['istio-system/gw'], under('/b', 'service-b')) +
    ruleYaml('c', ['*'], ['istio-system/gw'], under('/b/c', 'service-c'));
  const gateway = compiled(yaml);
  assert.equal(outcome(gateway, 'http.8080', { host: 'h', path: '/b/c' }), cluster('service-b'), 'the older rule');
  assert.equal(outcome(gateway, 'http.8080', { host: 'h', path: '/' }), cluster('service-a'));
  assert.deepEqual(
    named(gateway.routes, 'http.8080').virtualHosts.map(({ name }) => name),
    ['*:80'],
  );
});

test('two Gateways for one port and host share a virtual host', () => {
  const yaml =
    gatewayYaml('one', ['*']) +
    gatewayYaml('two', ['*']) +
    ruleYaml('a', ['*'], ['istio-system/one'], under('/a', 'service-a')) +
    ruleYaml('b', ['*'], ['istio-system/two', 'istio-system/one'], under('/b', 'service-b'));
  const gateway = compiled(yaml);
  assert.equal(outcome(gateway, 'http.8080', { host: 'h', path: '/a' }), cluster('service-a'));
  assert.equal(outcome(gateway, 'http.8080', { host: 'h', path: '/b' }), cluster('service-b'));
  assert.equal(named(gateway.routes, 'http.8080').virtualHosts[0]!.routes.length, 2, 'a rule bound twice stands once');
});

test('a server may say which namespaces may bind', () => {
  const yaml =
    gatewayYaml('gw', ['./*.in.example.com', 'default/a.example.com']) +
    ruleYaml('a', ['a.example.com'], ['istio-system/gw'], to('service-a')) +
    ruleYaml('intruder', ['x.in.example.com'], ['istio-system/gw'], to('service-b')) +
    ruleYaml('own', ['y.in.example.com'], ['gw'], to('service-c'), 'istio-system');
  const gateway = compiled(yaml);
  assert.equal(outcome(gateway, 'http.8080', { host: 'a.example.com' }), cluster('service-a'));
  assert.equal(outcome(gateway, 'http.8080', { host: 'x.in.example.com' }), 'none');
  assert.equal(outcome(gateway, 'http.8080', { host: 'y.in.example.com' }), cluster('service-c'));
});

test('a rule with a short gateway name means the one beside it', () => {
  const yaml = gatewayYaml('gw', ['*']) + ruleYaml('a', ['*'], ['gw'], to('service-a'));
  assert.equal(outcome(compiled(yaml), 'http.8080', { host: 'h' }), 'none', 'default/gw does not exist');
});

test('the protocol may be written in lower case; what is not plain HTTP is left to a later day', () => {
  const lower = gatewayYaml('gw', ['*']).replace('protocol: HTTP', 'protocol: http');
  assert.equal(compiled(lower).listeners.length, 1);
  const tls = ', {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE}}';
  assert.deepEqual(
    compiled(gatewayYaml('gw', ['*'], tls)).listeners.map(({ name }) => name),
    ['0.0.0.0_8080'],
  );
});

test('a Gateway for other proxies gives this one nothing', () => {
  const other = gatewayYaml('gw', ['*']).replace('istio: ingressgateway', 'istio: egressgateway');
  const gateway = compiled(other);
  assert.deepEqual(gateway.listeners, []);
  assert.deepEqual(gateway.routes, []);
});

test('a destination without a port takes the service’s only one', () => {
  const yaml = gatewayYaml('gw', ['*']) + ruleYaml('a', ['*'], ['istio-system/gw'], to('service-a'));
  const decision = decide(compiled(yaml), 'http.8080', { host: 'h' });
  assert.ok(decision.kind === 'forward');
  assert.equal(decision.cluster, cluster('service-a'));
});

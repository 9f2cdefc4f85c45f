// What makes a DestinationRule acceptable, beyond its schema [istio pkg/config/validation ValidateDestinationRule].
import type { Place } from './report.ts';
import {
  checkDuration,
  checkExportTo,
  checkHost,
  checkLabels,
  checkNonNegative,
  checkPercent,
  checkPort,
  checkSubsetName,
} from './values.ts';

export function checkDestinationRule(spec: Place): void {
  if (spec.field('host').text === '') spec.field('host').error('host is required');
  else checkHost(spec.field('host'));
  checkTrafficPolicy(spec.field('trafficPolicy'));
  const names = new Set<string>();
  for (const subset of spec.field('subsets').items()) {
    if (!subset.isSet) {
      subset.error('subset may not be null');
      continue;
    }
    const name = subset.field('name');
    if (names.has(name.text)) name.error(`duplicate subset names: ${name.text}`);
    names.add(name.text);
    checkSubsetName(name);
    checkLabels(subset.field('labels'));
    checkTrafficPolicy(subset.field('trafficPolicy'));
  }
  checkExportTo(spec.field('exportTo'));
}

function checkTrafficPolicy(policy: Place): void {
  if (!policy.isSet) return;
  if (Object.keys(policy.fields).length === 0) policy.error('traffic policy must have at least one field');
  checkPolicyFields(policy);
  for (const port of policy.field('portLevelSettings').items()) {
    if (!port.field('port').isSet) port.error('portTrafficPolicy must have valid port');
    else checkPort(port.field('port').field('number'));
    if (Object.keys(port.fields).every((name) => name === 'port')) {
      port.error('port traffic policy must have at least one field');
    }
    checkPolicyFields(port);
  }
}

function checkPolicyFields(policy: Place): void {
  checkConnectionPool(policy.field('connectionPool'));
  checkOutlierDetection(policy.field('outlierDetection'));
  checkLoadBalancer(policy.field('loadBalancer'));
  checkClientTls(policy.field('tls'));
}

function checkConnectionPool(pool: Place): void {
  if (!pool.isSet) return;
  const http = pool.field('http');
  const tcp = pool.field('tcp');
  if (!http.isSet && !tcp.isSet) pool.error('connection pool must have at least one field');
  for (const name of [
    'http1MaxPendingRequests',
    'http2MaxRequests',
    'maxRequestsPerConnection',
    'maxRetries',
    'maxConcurrentStreams',
  ]) {
    checkNonNegative(http.field(name));
  }
  checkDuration(http.field('idleTimeout'), { zero: true });
  checkNonNegative(tcp.field('maxConnections'));
  checkDuration(tcp.field('connectTimeout'));
  checkDuration(tcp.field('maxConnectionDuration'));
  checkDuration(tcp.field('idleTimeout'), { zero: true });
}

function checkOutlierDetection(outlier: Place): void {
  if (!outlier.isSet) return;
  checkDuration(outlier.field('interval'));
  checkDuration(outlier.field('baseEjectionTime'));
  checkPercent(outlier.field('maxEjectionPercent'));
  checkPercent(outlier.field('minHealthPercent'));
  for (const name of ['consecutive5xxErrors', 'consecutiveGatewayErrors', 'consecutiveLocalOriginFailures']) {
    checkNonNegative(outlier.field(name));
  }
  if (outlier.field('consecutiveErrors').isSet) {
    outlier.field('consecutiveErrors').warn('deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead');
  }
}

function checkLoadBalancer(balancer: Place): void {
  const hash = balancer.field('consistentHash');
  if (!hash.isSet) return;
  if (balancer.field('simple').isSet) balancer.error('only one of simple and consistentHash may be set');
  const keys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'].filter(
    (name) => hash.field(name).isSet,
  );
  if (keys.length !== 1) {
    hash.error('exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName is required');
  }
  const cookie = hash.field('httpCookie');
  if (cookie.isSet && cookie.field('name').text === '') cookie.error('name required for HttpCookie');
  checkDuration(cookie.field('ttl'), { zero: true });
}

function checkClientTls(tls: Place): void {
  if (!tls.isSet) return;
  const mode = tls.field('mode').text;
  const credential = tls.field('credentialName').text !== '';
  if (mode === 'ISTIO_MUTUAL') {
    for (const name of ['clientCertificate', 'privateKey', 'caCertificates', 'credentialName']) {
      if (tls.field(name).text !== '') {
        tls.field(name).error('cannot be set in mode ISTIO_MUTUAL, where the mesh has its own certificates');
      }
    }
  } else if (mode === 'MUTUAL' && !credential) {
    for (const [name, what] of [
      ['clientCertificate', 'client certificate'],
      ['privateKey', 'private key'],
    ] as const) {
      if (tls.field(name).text === '') tls.field(name).error(`${what} required for mutual tls`);
    }
  }
}

// What makes a Gateway acceptable, beyond its schema [istio pkg/config/validation ValidateGateway].
import type { Place } from './report.ts';
import { checkHost, checkPort, isDnsLabel, isIpAddress } from './values.ts';

const PROTOCOLS = new Set([
  'HTTP',
  'HTTPS',
  'HTTP2',
  'HTTP_PROXY',
  'GRPC',
  'GRPC-WEB',
  'GRPC-WEB-TEXT',
  'MONGO',
  'REDIS',
  'MYSQL',
  'TCP',
  'TLS',
  'UDP',
]);
const TLS_PROTOCOLS = new Set(['HTTPS', 'TLS']);
const HTTP_PROTOCOLS = new Set(['HTTP', 'HTTP2', 'HTTP_PROXY', 'GRPC', 'GRPC-WEB', 'GRPC-WEB-TEXT']);

export function checkGateway(name: Place, spec: Place): void {
  if (!isDnsLabel(name.text)) name.error(`invalid gateway name: "${name.text}"`);
  const servers = spec.field('servers');
  if (servers.items().length === 0) servers.error('gateway must have at least one server');
  const portNames = new Set<string>();
  for (const server of servers.items()) {
    if (!server.isSet) {
      server.error('server may not be nil');
      continue;
    }
    checkServer(server);
    const portName = server.field('port').field('name');
    if (portName.text !== '' && portNames.has(portName.text)) {
      portName.error(`port names in servers must be unique: duplicate name ${portName.text}`);
    }
    portNames.add(portName.text);
  }
}

function checkServer(server: Place): void {
  const hosts = server.field('hosts');
  if (hosts.items().length === 0) hosts.error('server config must contain at least one host');
  for (const host of hosts.items()) checkServerHost(host);

  const bind = server.field('bind');
  if (bind.text !== '' && !isIpAddress(bind.text)) bind.error(`"${bind.text}" is not a valid IP address`);

  const port = server.field('port');
  if (!port.isSet) {
    port.error('port is required');
    return;
  }
  checkPort(port.field('number'));
  if (port.field('name').text === '') port.field('name').error('port name must be set');
  const protocol = port.field('protocol').text.toUpperCase();
  if (!PROTOCOLS.has(protocol)) {
    port
      .field('protocol')
      .error(
        `invalid protocol "${port.field('protocol').text}", ` +
          'supported protocols are HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP, TLS',
      );
    return;
  }
  checkTls(server, protocol);
}

/** `host`, or `namespace/host`, where the namespace may be `*` or `.`. */
function checkServerHost(host: Place): void {
  const slash = host.text.indexOf('/');
  if (slash < 0) {
    checkHost(host);
    return;
  }
  const namespace = host.text.slice(0, slash);
  const name = host.text.slice(slash + 1);
  if (namespace === '' || name === '') {
    host.error('config namespace and dnsName in host entry cannot be empty');
  } else if (namespace !== '*' && namespace !== '.' && !isDnsLabel(namespace)) {
    host.error(`invalid namespace value "${namespace}" in host "${host.text}"`);
  } else if (name.includes('/')) {
    host.error(`host "${host.text}" has more than one "/"`);
  }
}

function checkTls(server: Place, protocol: string): void {
  const tls = server.field('tls');
  if (TLS_PROTOCOLS.has(protocol)) {
    if (!tls.isSet) tls.error('server must have TLS settings for HTTPS/TLS protocols');
    else checkTlsOptions(tls);
    return;
  }
  if (!tls.isSet) return;
  if (!HTTP_PROTOCOLS.has(protocol)) {
    tls.error('server cannot have TLS settings for non HTTPS/TLS ports');
  } else if (Object.keys(tls.fields).some((name) => name !== 'httpsRedirect')) {
    tls.error('server cannot have TLS settings for plain text HTTP ports; only httpsRedirect has a meaning there');
  }
}

function checkTlsOptions(tls: Place): void {
  const mode = tls.field('mode').text;
  const has = (name: string): boolean => tls.field(name).text !== '';
  if (mode === 'ISTIO_MUTUAL') {
    for (const name of ['serverCertificate', 'privateKey', 'caCertificates', 'credentialName']) {
      if (has(name)) tls.field(name).error('ISTIO_MUTUAL TLS has the certificates of the mesh; this cannot be set');
    }
    return;
  }
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') {
    const given = ['serverCertificate', 'privateKey', 'caCertificates', 'credentialName'].filter(has);
    if (given.length > 0) tls.warn(`${mode} mode does not use certificates, they will be ignored`);
    return;
  }
  // With a credentialName the certificates come from that Secret.
  if (has('credentialName')) return;
  const word = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL' ? 'MUTUAL' : 'SIMPLE';
  if (!has('serverCertificate'))
    tls.error(`${word} TLS requires a server certificate (credentialName names its Secret)`);
  if (!has('privateKey')) tls.error(`${word} TLS requires a private key`);
  if (word === 'MUTUAL' && !has('caCertificates')) tls.error('MUTUAL TLS requires a client CA bundle');
}

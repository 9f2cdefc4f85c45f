// Which protocol a service port speaks [Istio "Protocol Selection"; pkg/config/kube/conversion.go ConvertProtocol].

export type Protocol = 'http' | 'http2' | 'grpc' | 'https' | 'tls' | 'tcp' | 'udp' | 'auto';

const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'grpc',
  'grpc-web': 'http',
  http_proxy: 'http',
  https: 'https',
  tls: 'tls',
  tcp: 'tcp',
  udp: 'udp',
  mongo: 'tcp',
  redis: 'tcp',
  mysql: 'tcp',
};

const BY_APP_PROTOCOL: Readonly<Record<string, Protocol>> = {
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'https',
};

/** SMTP, DNS, MySQL, MongoDB: their servers speak first or are no HTTP for sure, so sniffing would only hurt. */
const WELL_KNOWN_TCP: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

export function protocolOf(port: { name?: string; port: number; protocol?: string; appProtocol?: string }): Protocol {
  if (port.protocol === 'UDP') return 'udp';
  const stated = port.appProtocol === undefined ? undefined : BY_APP_PROTOCOL[port.appProtocol];
  if (stated !== undefined) return stated;
  // Where it is given, appProtocol stands in for the name, and is read like one.
  const name = (port.appProtocol ?? port.name ?? '').toLowerCase();
  const named = BY_NAME[name.startsWith('grpc-web') ? 'grpc-web' : name.split('-', 1)[0]!];
  if (named !== undefined) return named;
  return WELL_KNOWN_TCP.has(port.port) ? 'tcp' : 'auto';
}

/** Declared to be HTTP in the clear. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc';
}

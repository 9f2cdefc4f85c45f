// networking.istio.io DestinationRule: every field of Istio 1.29.
import { istioRow } from '../istio-row.ts';
import { pathColumn } from '../row.ts';
import {
  atMostOne,
  bool,
  duration,
  type Fields,
  int,
  list,
  map,
  num,
  obj,
  oneOfWords,
  type Schema,
  str,
  uint32,
} from '../schema.ts';
import { exportTo, keepalive, port, workloadSelector } from '../schemas/istio.ts';

const consistentHash = obj(
  {
    httpHeaderName: str('Hash this header.'),
    httpCookie: obj(
      { name: str(), path: str(), ttl: duration(), attributes: list(obj({ name: str(), value: str() }, ['name'])) },
      ['name'],
      'Hash this cookie.',
    ),
    useSourceIp: bool("Hash the caller's address."),
    httpQueryParameterName: str('Hash this query parameter.'),
    ringHash: obj({ minimumRingSize: uint32() }),
    maglev: obj({ tableSize: uint32() }),
    minimumRingSize: uint32('Use ringHash instead.'),
  },
  [],
  'The same caller reaches the same endpoint.',
  {
    allOf: [
      atMostOne('httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'),
      atMostOne('ringHash', 'maglev'),
    ],
  },
);

const loadBalancer = obj(
  {
    simple: oneOfWords(
      ['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'],
      'How an endpoint is picked.',
    ),
    consistentHash,
    localityLbSetting: obj({
      enabled: bool(undefined, { nullable: true }),
      distribute: list(obj({ from: str(), to: map(uint32()) })),
      failover: list(obj({ from: str(), to: str() })),
      failoverPriority: list(str()),
    }),
    warmup: obj({ duration: duration(), minimumPercent: num(), aggression: num() }, ['duration']),
    warmupDurationSecs: duration('Use warmup instead.'),
  },
  [],
  'How endpoints are picked.',
  atMostOne('simple', 'consistentHash'),
);

export const connectionPool = obj(
  {
    tcp: obj({
      maxConnections: int('Most connections to a host.'),
      connectTimeout: duration('Time to connect.'),
      tcpKeepalive: keepalive,
      maxConnectionDuration: duration(),
      idleTimeout: duration(),
    }),
    http: obj({
      http1MaxPendingRequests: int('Most requests that wait for a connection.'),
      http2MaxRequests: int('Most requests at once.'),
      maxRequestsPerConnection: int('Requests after which a connection is closed.'),
      maxRetries: int('Most retries at once.'),
      idleTimeout: duration(),
      h2UpgradePolicy: oneOfWords(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']),
      useClientProtocol: bool(),
      maxConcurrentStreams: int(),
      http2KeepAlive: obj({ interval: duration(), timeout: duration() }),
    }),
  },
  [],
  'Limits of connections and requests; what is over them is refused.',
);

const outlierDetection = obj(
  {
    consecutive5xxErrors: uint32('Errors in a row after which a host is put out.', { nullable: true }),
    consecutiveGatewayErrors: uint32('The same for 502, 503 and 504.', { nullable: true }),
    consecutiveLocalOriginFailures: uint32('The same for failures to connect.', { nullable: true }),
    consecutiveErrors: int('Use consecutive5xxErrors instead.'),
    splitExternalLocalOriginErrors: bool(),
    interval: duration('Time between looks.'),
    baseEjectionTime: duration('Shortest time out.'),
    maxEjectionPercent: int('Most hosts out at once.'),
    minHealthPercent: int('Below this share of healthy hosts it is switched off.'),
  },
  [],
  'Puts hosts that fail out of the pool for a while.',
);

const tls = obj(
  {
    mode: oneOfWords(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'], 'Whether and how connections are secured.'),
    clientCertificate: str(),
    privateKey: str(),
    caCertificates: str(),
    caCrl: str(),
    credentialName: str(),
    subjectAltNames: list(str()),
    sni: str(),
    insecureSkipVerify: bool(undefined, { nullable: true }),
  },
  [],
  'TLS to the destination.',
);

const perPort: Fields = { connectionPool, loadBalancer, outlierDetection, tls };

const trafficPolicy = obj(
  {
    ...perPort,
    portLevelSettings: list(obj({ port, ...perPort }), 'The same for single ports.', { maxItems: 4096 }),
    tunnel: obj({ protocol: str(), targetHost: str(), targetPort: uint32() }, ['targetHost', 'targetPort']),
    proxyProtocol: obj({ version: oneOfWords(['V1', 'V2']) }),
    retryBudget: obj({
      percent: num(undefined, { nullable: true, minimum: 0, maximum: 100 }),
      minRetryConcurrency: uint32(),
    }),
  },
  [],
  'How the destination is treated.',
);

const spec: Schema = obj(
  {
    host: str('Name of a service, short or fully qualified.'),
    trafficPolicy,
    subsets: list(
      obj({ name: str('Name of the subset.'), labels: map(str(), 'Labels of its endpoints.'), trafficPolicy }, [
        'name',
      ]),
      'Named parts of the service, usually its versions.',
    ),
    exportTo,
    workloadSelector,
  },
  ['host'],
  'What happens to requests once they are routed.',
);

export const destinationRuleRow = istioRow(
  { kind: 'DestinationRule', plural: 'destinationrules', shortNames: ['dr'] },
  spec,
  [pathColumn('Host', '.spec.host', 'Name of the service.')],
);

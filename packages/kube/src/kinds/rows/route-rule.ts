// config.istio.io/v1alpha2 RouteRule and EgressRule: how Istio 0.x routed, before VirtualService and ServiceEntry.
import { notCarriedOut } from '../istio-row.ts';
import { type Column, type KindRow, pathColumn } from '../row.ts';
import { anything, bool, duration, int, list, map, num, obj, type Schema, str } from '../schema.ts';
import { storedRow } from '../stored-row.ts';

const legacy = (kind: string, plural: string, notice: string, spec: Schema, columns: readonly Column[]): KindRow => ({
  ...storedRow(
    {
      group: 'config.istio.io',
      kind,
      plural,
      categories: ['istio-io', 'config-istio-io'],
      versions: ['v1alpha2'],
      notice,
    },
    spec,
    columns,
  ),
  decoding: 'lenient',
});

const service = obj({
  name: str('Name of the service.'),
  namespace: str("Namespace of the service; the rule's own unless given."),
  domain: str(),
  service: str('Fully qualified name, instead of the others.'),
  labels: map(str()),
});
const match = obj({
  source: service,
  request: obj({
    headers: map(obj({ exact: str(), prefix: str(), regex: str() }), 'Headers that must match.'),
  }),
  tcp: anything(),
  udp: anything(),
});
const timeout = obj({ timeout: duration(), overrideHeaderName: str() });

export const routeRuleRow = legacy(
  'RouteRule',
  'routerules',
  'config.istio.io/v1alpha2 RouteRule is deprecated: it is carried out as the VirtualService that says the same',
  obj(
    {
      destination: { ...service, description: 'The service whose requests are routed.' },
      precedence: int('Higher goes first; 0 unless given.'),
      match,
      route: list(obj({ labels: map(str()), weight: int(), destination: service }), 'Where requests go, by weight.'),
      redirect: obj({ uri: str(), authority: str() }),
      rewrite: obj({ uri: str(), authority: str() }),
      websocketUpgrade: bool(),
      httpReqTimeout: obj({ simpleTimeout: timeout }),
      httpReqRetries: obj({
        simpleRetry: obj({ attempts: int(), perTryTimeout: duration(), overrideHeaderName: str() }),
      }),
      httpFault: obj({
        delay: obj({ percent: num(), fixedDelay: duration(), exponentialDelay: duration(), overrideHeaderName: str() }),
        abort: obj({ percent: num(), httpStatus: int(), grpcStatus: str(), http2Error: str() }),
      }),
      l4Fault: anything(),
      mirror: service,
      corsPolicy: anything(),
      appendHeaders: map(str()),
    },
    ['destination'],
    'How requests to a service are routed.',
  ),
  [
    pathColumn('Destination', '.spec.destination.name', 'The service whose requests are routed.'),
    pathColumn('Precedence', '.spec.precedence', 'Higher goes first.', 'integer'),
  ],
);

export const egressRuleRow = legacy(
  'EgressRule',
  'egressrules',
  notCarriedOut('EgressRule'),
  obj(
    {
      destination: { ...service, description: 'The host outside that may be called.' },
      ports: list(obj({ port: int(), protocol: str('http, https, tcp, grpc, http2 or mongo.') })),
      useEgressProxy: bool(),
    },
    ['destination'],
    'What outside the mesh may be called.',
  ),
  [pathColumn('Destination', '.spec.destination.service', 'The host outside that may be called.')],
);

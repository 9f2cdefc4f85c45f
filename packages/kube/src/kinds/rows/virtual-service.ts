// networking.istio.io VirtualService: every field of Istio 1.29.
import { istioRow } from '../istio-row.ts';
import { pathColumn } from '../row.ts';
import { atMostOne, bool, duration, int, list, map, obj, oneOfWords, type Schema, str, uint32 } from '../schema.ts';
import { destination, exportTo, headers, percent, stringMatch } from '../schemas/istio.ts';

const httpMatch = obj(
  {
    name: str('Name of the match, for access logs.'),
    uri: { ...stringMatch, description: 'Path of the request.' },
    scheme: stringMatch,
    method: { ...stringMatch, description: 'Method of the request.' },
    authority: { ...stringMatch, description: 'Host header or :authority.' },
    headers: map(stringMatch, 'Headers that must match, by name in lower case.'),
    withoutHeaders: map(stringMatch, 'Headers that must not match.'),
    queryParams: map(stringMatch, 'Query parameters that must match.'),
    ignoreUriCase: bool('Compare exact and prefix of uri without case.'),
    port: uint32('Port the request was sent to.'),
    sourceLabels: map(str(), 'Labels of the calling workload.'),
    sourceNamespace: str('Namespace of the calling workload.'),
    gateways: list(str(), "Gateways the match is for; the rule's own unless given."),
    statPrefix: str('Prefix for metrics of the route.'),
  },
  [],
  'All conditions of one match must hold; one match of several is enough.',
);

const fault = obj(
  {
    delay: obj(
      {
        fixedDelay: duration('How long to wait.'),
        exponentialDelay: duration(),
        percentage: percent,
        percent: int('Use percentage instead.'),
      },
      [],
      'Makes requests wait.',
      atMostOne('fixedDelay', 'exponentialDelay'),
    ),
    abort: obj(
      {
        httpStatus: int('Status to answer with.'),
        grpcStatus: str('gRPC status to answer with.'),
        http2Error: str(),
        percentage: percent,
      },
      [],
      'Answers requests with an error.',
      atMostOne('httpStatus', 'grpcStatus', 'http2Error'),
    ),
  },
  [],
  'Faults put in on purpose.',
);

const corsPolicy = obj(
  {
    allowOrigins: list(stringMatch, 'Origins that may ask.'),
    allowOrigin: list(str(), 'Use allowOrigins instead.'),
    allowMethods: list(str()),
    allowHeaders: list(str()),
    exposeHeaders: list(str()),
    maxAge: duration(),
    allowCredentials: bool(undefined, { nullable: true }),
    unmatchedPreflights: oneOfWords(['UNSPECIFIED', 'FORWARD', 'IGNORE']),
  },
  [],
  'Cross-origin resource sharing.',
);

const retries = obj(
  {
    attempts: int('How often to try again; 0 switches retries off.'),
    perTryTimeout: duration('Time for each try.'),
    retryOn: str('Conditions to try again on, with commas between.'),
    retryRemoteLocalities: bool(undefined, { nullable: true }),
    retryIgnorePreviousHosts: bool(undefined, { nullable: true }),
    backoff: duration('Shortest wait before trying again.'),
  },
  [],
  'When to try again.',
);

const httpRoute = obj({
  name: str('Name of the route, for access logs.'),
  match: list(httpMatch, 'When the route applies; always unless given.'),
  route: list(
    obj({ destination, weight: int('Share of the requests, in parts of the sum.'), headers }, ['destination']),
    'Where requests go, by weight.',
  ),
  redirect: obj(
    {
      uri: str(),
      authority: str(),
      scheme: str(),
      port: uint32(),
      derivePort: oneOfWords(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']),
      redirectCode: uint32(),
    },
    [],
    'Answers with a redirect.',
    atMostOne('port', 'derivePort'),
  ),
  directResponse: obj(
    {
      status: uint32('Status to answer with.'),
      body: obj(
        { string: str(), bytes: str(undefined, { format: 'byte' }) },
        [],
        undefined,
        atMostOne('string', 'bytes'),
      ),
    },
    ['status'],
    'Answers without asking a service.',
  ),
  delegate: obj({ name: str(), namespace: str() }, [], 'Another VirtualService whose routes apply here.'),
  rewrite: obj(
    {
      uri: str('New path, or new beginning of it.'),
      authority: str(),
      uriRegexRewrite: obj({ match: str(), rewrite: str() }),
    },
    [],
    'Changes the request before it goes on.',
  ),
  timeout: duration('Time for the whole request.'),
  retries,
  fault,
  mirror: { ...destination, description: 'Where a copy of the requests goes; its answers are dropped.' },
  mirrorPercentage: { ...percent, description: 'Share of the requests to copy; all unless given.' },
  mirrorPercent: uint32('Use mirrorPercentage instead.', { nullable: true }),
  mirror_percent: uint32('Use mirrorPercentage instead.', { nullable: true }),
  mirrors: list(obj({ destination, percentage: percent }, ['destination'])),
  corsPolicy,
  headers,
});

const weighted = list(obj({ destination, weight: int() }, ['destination']));
const l4Match = {
  destinationSubnets: list(str()),
  port: uint32(),
  sourceLabels: map(str()),
  sourceNamespace: str(),
  gateways: list(str()),
};

const spec: Schema = obj(
  {
    hosts: list(str(), 'Hosts the rules are for.'),
    gateways: list(str(), 'Gateways that apply the rules; "mesh" is all sidecars, and the default.'),
    http: list(httpRoute, 'Rules for HTTP; the first that matches wins.'),
    tls: list(
      obj({ match: list(obj({ ...l4Match, sniHosts: list(str()) }, ['sniHosts'])), route: weighted }, ['match']),
      'Rules for TLS passed through.',
    ),
    tcp: list(obj({ match: list(obj({ ...l4Match, sourceSubnet: str() })), route: weighted }), 'Rules for TCP.'),
    exportTo,
  },
  [],
  'How requests for some hosts are routed.',
);

export const virtualServiceRow = istioRow(
  { kind: 'VirtualService', plural: 'virtualservices', shortNames: ['vs'] },
  spec,
  [
    pathColumn('Gateways', '.spec.gateways', 'Gateways that apply the rules.'),
    pathColumn('Hosts', '.spec.hosts', 'Hosts the rules are for.'),
  ],
);

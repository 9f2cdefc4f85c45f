// Objects with one thing wrong each, and what is said about it; and objects with nothing wrong.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { KubeObject } from '@varka/kube/object.ts';
import { parse, parseAllDocuments } from 'yaml';
import { validate } from '../../src/validate/validate.ts';

const object = (kind: string, spec: string): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name: 'x', namespace: 'apps' },
  spec: parse(spec),
});

/** A VirtualService whose only `http` entry is given. */
const http = (entry: string): string => `{hosts: [web], http: [${entry}]}`;
const toWeb = 'route: [{destination: {host: web}}]';
const server = (fields: string): string => `{servers: [{hosts: ["*"], ${fields}}]}`;

const rows: readonly [kind: string, spec: string, error: string][] = [
  [
    'VirtualService',
    `{gateways: [gw], http: [{${toWeb}}]}`,
    'spec.gateways: delegate virtual service must have no gateways specified',
  ],
  [
    'VirtualService',
    '{http: [{delegate: {name: other}}]}',
    'spec.http[0].delegate: delegate HTTP route cannot contain delegate',
  ],
  ['VirtualService', '{hosts: [web]}', 'spec: http, tcp or tls must be provided in virtual service'],
  [
    'VirtualService',
    `{hosts: ["web_1"], http: [{${toWeb}}]}`,
    'spec.hosts[0]: domain name "web_1" invalid (label "web_1" invalid)',
  ],
  [
    'VirtualService',
    `{hosts: ["a.*.b"], http: [{${toWeb}}]}`,
    'spec.hosts[0]: domain name "a.*.b" invalid (label "*" invalid)',
  ],
  ['VirtualService', `{hosts: [""], http: [{${toWeb}}]}`, 'spec.hosts[0]: empty domain name not allowed'],
  [
    'VirtualService',
    `{hosts: ["*"], http: [{${toWeb}}]}`,
    'spec.hosts[0]: wildcard host * is not allowed for virtual services bound to the mesh gateway',
  ],
  [
    'VirtualService',
    `{hosts: ["*"], gateways: [gw, mesh], http: [{${toWeb}}]}`,
    'spec.hosts[0]: wildcard host * is not allowed for virtual services bound to the mesh gateway',
  ],
  [
    'VirtualService',
    `{hosts: ["*.foo.com", "a.foo.com"], http: [{${toWeb}}]}`,
    'spec.hosts[1]: duplicate hosts in virtual service: *.foo.com & a.foo.com',
  ],
  [
    'VirtualService',
    `{hosts: [web], gateways: ["ns/"], http: [{${toWeb}}]}`,
    'spec.gateways[0]: config namespace and gateway name cannot be empty',
  ],
  [
    'VirtualService',
    `{hosts: [web], gateways: ["ns/a/b"], http: [{${toWeb}}]}`,
    'spec.gateways[0]: invalid value for gateway name: "a/b"',
  ],
  [
    'VirtualService',
    `{hosts: [web], exportTo: ["*", a], http: [{${toWeb}}]}`,
    'spec.exportTo: cannot have both public (*) and non-public exportTo values for a resource',
  ],

  ['VirtualService', http('{}'), 'spec.http[0]: HTTP route, redirect or direct_response is required'],
  [
    'VirtualService',
    http(`{${toWeb}, redirect: {uri: /}}`),
    'spec.http[0]: HTTP route cannot contain both route and redirect',
  ],
  [
    'VirtualService',
    http('{redirect: {uri: /}, rewrite: {uri: /}}'),
    'spec.http[0]: HTTP route rule cannot contain both rewrite and redirect',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, directResponse: {status: 200}}`),
    'spec.http[0]: HTTP route cannot contain both route and direct_response',
  ],
  [
    'VirtualService',
    http('{directResponse: {status: 99}}'),
    'spec.http[0].directResponse.status: HTTP status 99 is not in range 200-599',
  ],
  [
    'VirtualService',
    http('{redirect: {redirectCode: 301}}'),
    'spec.http[0].redirect: redirect must specify URI, authority, scheme, or port',
  ],
  [
    'VirtualService',
    http('{redirect: {uri: /, redirectCode: 200}}'),
    'spec.http[0].redirect.redirectCode: 200 is not a valid redirect code, must be 3xx',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, rewrite: {}}`),
    'spec.http[0].rewrite: rewrite must specify at least one of URI, UriRegexRewrite, or authority',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, rewrite: {authority: a}, headers: {request: {set: {Host: b}}}}`),
    'spec.http[0]: authority header cannot be set multiple times: rewrite.authority and headers.request.set[Host]',
  ],

  [
    'VirtualService',
    http('{route: [{destination: {host: web}}, {destination: {host: web}}]}'),
    'spec.http[0].route: total destination weight = 0',
  ],
  [
    'VirtualService',
    http('{route: [{destination: {host: web}, weight: -1}]}'),
    'spec.http[0].route[0].weight: weight -1 < 0',
  ],
  ['VirtualService', http('{route: [{weight: 1}]}'), 'spec.http[0].route[0]: destination is required'],
  [
    'VirtualService',
    http('{route: [{destination: {host: "*"}}]}'),
    'spec.http[0].route[0].destination.host: invalid destination host *',
  ],
  [
    'VirtualService',
    http('{route: [{destination: {host: web, subset: "v 1"}}]}'),
    'spec.http[0].route[0].destination.subset: subset name is invalid: v 1',
  ],
  [
    'VirtualService',
    http('{route: [{destination: {host: web, port: {number: 70000}}}]}'),
    'spec.http[0].route[0].destination.port.number: port number 70000 must be in the range 1..65535',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, headers: {response: {set: {host: x}}}}`),
    'spec.http[0].headers.response.set[host]: invalid header "host": cannot set Host header',
  ],

  [
    'VirtualService',
    http(`{${toWeb}, match: [{uri: {regex: ""}}]}`),
    'spec.http[0].match[0].uri.regex: regex string match should not be empty',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, match: [{uri: {prefix: ""}}]}`),
    'spec.http[0].match[0].uri.prefix: prefix string match should not be empty',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, match: [{uri: {prefix: /a, exact: /b}}]}`),
    'spec.http[0].match[0].uri: only one of exact and prefix may be set',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, match: [{headers: {"a b": {exact: x}}}]}`),
    'spec.http[0].match[0].headers[a b]: header name a b is not a valid header name',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, match: [{sourceLabels: {"a b": c}}]}`),
    'spec.http[0].match[0].sourceLabels[a b]: invalid label key: "a b"',
  ],

  [
    'VirtualService',
    http(`{${toWeb}, timeout: 5x}`),
    'spec.http[0].timeout: "5x" is not a duration; write it as 5s, 1m30s or 250ms',
  ],
  ['VirtualService', http(`{${toWeb}, timeout: 10us}`), 'spec.http[0].timeout: duration must be greater than 1ms'],
  [
    'VirtualService',
    http(`{${toWeb}, retries: {attempts: -1}}`),
    'spec.http[0].retries.attempts: attempts cannot be negative',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, retries: {attempts: 0, retryOn: 5xx}}`),
    'spec.http[0].retries: http retry policy configured when attempts are set to 0 (disabled)',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, retries: {attempts: 1, retryOn: "5xx,sometimes"}}`),
    'spec.http[0].retries.retryOn: "sometimes" is not a valid retryOn policy',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, fault: {abort: {httpStatus: 500, percentage: {value: 101}}}}`),
    'spec.http[0].fault.abort.percentage.value: percentage 101 is neither 0.0, nor in range [0.0001, 100.0]',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, fault: {}}`),
    'spec.http[0].fault: HTTP fault injection must have an abort and/or a delay',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, mirrorPercentage: {value: -1}}`),
    'spec.http[0].mirrorPercentage.value: percentage -1 is neither 0.0, nor in range [0.0001, 100.0]',
  ],
  [
    'VirtualService',
    http(`{${toWeb}, corsPolicy: {allowMethods: [LOOK]}}`),
    'spec.http[0].corsPolicy.allowMethods[0]: "LOOK" is not a supported HTTP method',
  ],
  [
    'VirtualService',
    '{hosts: [web], tls: [{match: [{port: 443}], route: [{destination: {host: web}}]}]}',
    'spec.tls[0].match[0]: TLS match must have at least one SNI host',
  ],
  ['VirtualService', '{hosts: [web], tcp: [{}]}', 'spec.tcp[0]: TCP route is required'],

  ['DestinationRule', '{}', 'spec.host: host is required'],
  ['DestinationRule', '{host: "we b"}', 'spec.host: domain name "we b" invalid (label "we b" invalid)'],
  [
    'DestinationRule',
    '{host: web, subsets: [{name: v1}, {name: v1}]}',
    'spec.subsets[1].name: duplicate subset names: v1',
  ],
  ['DestinationRule', '{host: web, subsets: [{labels: {a: b}}]}', 'spec.subsets[0].name: subset name cannot be empty'],
  ['DestinationRule', '{host: web, subsets: [{name: V_1}]}', 'spec.subsets[0].name: subset name is invalid: V_1'],
  [
    'DestinationRule',
    '{host: web, subsets: [{name: v1, labels: {version: "a b"}}]}',
    'spec.subsets[0].labels[version]: invalid label value: "a b"',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {}}',
    'spec.trafficPolicy: traffic policy must have at least one field',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {connectionPool: {}}}',
    'spec.trafficPolicy.connectionPool: connection pool must have at least one field',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {outlierDetection: {maxEjectionPercent: 120}}}',
    'spec.trafficPolicy.outlierDetection.maxEjectionPercent: percentage 120 is not in range 0..100',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {outlierDetection: {interval: soon}}}',
    'spec.trafficPolicy.outlierDetection.interval: "soon" is not a duration; write it as 5s, 1m30s or 250ms',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {portLevelSettings: [{loadBalancer: {simple: RANDOM}}]}}',
    'spec.trafficPolicy.portLevelSettings[0]: portTrafficPolicy must have valid port',
  ],
  [
    'DestinationRule',
    '{host: web, trafficPolicy: {loadBalancer: {consistentHash: {}}}}',
    'spec.trafficPolicy.loadBalancer.consistentHash: exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName is required',
  ],

  ['Gateway', '{}', 'spec.servers: gateway must have at least one server'],
  [
    'Gateway',
    '{servers: [{port: {number: 80, name: http, protocol: HTTP}}]}',
    'spec.servers[0].hosts: server config must contain at least one host',
  ],
  ['Gateway', server('name: a'), 'spec.servers[0].port: port is required'],
  [
    'Gateway',
    server('port: {number: 0, name: http, protocol: HTTP}'),
    'spec.servers[0].port.number: port number 0 must be in the range 1..65535',
  ],
  ['Gateway', server('port: {number: 80, protocol: HTTP}'), 'spec.servers[0].port.name: port name must be set'],
  [
    'Gateway',
    server('port: {number: 80, name: http, protocol: HTTPX}'),
    'spec.servers[0].port.protocol: invalid protocol "HTTPX", supported protocols are HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP, TLS',
  ],
  [
    'Gateway',
    server('port: {number: 443, name: https, protocol: HTTPS}'),
    'spec.servers[0].tls: server must have TLS settings for HTTPS/TLS protocols',
  ],
  [
    'Gateway',
    server('port: {number: 80, name: http, protocol: HTTP}, tls: {mode: SIMPLE}'),
    'spec.servers[0].tls: server cannot have TLS settings for plain text HTTP ports; only httpsRedirect has a meaning there',
  ],
  [
    'Gateway',
    '{servers: [{hosts: ["A B/x"], port: {number: 80, name: http, protocol: HTTP}}]}',
    'spec.servers[0].hosts[0]: invalid namespace value "A B" in host "A B/x"',
  ],
  [
    'Gateway',
    '{servers: [{hosts: [a.com], port: {number: 80, name: p, protocol: HTTP}}, {hosts: [b.com], port: {number: 81, name: p, protocol: HTTP}}]}',
    'spec.servers[1].port.name: port names in servers must be unique: duplicate name p',
  ],
];

const executable: readonly [entry: string, error: string][] = [
  [
    `{${toWeb}, headers: {request: {set: {x-share: "50%"}}}, match: [{uri: {prefix: /a}}, {uri: {prefix: /b}, port: 81}]}`,
    'request_headers_to_add[0]: "50%" has a lone "%": write "%%" for a percent sign',
  ],
  [`{${toWeb}, headers: {response: {add: {"x y": z}}}}`, 'response_headers_to_add[0]: "x y" is not a header name'],
  [
    `{${toWeb}, rewrite: {uriRegexRewrite: {match: "/(a)", rewrite: '/\\2'}}}`,
    'route.regex_rewrite: substitution refers to group 2, the pattern has 1',
  ],
];

describe('an entry that the proxy could not read, and would refuse together with everybody else’s', () => {
  for (const [entry, error] of executable) {
    it(error, () => {
      const spec = http(`{${toWeb}, match: [{uri: {prefix: /good}}]}, ${entry}`);
      assert.deepEqual(validate(object('VirtualService', spec)).errors, [`spec.http[1]: ${error}`]);
    });
  }
});

describe('an object with one thing wrong', () => {
  for (const [kind, spec, error] of rows) {
    it(`${kind}: ${error}`, () => assert.deepEqual(validate(object(kind, spec)).errors, [error]));
  }

  it('names the pattern, its place and the reason when RE2 refuses it', () => {
    const look = validate(
      object('VirtualService', http(`{${toWeb}, match: [{headers: {user-agent: {regex: "(?=x)"}}}]}`)),
    );
    assert.equal(look.errors.length, 1);
    assert.match(
      look.errors[0]!,
      /^spec\.http\[0\]\.match\[0\]\.headers\[user-agent\]\.regex: "\(\?=x\)" is not a valid pattern: .*RE2 syntax/,
    );
    const long = validate(object('VirtualService', http(`{${toWeb}, match: [{uri: {regex: "${'a'.repeat(1025)}"}}]}`)));
    assert.match(long.errors[0]!, /too large, max length allowed is 1024/);
  });
});

describe('an object with several things wrong', () => {
  it('is told all of them', () => {
    const { errors } = validate(
      object(
        'VirtualService',
        '{hosts: ["a b"], gateways: ["/x"], http: [{timeout: x}, {route: [{destination: {host: "", port: {number: 0}}}]}]}',
      ),
    );
    assert.deepEqual(
      errors.map((error) => error.slice(0, error.indexOf(': '))),
      [
        'spec.gateways[0]',
        'spec.hosts[0]',
        'spec.http[0]',
        'spec.http[0].timeout',
        'spec.http[1].route[0].destination.host',
        'spec.http[1].route[0].destination.port.number',
      ],
    );
  });

  it('never throws, whatever the shape', () => {
    const values = [undefined, null, 0, 'x', [], {}, [null], [[]], { a: null }];
    const fields = [
      'hosts',
      'gateways',
      'http',
      'tls',
      'tcp',
      'servers',
      'subsets',
      'host',
      'trafficPolicy',
      'exportTo',
    ];
    for (const kind of ['VirtualService', 'DestinationRule', 'Gateway', 'Other']) {
      for (const spec of values) validate({ kind, spec });
      for (const field of fields) for (const value of values) validate({ kind, spec: { [field]: value } });
      for (const value of values)
        validate({ kind, spec: { http: [value, { route: value, match: value, headers: value }] } });
    }
  });
});

describe('objects with nothing wrong', () => {
  const good: readonly [string, string][] = [
    ['VirtualService', http(`{${toWeb}, timeout: 0s}`)],
    [
      'VirtualService',
      `{hosts: ["*"], gateways: [gw, other/gw], http: [{match: [{uri: {prefix: /a}}], rewrite: {uri: /}, ${toWeb}}]}`,
    ],
    [
      'VirtualService',
      '{hosts: ["10.0.0.1", web.example.com, "*.example.org"], http: [{redirect: {uri: /x, redirectCode: 302}}]}',
    ],
    [
      'VirtualService',
      http(
        '{route: [{destination: {host: web, subset: v1}, weight: 90}, {destination: {host: web, subset: v2}, weight: 0}]}',
      ),
    ],
    [
      'VirtualService',
      http(
        `{match: [{headers: {x: {exact: ""}, y: {}}, uri: {regex: ".*Fire(fox|bird).*"}}], ${toWeb}, retries: {attempts: 5, perTryTimeout: 2s, retryOn: "5xx,retriable-4xx,503"}}`,
      ),
    ],
    [
      'DestinationRule',
      '{host: "*.local", trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, interval: 2s, baseEjectionTime: 10s, maxEjectionPercent: 100}, connectionPool: {tcp: {maxConnections: 100}, http: {}}}}',
    ],
    ['Gateway', server('port: {number: 80, name: http, protocol: http}')],
    ['Gateway', server('port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: cert}')],
  ];
  for (const [kind, spec] of good) {
    it(`${kind} ${spec}`, () => assert.deepEqual(validate(object(kind, spec)), { errors: [], warnings: [] }));
  }

  it("are all of the chain's", () => {
    let count = 0;
    for (const folder of ['manifests', 'canary']) {
      const directory = new URL(`../../../../demos/chain/${folder}/`, import.meta.url);
      for (const file of readdirSync(directory)) {
        for (const document of parseAllDocuments(readFileSync(new URL(file, directory), 'utf8'))) {
          assert.deepEqual(validate(document.toJS()), { errors: [], warnings: [] }, file);
          count += 1;
        }
      }
    }
    assert.ok(count > 10);
  });
});

describe('warnings', () => {
  it('tell of rules that no request can reach, and of old spellings', () => {
    const { warnings, errors } = validate(
      object(
        'VirtualService',
        `{hosts: [web], gateways: [gw.ns.svc.cluster.local], http: [
          {match: [{uri: {prefix: /a}, name: one}], ${toWeb}},
          {name: again, match: [{uri: {prefix: /a}, name: two}], ${toWeb}},
          {${toWeb}, mirror_percent: 100},
          {match: [{uri: {prefix: /b}}], ${toWeb}}]}`,
      ),
    );
    assert.deepEqual(errors, []);
    assert.deepEqual(warnings, [
      'spec.gateways[0]: using legacy gatewayName format "gw.ns.svc.cluster.local"; prefer "ns/gw"',
      'spec.http[2].mirror_percent: deprecated, use mirrorPercentage instead',
      'spec.http[1].match[0]: virtualService rule "again" match is not used (duplicate of one in rule #0)',
      'spec.http[3]: virtualService rule #3 not used (rule #2 before it has no matches and takes every request)',
    ]);
  });
});

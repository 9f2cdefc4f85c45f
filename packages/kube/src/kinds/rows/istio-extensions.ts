// Istio's kinds that reach into the proxies: EnvoyFilter, ProxyConfig, Telemetry and WasmPlugin.
import { istioRow, notCarriedOut } from '../istio-row.ts';
import {
  anything,
  bool,
  duration,
  int,
  int64,
  list,
  map,
  num,
  obj,
  oneOfWords,
  type Schema,
  str,
  uint32,
} from '../schema.ts';
import { targetRef, workloadSelector } from '../schemas/istio.ts';

const APPLY_TO = [
  'INVALID',
  'LISTENER',
  'FILTER_CHAIN',
  'NETWORK_FILTER',
  'HTTP_FILTER',
  'ROUTE_CONFIGURATION',
  'VIRTUAL_HOST',
  'HTTP_ROUTE',
  'CLUSTER',
  'EXTENSION_CONFIG',
  'BOOTSTRAP',
  'LISTENER_FILTER',
] as const;
const OPERATIONS = [
  'INVALID',
  'MERGE',
  'ADD',
  'REMOVE',
  'INSERT_BEFORE',
  'INSERT_AFTER',
  'INSERT_FIRST',
  'REPLACE',
] as const;

const named = (more: Readonly<Record<string, Schema>> = {}) => obj({ name: str(), ...more });

const match = obj(
  {
    context: oneOfWords(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT']),
    proxy: obj({ proxyVersion: str(), metadata: map(str()) }),
    listener: obj({
      portNumber: uint32(),
      portName: str(),
      name: str(),
      listenerFilter: str(),
      filterChain: named({
        sni: str(),
        transportProtocol: str(),
        applicationProtocols: str(),
        destinationPort: uint32(),
        filter: named({ subFilter: named() }),
      }),
    }),
    routeConfiguration: obj({
      portNumber: uint32(),
      portName: str(),
      gateway: str(),
      name: str(),
      vhost: obj({
        name: str(),
        domainName: str(),
        route: named({ action: oneOfWords(['ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE']) }),
      }),
    }),
    cluster: obj({ portNumber: uint32(), service: str(), subset: str(), name: str() }),
    waypoint: obj({ portNumber: uint32(), filter: named({ subFilter: named() }), route: named() }),
  },
  [],
  'Where the patch applies.',
);

export const envoyFilterRow = istioRow(
  {
    kind: 'EnvoyFilter',
    plural: 'envoyfilters',
    shortNames: [],
    versions: ['v1alpha3'],
    notice: notCarriedOut('EnvoyFilter'),
  },
  obj(
    {
      workloadSelector: obj({ labels: map(str()) }, [], 'Which workloads of the namespace; all unless given.'),
      targetRefs: list(targetRef),
      priority: int('Lower goes first.'),
      configPatches: list(
        obj({
          applyTo: oneOfWords(APPLY_TO, 'What is changed.'),
          match,
          patch: obj({
            operation: oneOfWords(OPERATIONS, 'How it is changed.'),
            value: anything("Envoy's own configuration."),
            filterClass: oneOfWords(['UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS']),
          }),
        }),
        'Changes of what is sent to Envoy.',
      ),
    },
    [],
    'Changes of what is sent to Envoy.',
  ),
  [],
);

export const proxyConfigRow = istioRow(
  {
    kind: 'ProxyConfig',
    plural: 'proxyconfigs',
    shortNames: [],
    versions: ['v1beta1'],
    notice: notCarriedOut('ProxyConfig'),
  },
  obj({
    selector: workloadSelector,
    concurrency: int('Worker threads.', { nullable: true }),
    environmentVariables: map(str()),
    image: obj({ imageType: str() }),
  }),
  [],
);

const providers = list(obj({ name: str('An extension provider of the mesh configuration.') }, ['name']));
const mode = oneOfWords(['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'], 'Which side reports.');

export const telemetryRow = istioRow(
  {
    group: 'telemetry.istio.io',
    kind: 'Telemetry',
    plural: 'telemetries',
    shortNames: ['telemetry'],
    versions: ['v1', 'v1alpha1'],
    notice: notCarriedOut('Telemetry'),
  },
  obj({
    selector: workloadSelector,
    targetRef,
    targetRefs: list(targetRef),
    tracing: list(
      obj({
        match: obj({ mode }),
        providers,
        randomSamplingPercentage: num('Share of traced requests, in percent.', { nullable: true }),
        disableSpanReporting: bool(undefined, { nullable: true }),
        enableIstioTags: bool(undefined, { nullable: true }),
        useRequestIdForTraceSampling: bool(undefined, { nullable: true }),
        customTags: map(
          obj({
            literal: obj({ value: str() }, ['value']),
            environment: obj({ name: str(), defaultValue: str() }, ['name']),
            header: obj({ name: str(), defaultValue: str() }, ['name']),
            formatter: obj({ value: str() }, ['value']),
          }),
        ),
      }),
    ),
    metrics: list(
      obj({
        providers,
        reportingInterval: duration(),
        overrides: list(
          obj({
            match: obj({ mode, metric: str(), customMetric: str() }),
            disabled: bool(undefined, { nullable: true }),
            tagOverrides: map(obj({ operation: oneOfWords(['UPSERT', 'REMOVE']), value: str() })),
          }),
        ),
      }),
    ),
    accessLogging: list(
      obj({
        match: obj({ mode }),
        providers,
        disabled: bool(undefined, { nullable: true }),
        filter: obj({ expression: str('CEL: which requests are logged.') }),
      }),
    ),
  }),
  [],
);

export const wasmPluginRow = istioRow(
  {
    group: 'extensions.istio.io',
    kind: 'WasmPlugin',
    plural: 'wasmplugins',
    shortNames: [],
    versions: ['v1alpha1'],
    notice: notCarriedOut('WasmPlugin'),
  },
  obj(
    {
      selector: workloadSelector,
      targetRef,
      targetRefs: list(targetRef),
      url: str('Where the module is: file, http(s) or oci.'),
      sha256: str(),
      imagePullPolicy: oneOfWords(['UNSPECIFIED_POLICY', 'IfNotPresent', 'Always']),
      imagePullSecret: str(),
      verificationKey: str(),
      pluginConfig: anything('What the plugin is given.'),
      pluginName: str(),
      phase: oneOfWords(['UNSPECIFIED_PHASE', 'AUTHN', 'AUTHZ', 'STATS']),
      priority: int('Higher goes first.', { nullable: true }),
      failStrategy: oneOfWords(['FAIL_CLOSE', 'FAIL_OPEN', 'FAIL_RELOAD']),
      vmConfig: obj({
        env: list(obj({ name: str(), value: str(), valueFrom: oneOfWords(['INLINE', 'HOST']) }, ['name'])),
      }),
      match: list(obj({ mode, ports: list(obj({ number: int64() }, ['number'])) })),
      type: oneOfWords(['UNSPECIFIED_PLUGIN_TYPE', 'HTTP', 'NETWORK']),
    },
    ['url'],
  ),
  [],
);

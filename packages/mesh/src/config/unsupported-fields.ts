// Which fields of an object are accepted and kept but not carried out yet. They are told to whoever wrote them (as a
// warning and in the object's conditions), because a rule that silently does nothing is worse than none.
import type { KubeObject } from '@varka/kube/object.ts';

/** `true`: all of it is carried out. Lists are looked through. */
type Carried = true | { readonly [field: string]: Carried };

const stringMatch: Carried = { exact: true, prefix: true, regex: true };

const httpRoute: Carried = {
  name: true,
  match: {
    name: true,
    uri: stringMatch,
    scheme: stringMatch,
    method: stringMatch,
    authority: stringMatch,
    headers: true,
    withoutHeaders: true,
    queryParams: true,
    port: true,
    sourceLabels: true,
    sourceNamespace: true,
    gateways: true,
    ignoreUriCase: true,
  },
  route: { destination: true, weight: true, headers: true },
  redirect: true,
  directResponse: true,
  rewrite: true,
  timeout: true,
  retries: { attempts: true, perTryTimeout: true, retryOn: true, backoff: true },
  headers: true,
  fault: true,
  mirror: true,
  mirrorPercentage: true,
  mirrorPercent: true,
  mirror_percent: true,
  mirrors: true,
  corsPolicy: true,
};

const trafficPolicy: Carried = {
  loadBalancer: { simple: true },
  connectionPool: {
    tcp: { connectTimeout: true, maxConnections: true },
    http: {
      http1MaxPendingRequests: true,
      http2MaxRequests: true,
      maxRetries: true,
      maxRequestsPerConnection: true,
      idleTimeout: true,
    },
  },
  outlierDetection: {
    consecutive5xxErrors: true,
    consecutiveErrors: true,
    consecutiveGatewayErrors: true,
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailures: true,
    interval: true,
    baseEjectionTime: true,
    maxEjectionPercent: true,
    minHealthPercent: true,
  },
  tls: { mode: true },
};

const CARRIED_OUT: Readonly<Record<string, Carried>> = {
  VirtualService: { hosts: true, gateways: true, http: httpRoute, exportTo: true },
  DestinationRule: {
    host: true,
    exportTo: true,
    trafficPolicy: { ...trafficPolicy, portLevelSettings: { port: true, ...trafficPolicy } },
    subsets: { name: true, labels: true, trafficPolicy },
  },
  RouteRule: {
    destination: true,
    precedence: true,
    match: { source: { labels: true }, request: true },
    route: true,
    redirect: true,
    rewrite: true,
    websocketUpgrade: true,
    httpReqTimeout: { simpleTimeout: { timeout: true } },
    httpReqRetries: { simpleRetry: { attempts: true, perTryTimeout: true } },
    httpFault: {
      delay: { percent: true, fixedDelay: true },
      abort: { percent: true, httpStatus: true, grpcStatus: true },
    },
    mirror: true,
    corsPolicy: true,
    appendHeaders: true,
  },
  Gateway: { selector: true, servers: { port: true, hosts: true, name: true } },
};

/** Protocols of Gateway servers that end in an HTTP listener without TLS. */
const HTTP_SERVER = new Set(['HTTP', 'HTTP2', 'GRPC']);
const BALANCERS = new Set(['ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'RANDOM', 'UNSPECIFIED']);

/** Paths such as `spec.http[0].fault`, in the order in which they stand in the object. Empty when all is carried out. */
export function unsupportedFields(object: KubeObject): string[] {
  const carried = CARRIED_OUT[object.kind ?? ''];
  if (carried === undefined) return [];
  const paths: string[] = [];
  collect(object['spec'], carried, 'spec', paths);
  return paths;
}

function collect(value: unknown, carried: Carried, path: string, paths: string[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) collect(item, carried, `${path}[${index}]`, paths);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  for (const [field, child] of Object.entries(value)) {
    const childPath = `${path}.${field}`;
    if (isUnsupportedValue(path, field, child)) {
      paths.push(childPath);
      continue;
    }
    if (carried === true) continue;
    const carriedChild = carried[field];
    if (carriedChild === undefined) paths.push(childPath);
    else collect(child, carriedChild, childPath, paths);
  }
}

/** Fields that are carried out for some of their values only. */
function isUnsupportedValue(path: string, field: string, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (field === 'protocol' && /^spec\.servers\[\d+\]\.port$/.test(path)) return !HTTP_SERVER.has(value.toUpperCase());
  if (field === 'simple' && path.endsWith('.loadBalancer')) return !BALANCERS.has(value);
  // In the clear is how everything goes as yet.
  if (field === 'mode' && path.endsWith('.trafficPolicy.tls')) return value !== 'DISABLE';
  return false;
}

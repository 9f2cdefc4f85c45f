// Istio's networking objects as the compiler reads them [istio/api networking/v1]. Fields that are not carried out yet
// are in `unsupported-fields.ts`, so that nobody believes them to be at work.
import type { KubeObject } from '@varka/kube/object.ts';

export type StringMatch = { exact?: string; prefix?: string; regex?: string };

export interface HttpMatchRequest {
  name?: string;
  uri?: StringMatch;
  scheme?: StringMatch;
  method?: StringMatch;
  authority?: StringMatch;
  headers?: Record<string, StringMatch>;
  withoutHeaders?: Record<string, StringMatch>;
  queryParams?: Record<string, StringMatch>;
  port?: number;
  sourceLabels?: Record<string, string>;
  sourceNamespace?: string;
  gateways?: string[];
  ignoreUriCase?: boolean;
}

export interface Destination {
  host: string;
  subset?: string;
  port?: { number?: number };
}

export interface HeaderOperations {
  set?: Record<string, string>;
  add?: Record<string, string>;
  remove?: string[];
}

export interface Headers {
  request?: HeaderOperations;
  response?: HeaderOperations;
}

export interface HttpRouteDestination {
  destination: Destination;
  weight?: number;
  headers?: Headers;
}

export interface HttpRewrite {
  uri?: string;
  authority?: string;
  uriRegexRewrite?: { match: string; rewrite: string };
}

export interface HttpRedirect {
  uri?: string;
  authority?: string;
  port?: number;
  derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
  scheme?: string;
  redirectCode?: number;
}

export interface HttpRetry {
  attempts?: number;
  perTryTimeout?: string;
  retryOn?: string;
  retryRemoteLocalities?: boolean;
  backoff?: string;
}

export interface Percent {
  value?: number;
}

export interface HttpFault {
  delay?: { fixedDelay?: string; percentage?: Percent | null; percent?: number };
  abort?: { httpStatus?: number; grpcStatus?: string; percentage?: Percent | null };
}

export interface CorsPolicy {
  allowOrigins?: StringMatch[];
  /** Deprecated: exact texts. */
  allowOrigin?: string[];
  allowMethods?: string[];
  allowHeaders?: string[];
  exposeHeaders?: string[];
  maxAge?: string;
  allowCredentials?: boolean | null;
  unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
}

export interface HttpRoute {
  name?: string;
  match?: HttpMatchRequest[];
  route?: HttpRouteDestination[];
  redirect?: HttpRedirect;
  directResponse?: { status: number; body?: { string?: string; bytes?: string } };
  rewrite?: HttpRewrite;
  timeout?: string;
  retries?: HttpRetry;
  fault?: HttpFault;
  mirror?: Destination;
  mirrorPercentage?: Percent | null;
  /** Both deprecated. */
  mirrorPercent?: number | null;
  mirror_percent?: number | null;
  mirrors?: { destination: Destination; percentage?: Percent | null }[];
  corsPolicy?: CorsPolicy;
  headers?: Headers;
}

export interface VirtualServiceObject extends KubeObject {
  spec?: { hosts?: string[]; gateways?: string[]; http?: HttpRoute[]; exportTo?: string[] };
}

export interface GatewayServer {
  port: { number: number; name?: string; protocol: string };
  hosts: string[];
  name?: string;
}

export interface GatewayObject extends KubeObject {
  spec?: { selector?: Record<string, string>; servers?: GatewayServer[] };
}

export interface ConnectionPool {
  tcp?: { maxConnections?: number; connectTimeout?: string; idleTimeout?: string; maxConnectionDuration?: string };
  http?: {
    http1MaxPendingRequests?: number;
    http2MaxRequests?: number;
    maxRequestsPerConnection?: number;
    maxRetries?: number;
    idleTimeout?: string;
  };
}

export interface OutlierDetection {
  consecutive5xxErrors?: number;
  consecutiveGatewayErrors?: number;
  /** Deprecated: gateway errors. */
  consecutiveErrors?: number;
  splitExternalLocalOriginErrors?: boolean;
  consecutiveLocalOriginFailures?: number;
  interval?: string;
  baseEjectionTime?: string;
  maxEjectionPercent?: number;
  minHealthPercent?: number;
}

export interface TrafficPolicy {
  loadBalancer?: { simple?: string };
  connectionPool?: ConnectionPool;
  outlierDetection?: OutlierDetection;
  portLevelSettings?: (Omit<TrafficPolicy, 'portLevelSettings'> & { port?: { number?: number } })[];
}

export interface Subset {
  name: string;
  labels?: Record<string, string>;
  trafficPolicy?: TrafficPolicy;
}

export interface DestinationRuleObject extends KubeObject {
  spec?: { host?: string; subsets?: Subset[]; trafficPolicy?: TrafficPolicy; exportTo?: string[] };
}

/** maistra.io/v2, the part that says how the mesh as a whole behaves. */
export interface ServiceMeshControlPlaneObject extends KubeObject {
  spec?: {
    tracing?: { type?: string; sampling?: number };
    proxy?: {
      networking?: { trafficControl?: { outbound?: { policy?: string } } };
      accessLogging?: { file?: { name?: string } };
    };
    general?: unknown;
  };
}

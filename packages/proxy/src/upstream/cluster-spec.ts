// What a cluster.v3.Cluster says, checked and reduced to what is carried out (see runtime/compile-cluster.ts).
import type { CircuitBreakerLimits } from './circuit-breakers.ts';
import type { OutlierDetectionSpec } from './outlier-detection.ts';

/** One address with its weight; `address` is a host name in the DNS kinds. */
export interface EndpointSpec {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** False for endpoints that EDS calls unhealthy, timed out or draining. */
  readonly healthy: boolean;
  /** 0 is tried first; the next only when nothing in it is healthy. */
  readonly priority: number;
}

export type Discovery =
  | { readonly kind: 'static'; readonly endpoints: readonly EndpointSpec[] }
  | { readonly kind: 'eds'; readonly serviceName: string; readonly fetchTimeoutMs: number }
  | {
      readonly kind: 'dns';
      readonly endpoints: readonly EndpointSpec[];
      /** LOGICAL_DNS uses one address at a time, STRICT_DNS all. */
      readonly logical: boolean;
      readonly family: DnsFamily;
      readonly refreshMs: number;
      readonly failureRefreshMs: number;
    }
  | { readonly kind: 'original-dst'; readonly portOverride: number | undefined; readonly cleanupMs: number };

export type DnsFamily = 'v4' | 'v6' | 'any';

export type LoadBalancing =
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'least-request'; readonly choices: number }
  | { readonly kind: 'random' };

/** What a connection is made with; hosts are shared between versions of a cluster only while this stays the same. */
export interface ConnectionSpec {
  readonly connectTimeoutMs: number;
  readonly sourceAddress: string | undefined;
  readonly socketMark: number;
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number;
}

export interface ClusterSpec {
  readonly name: string;
  readonly discovery: Discovery;
  readonly loadBalancing: LoadBalancing;
  readonly connection: ConnectionSpec;
  /** Its hosts expect HTTP/2. */
  readonly http2: boolean;
  /** Below this share of healthy endpoints all are used alike, 0 to 100 (Envoy: healthy_panic_threshold). */
  readonly panicThreshold: number;
  readonly limits: CircuitBreakerLimits;
  readonly outlierDetection: OutlierDetectionSpec | undefined;
  /** The proto's bytes: equal bytes are an unchanged cluster. */
  readonly fingerprint: Buffer;
}

// What the data path sees of a cluster. Immutable but for its hosts; the runtime swaps whole clusters.

import type { ClusterStats } from '../observe/stats.ts';
import type { CircuitBreakers } from './circuit-breakers.ts';
import type { Host } from './host.ts';
import type { OutlierDetector } from './outlier-detection.ts';

export interface PickContext {
  /** Where the client was going, for ORIGINAL_DST clusters. */
  readonly originalDst?: { readonly address: string; readonly port: number };
  /** Hosts this request has tried (Envoy: previous_hosts retry predicate). */
  readonly tried?: ReadonlySet<Host>;
}

export interface Cluster {
  readonly name: string;
  readonly connectTimeoutMs: number;
  /** Local address of upstream connections (Envoy: upstream_bind_config.source_address). */
  readonly sourceAddress: string | undefined;
  /** SO_MARK of upstream connections (Envoy: upstream_bind_config.socket_options level 1 name 36), or 0. */
  readonly socketMark: number;
  /** Requests after which a connection is not used again; 0 is no limit. */
  readonly maxRequestsPerConnection: number;
  /** Idle upstream connections close after this; Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  readonly stats: ClusterStats;
  readonly breakers: CircuitBreakers;
  /** Hears how requests to its hosts went; undefined when nobody is to be left out. */
  readonly outliers: OutlierDetector | undefined;
  /** The host for a new attempt, or undefined when none can serve (flag UH). */
  pick(context: PickContext): Host | undefined;
}

/** Clusters by name, as of the last accepted configuration. */
export interface ClusterManager {
  get(name: string): Cluster | undefined;
}

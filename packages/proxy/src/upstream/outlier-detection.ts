// cluster.v3.OutlierDetection: hosts that answer with errors are left out for a while (Envoy: DetectorImpl). Time is given
// with each call, so that a test can give its own.
import { happens } from '@varka/decide/fraction.ts';
import type { ClusterStats } from '../observe/stats.ts';
import type { Host } from './host.ts';

export interface OutlierDetectionSpec {
  /** Errors in a row; 0 never counts up to it. */
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly consecutiveLocalOriginFailure: number;
  /** The shares, in [0, 1], of what was detected that are acted upon. */
  readonly enforcing5xx: number;
  readonly enforcingGatewayFailure: number;
  readonly enforcingLocalOriginFailure: number;
  /** Failures to connect, resets and time-outs are counted apart from what the host answers. */
  readonly splitsLocalOrigin: boolean;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** 0 to 100. */
  readonly maxEjectionPercent: number;
  /** One host may be ejected whatever the percentage says. */
  readonly alwaysEjectsOne: boolean;
}

/** What went wrong before an answer came. */
export type LocalOriginFailure = 'connect-failed' | 'timeout';

interface Monitor {
  consecutive5xx: number;
  consecutiveGateway: number;
  consecutiveLocal: number;
  ejectedAt: number | undefined;
  /** How many base ejection times the next ejection lasts; one less for each interval without one. */
  backoff: number;
}

export interface OutlierDeps {
  readonly hosts: () => Iterable<Host>;
  readonly draw: () => number;
  /** A host has been ejected, or is back. */
  readonly changed: () => void;
  readonly stats: ClusterStats;
}

export class OutlierDetector {
  readonly spec: OutlierDetectionSpec;
  readonly #deps: OutlierDeps;
  readonly #monitors = new Map<Host, Monitor>();

  constructor(spec: OutlierDetectionSpec, deps: OutlierDeps) {
    this.spec = spec;
    this.#deps = deps;
  }

  onResponse(host: Host, status: number, now: number): void {
    const monitor = this.#monitor(host);
    if (this.spec.splitsLocalOrigin) monitor.consecutiveLocal = 0;
    this.#count(host, monitor, status, now);
  }

  /** Of a connection that carries bytes nobody reads: that it is there is all the good there is to know of its host. */
  onConnected(host: Host, now: number): void {
    this.onResponse(host, 200, now);
  }

  onLocalFailure(host: Host, failure: LocalOriginFailure, now: number): void {
    const monitor = this.#monitor(host);
    const { spec } = this;
    if (!spec.splitsLocalOrigin) {
      // Counted as the answer that the client gets for it.
      this.#count(host, monitor, failure === 'timeout' ? 504 : 503, now);
      return;
    }
    if (++monitor.consecutiveLocal !== spec.consecutiveLocalOriginFailure) return;
    monitor.consecutiveLocal = 0;
    this.#detected(host, monitor, spec.enforcingLocalOriginFailure, now);
  }

  /** To be called once an interval: brings back whose time is over. */
  sweep(now: number): void {
    const { spec } = this;
    let back = 0;
    const present = new Set(this.#deps.hosts());
    for (const [host, monitor] of this.#monitors) {
      if (!present.has(host)) {
        if (monitor.ejectedAt !== undefined) this.#deps.stats.outlierEjectionsActive--;
        this.#monitors.delete(host);
      } else if (monitor.ejectedAt === undefined) {
        if (monitor.backoff > 0) monitor.backoff--;
      } else {
        const lasts = Math.min(
          spec.baseEjectionMs * monitor.backoff,
          Math.max(spec.baseEjectionMs, spec.maxEjectionMs),
        );
        if (now - monitor.ejectedAt < lasts) continue;
        this.#bringBack(host, monitor);
        back++;
      }
    }
    if (back > 0) this.#deps.changed();
  }

  /** The cluster has another version, or none: nobody stays out on this one's word. */
  stop(): void {
    for (const [host, monitor] of this.#monitors) if (monitor.ejectedAt !== undefined) this.#bringBack(host, monitor);
    this.#monitors.clear();
  }

  #count(host: Host, monitor: Monitor, status: number, now: number): void {
    const { spec } = this;
    if (status < 500) {
      monitor.consecutive5xx = 0;
      monitor.consecutiveGateway = 0;
      return;
    }
    if (status < 502 || status > 504) monitor.consecutiveGateway = 0;
    else if (++monitor.consecutiveGateway === spec.consecutiveGatewayFailure) {
      monitor.consecutiveGateway = 0;
      this.#detected(host, monitor, spec.enforcingGatewayFailure, now);
    }
    if (++monitor.consecutive5xx === spec.consecutive5xx) {
      monitor.consecutive5xx = 0;
      this.#detected(host, monitor, spec.enforcing5xx, now);
    }
  }

  #detected(host: Host, monitor: Monitor, enforcing: number, now: number): void {
    // An answer to a request that was under way when the host was ejected says nothing new.
    if (monitor.ejectedAt !== undefined || !happens(enforcing, this.#deps.draw)) return;
    const { stats } = this.#deps;
    if (!this.#mayEject()) {
      stats.outlierEjectionsOverflow++;
      return;
    }
    stats.outlierEjectionsActive++;
    stats.outlierEjectionsEnforcedTotal++;
    monitor.ejectedAt = now;
    monitor.backoff++;
    host.ejected = true;
    this.#deps.changed();
  }

  #mayEject(): boolean {
    let hosts = 0;
    let ejected = 0;
    for (const host of this.#deps.hosts()) {
      hosts++;
      if (host.ejected) ejected++;
    }
    if (ejected === 0 && this.spec.alwaysEjectsOne) return true;
    return (100 * (ejected + 1)) / Math.max(hosts, 1) <= this.spec.maxEjectionPercent;
  }

  #bringBack(host: Host, monitor: Monitor): void {
    host.ejected = false;
    monitor.ejectedAt = undefined;
    monitor.consecutive5xx = 0;
    monitor.consecutiveGateway = 0;
    monitor.consecutiveLocal = 0;
    this.#deps.stats.outlierEjectionsActive--;
  }

  #monitor(host: Host): Monitor {
    let monitor = this.#monitors.get(host);
    if (monitor === undefined) {
      monitor = { consecutive5xx: 0, consecutiveGateway: 0, consecutiveLocal: 0, ejectedAt: undefined, backoff: 0 };
      this.#monitors.set(host, monitor);
    }
    return monitor;
  }
}

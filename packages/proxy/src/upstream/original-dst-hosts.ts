// Hosts of an ORIGINAL_DST cluster: one for each address that clients were going to, dropped when it is out of use.

import { formatEndpoint } from '../runtime/addresses.ts';
import type { PickContext } from './cluster.ts';
import type { Discovery } from './cluster-spec.ts';
import { Host } from './host.ts';

interface Deps {
  readonly retire: (host: Host) => void;
  readonly isOwnAddress: (address: string, port: number) => boolean;
}

export class OriginalDstHosts {
  readonly #spec: Extract<Discovery, { kind: 'original-dst' }>;
  readonly #deps: Deps;
  readonly #hosts = new Map<string, { readonly host: Host; used: boolean }>();
  #sweep: NodeJS.Timeout | undefined = undefined;

  constructor(spec: Extract<Discovery, { kind: 'original-dst' }>, deps: Deps) {
    this.#spec = spec;
    this.#deps = deps;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()].map((entry) => entry.host);
  }

  /** Undefined without an original destination, or when that is this proxy itself: the request would go in circles. */
  pick(destination: PickContext['originalDst']): Host | undefined {
    if (destination === undefined) return undefined;
    const port = this.#spec.portOverride ?? destination.port;
    const label = formatEndpoint(destination.address, port);
    const known = this.#hosts.get(label);
    if (known !== undefined) {
      known.used = true;
      return known.host;
    }
    if (this.#deps.isOwnAddress(destination.address, port)) return undefined;
    const host = new Host(destination.address, port);
    this.#hosts.set(label, { host, used: true });
    this.#sweep ??= setInterval(() => this.#clean(), this.#spec.cleanupMs).unref();
    return host;
  }

  stop(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** Envoy: Cluster.cleanup_interval; a host goes when a whole interval has passed without a use. */
  #clean(): void {
    for (const [label, entry] of this.#hosts) {
      const idle = !entry.used && entry.host.active === 0;
      entry.used = false;
      if (!idle) continue;
      this.#hosts.delete(label);
      entry.host.removed = true;
      this.#deps.retire(entry.host);
    }
    if (this.#hosts.size === 0) this.stop();
  }
}

// Gives services their cluster IPs and node ports, as Kubernetes' API server does when one is created.
import { randomInt } from 'node:crypto';
import { invalid } from '../kinds/names.ts';
import { record, records } from '../kinds/pod-template.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { Store } from '../store/store.ts';

const NETWORK = '10.96.0.0/16';
const PREFIX = '10.96.';
/** 10.96.0.0 to 10.96.0.15 are for the cluster's own services, which ask for their address. */
const FIRST_DYNAMIC = 16;
const LAST = 256 * 256 - 2;
/** Those below `firstDynamic` are for services that ask for theirs (Kubernetes' static band). */
const NODE_PORTS = { first: 30_000, firstDynamic: 30_086, last: 32_767 } as const;
const SERVICE = { group: '', kind: 'Service' } as const;

export class ServiceAddresses {
  readonly #store: Store;
  readonly #pick: (from: number, below: number) => number;
  /** Given out, but perhaps not stored yet. */
  readonly #reserved = new Set<string | number>();

  constructor(store: Store, pick: (from: number, below: number) => number = randomInt) {
    this.#store = store;
    this.#pick = pick;
  }

  /** Fills in what the service lacks. Call the result once the service is stored, or will not be. */
  assign(service: KubeObject): () => void {
    const spec = record(service['spec']);
    const taken = this.#taken(service);
    const mine: (string | number)[] = [];
    const release = () => {
      for (const one of mine) this.#reserved.delete(one);
    };
    const reserve = (one: string | number) => {
      this.#reserved.add(one);
      taken.add(one);
      mine.push(one);
    };
    try {
      this.#assignAddress(service, spec, taken, reserve);
      this.#assignPorts(service, spec, taken, reserve);
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  #assignAddress(
    service: KubeObject,
    spec: Record<string, unknown>,
    taken: Set<string | number>,
    reserve: (one: string) => void,
  ): void {
    if (spec['type'] === 'ExternalName') {
      delete spec['clusterIP'];
      delete spec['clusterIPs'];
      return;
    }
    const given =
      spec['clusterIP'] === ''
        ? undefined
        : (spec['clusterIP'] ?? (Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'][0] : undefined));
    if (given === undefined) {
      const address = this.#free(FIRST_DYNAMIC, LAST + 1, (number) => `${PREFIX}${number >> 8}.${number & 255}`, taken);
      if (address === undefined) throw StatusError.internal(`failed to allocate a serviceIP: range ${NETWORK} is full`);
      reserve(address);
      spec['clusterIP'] = address;
    } else if (given !== 'None') {
      const problem =
        addressProblem(String(given)) ?? (taken.has(String(given)) ? 'provided IP is already allocated' : undefined);
      if (problem !== undefined) {
        const why = `failed to allocate IP ${String(given)}: ${problem}`;
        throw StatusError.invalid(SERVICE, service.metadata?.name ?? '', [invalid('spec.clusterIPs', [given], why)]);
      }
      reserve(String(given));
      spec['clusterIP'] = given;
    } else spec['clusterIP'] = 'None';
    spec['clusterIPs'] = [spec['clusterIP']];
    spec['ipFamilies'] ??= ['IPv4'];
    spec['ipFamilyPolicy'] ??= 'SingleStack';
  }

  #assignPorts(
    service: KubeObject,
    spec: Record<string, unknown>,
    taken: Set<string | number>,
    reserve: (one: number) => void,
  ): void {
    if (
      spec['type'] !== 'NodePort' &&
      !(spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false)
    )
      return;
    for (const [index, port] of records(spec['ports']).entries()) {
      const given = Number(port['nodePort'] ?? 0);
      if (given === 0) {
        const free = this.#free(NODE_PORTS.firstDynamic, NODE_PORTS.last + 1, (number) => number, taken);
        if (free === undefined)
          throw StatusError.internal(
            `failed to allocate a nodePort: range ${NODE_PORTS.firstDynamic}-${NODE_PORTS.last} is full`,
          );
        reserve(free);
        port['nodePort'] = free;
      } else {
        const outside = given < NODE_PORTS.first || given > NODE_PORTS.last;
        if (outside || taken.has(given)) {
          const why = outside
            ? `provided port is not in the valid range. The range of valid ports is ${NODE_PORTS.first}-${NODE_PORTS.last}`
            : 'provided port is already allocated';
          throw StatusError.invalid(SERVICE, service.metadata?.name ?? '', [
            invalid(`spec.ports[${index}].nodePort`, given, why),
          ]);
        }
        reserve(given);
      }
    }
  }

  /** A free value, begun at a random one: a service made anew does not get the address of the one before. */
  #free<T extends string | number>(
    from: number,
    below: number,
    form: (number: number) => T,
    taken: ReadonlySet<string | number>,
  ): T | undefined {
    const start = this.#pick(from, below);
    for (let step = 0; step < below - from; step++) {
      const candidate = form(from + ((start - from + step) % (below - from)));
      if (!taken.has(candidate)) return candidate;
    }
    return undefined;
  }

  #taken(except: KubeObject): Set<string | number> {
    const taken = new Set(this.#reserved);
    for (const service of this.#store.list('services').items) {
      if (
        service.metadata?.name === except.metadata?.name &&
        service.metadata?.namespace === except.metadata?.namespace
      )
        continue;
      const spec = record(service['spec']);
      if (typeof spec['clusterIP'] === 'string') taken.add(spec['clusterIP']);
      for (const port of records(spec['ports'])) if (typeof port['nodePort'] === 'number') taken.add(port['nodePort']);
    }
    taken.delete('None');
    return taken;
  }
}

function addressProblem(address: string): string | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (match === null || match.slice(1).some((part) => Number(part) > 255))
    return 'must be a valid IPv4 address, or None';
  if (address.startsWith(PREFIX) && address !== '10.96.0.0' && address !== '10.96.255.255') return undefined;
  return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${NETWORK}`;
}

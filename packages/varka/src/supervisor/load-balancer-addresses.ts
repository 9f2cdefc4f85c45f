// Gives each Service of type LoadBalancer an address of its own in the profile's part of the loopback network.
import type { Service } from '@varka/kube/client/typed-objects.ts';

/** .1 is the ingress gateway's, .254 says that the part is taken. */
const FIRST = 2;
const LAST = 253;
/** On a machine that has no other they share it, and their ports must differ. */
const ONLY_ADDRESS = '127.0.0.1';

export class LoadBalancerAddresses {
  readonly #prefix: string | undefined;
  readonly #gateway: string;
  /** By service, as namespace/name. */
  readonly #given = new Map<string, string>();

  /** `prefix` as `127.77.5`; `gateway` is the Service, as namespace/name, that always has the first address. */
  constructor(prefix: string | undefined, gateway: string) {
    this.#prefix = prefix;
    this.#gateway = gateway;
  }

  get gateway(): string {
    return this.#prefix === undefined ? ONLY_ADDRESS : `${this.#prefix}.1`;
  }

  isGateway(key: string): boolean {
    return key === this.#gateway;
  }

  /** Undefined when every address is given away. The same one again for as long as the service is known, or says so itself. */
  of(key: string, { spec, status }: Service): string | undefined {
    if (this.isGateway(key) || this.#prefix === undefined) return this.gateway;
    const given = this.#given.get(key);
    if (given !== undefined) return given;
    const taken = new Set(this.#given.values());
    const wished = [spec?.loadBalancerIP, status?.loadBalancer?.ingress?.[0]?.ip];
    const address = [...wished, ...this.#all()].find(
      (one) => one !== undefined && this.#isOurs(one) && !taken.has(one),
    );
    if (address !== undefined) this.#given.set(key, address);
    return address;
  }

  release(key: string): void {
    this.#given.delete(key);
  }

  #isOurs(address: string): boolean {
    const [, host = ''] = address.split(`${this.#prefix}.`);
    return address === `${this.#prefix}.${host}` && /^\d+$/.test(host) && Number(host) >= FIRST && Number(host) <= LAST;
  }

  *#all(): Generator<string> {
    for (let host = FIRST; host <= LAST; host++) yield `${this.#prefix}.${host}`;
  }
}

// Pod addresses: the next free one of the node's range, so that an address rests before it is used again.

export class AddressPool {
  readonly #base: number;
  readonly #size: number;
  readonly #taken = new Set<number>();
  #next: number;

  /** `cidr` as 10.244.0.0/16; the first `reserved` host addresses are kept back (the node is the first). */
  constructor(cidr: string, reserved = 1) {
    const { address, prefixLength } = parseCidr(cidr);
    this.#base = toNumber(address);
    this.#size = 2 ** (32 - prefixLength);
    for (let host = 0; host <= reserved; host++) this.#taken.add(host);
    this.#taken.add(this.#size - 1);
    this.#next = reserved + 1;
  }

  allocate(): string {
    for (let tried = 0; tried < this.#size; tried++) {
      const host = this.#next;
      this.#next = (this.#next + 1) % this.#size;
      if (!this.#taken.has(host)) {
        this.#taken.add(host);
        return toAddress(this.#base + host);
      }
    }
    throw new Error(`every pod address of ${toAddress(this.#base)} is taken (${this.#taken.size}): delete some pods`);
  }

  release(address: string): void {
    this.#taken.delete(toNumber(address) - this.#base);
  }
}

export interface Cidr {
  readonly address: string;
  readonly prefixLength: number;
}

export function parseCidr(cidr: string): Cidr {
  const [address = '', length = ''] = cidr.split('/');
  const prefixLength = Number(length);
  const whole = /^\d+$/.test(length) && prefixLength >= 8 && prefixLength <= 29;
  if (!whole || toNumber(address) % 2 ** (32 - prefixLength) !== 0) {
    throw new TypeError(`not a network of pod addresses: ${cidr} (wanted as 10.244.0.0/16, a prefix of 8 to 29 bits)`);
  }
  return { address, prefixLength };
}

export function contains({ address, prefixLength }: Cidr, candidate: string): boolean {
  const size = 2 ** (32 - prefixLength);
  return Math.floor(toNumber(candidate) / size) === Math.floor(toNumber(address) / size);
}

function toNumber(address: string): number {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    throw new TypeError(`not an IPv4 address: ${address}`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number / 2 ** shift) & 255).join('.');
}

/** The first host address of a network: the node, every pod's gateway. */
export function firstHost(cidr: string): string {
  return toAddress(toNumber(parseCidr(cidr).address) + 1);
}

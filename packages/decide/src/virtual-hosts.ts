// Which virtual host a Host header belongs to: exact, longest `*.suffix`, longest `prefix.*`, then `*`
// (VirtualHost.domains; Envoy: RouteMatcher::findVirtualHost). Case does not count; the port does, unless
// RouteConfiguration.ignore_port_in_host_matching takes it away first.
import type { Problems } from './problems.ts';

export interface DomainSearch<T> {
  find(authority: string): T | undefined;
}

/** Wildcards of one length share a map, longest first; a wildcard stands for at least one character. */
class Wildcards<T> {
  readonly #byLength = new Map<number, Map<string, T>>();
  #lengths: number[] = [];

  add(part: string, value: T): boolean {
    let same = this.#byLength.get(part.length);
    if (same === undefined) {
      same = new Map();
      this.#byLength.set(part.length, same);
      this.#lengths = [...this.#byLength.keys()].sort((a, b) => b - a);
    }
    if (same.has(part)) return false;
    same.set(part, value);
    return true;
  }

  find(host: string, cut: (host: string, length: number) => string): T | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const found = this.#byLength.get(length)!.get(cut(host, length));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const suffixOf = (host: string, length: number): string => host.slice(host.length - length);
const prefixOf = (host: string, length: number): string => host.slice(0, length);

/** `host:port` and `[v6]:port` without the port. */
export function stripPort(host: string): string {
  const colon = host.lastIndexOf(':');
  if (colon === -1 || !/^[0-9]+$/.test(host.slice(colon + 1))) return host;
  if (host.startsWith('[')) return host[colon - 1] === ']' ? host.slice(0, colon) : host;
  return host.indexOf(':') === colon ? host.slice(0, colon) : host;
}

export class VirtualHosts<T> implements DomainSearch<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes = new Wildcards<T>();
  readonly #prefixes = new Wildcards<T>();
  #default: T | undefined = undefined;
  #onlyDefault = true;
  readonly #ignorePort: boolean;

  constructor(ignorePort: boolean) {
    this.#ignorePort = ignorePort;
  }

  add(domain: string, value: T, problems: Problems): void {
    const lower = domain.toLowerCase();
    if (lower === '') problems.add('a domain is empty');
    else if (lower === '*') {
      if (this.#default !== undefined) problems.add('only a single wildcard domain "*" is permitted');
      this.#default = value;
    } else {
      this.#onlyDefault = false;
      if (!this.#addNamed(lower, value)) problems.add(`domain ${JSON.stringify(domain)} is there twice`);
    }
  }

  #addNamed(domain: string, value: T): boolean {
    if (domain.startsWith('*')) return this.#suffixes.add(domain.slice(1), value);
    if (domain.endsWith('*')) return this.#prefixes.add(domain.slice(0, -1), value);
    if (this.#exact.has(domain)) return false;
    this.#exact.set(domain, value);
    return true;
  }

  find(authority: string): T | undefined {
    if (this.#onlyDefault) return this.#default;
    if (authority === '') return undefined;
    const lower = authority.toLowerCase();
    const host = this.#ignorePort ? stripPort(lower) : lower;
    return (
      this.#exact.get(host) ??
      this.#suffixes.find(host, suffixOf) ??
      this.#prefixes.find(host, prefixOf) ??
      this.#default
    );
  }
}

// Host names in rules: short names, wildcards, and which of several fits best [istio pkg/config/host].

/**
 * A name without a dot is a service in the object's own namespace (VirtualService.hosts, Destination.host:
 * "short names are interpreted based on the namespace of the rule, not the service").
 */
export function resolveHost(host: string, namespace: string, clusterDomain: string): string {
  if (host.includes('.') || host.startsWith('*')) return host.toLowerCase();
  return `${host}.${namespace}.svc.${clusterDomain}`.toLowerCase();
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/** Whether every name that `host` stands for is one that `pattern` stands for. */
export function covers(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true;
  if (!isWildcard(pattern)) return false;
  return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

/** The narrower of two patterns when they overlap (a gateway's host and a rule's): what both allow. */
export function intersection(a: string, b: string): string | undefined {
  if (covers(a, b)) return b;
  if (covers(b, a)) return a;
  return undefined;
}

/** Longer is narrower; an exact name is narrower than any wildcard. */
export function moreSpecific(a: string, b: string): number {
  if (isWildcard(a) !== isWildcard(b)) return isWildcard(a) ? 1 : -1;
  return b.length - a.length;
}

export function mostSpecific<T>(candidates: readonly T[], hostOf: (candidate: T) => string): T | undefined {
  return candidates.toSorted((a, b) => moreSpecific(hostOf(a), hostOf(b)))[0];
}

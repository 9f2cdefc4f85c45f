// A URL path worth trying: the first that a VirtualService on a gateway serves for every host.
import type { KubeObject } from '@varka/kube/object.ts';

interface HttpRoute {
  readonly match?: readonly {
    readonly uri?: { readonly exact?: string; readonly prefix?: string };
    readonly [other: string]: unknown;
  }[];
}

interface VirtualServiceSpec {
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly HttpRoute[];
}

/** A match that asks for more than a path (a header, a method) is not one to try with a plain curl. */
function pathOf({ match }: HttpRoute): string | undefined {
  if (match === undefined || match.length === 0) return '/';
  const plain = match.find(({ uri, name: _name, ...others }) => uri !== undefined && Object.keys(others).length === 0);
  return plain?.uri?.exact ?? plain?.uri?.prefix;
}

export function pathToTry(virtualServices: readonly KubeObject[]): string | undefined {
  for (const object of virtualServices) {
    const { hosts = [], gateways = [], http = [] } = (object['spec'] ?? {}) as VirtualServiceSpec;
    if (!hosts.includes('*') || !gateways.some((name) => name !== 'mesh')) continue;
    const path = http.map(pathOf).find((candidate) => candidate !== undefined);
    if (path !== undefined) return path;
  }
  return undefined;
}

// Objects that are not Istio's, and say which paths of which hosts lead to which Services, written as what they mean in
// Istio's own words: one Gateway, and one VirtualService for each host. Pure.
import type { GatewayObject, HttpRoute, VirtualServiceObject } from './istio-types.ts';

/** Where the Gateway is put, and which proxies it is for. */
export interface EdgeContext {
  readonly clusterDomain: string;
  readonly namespace: string;
  readonly gatewaySelector: Readonly<Record<string, string>>;
  /** A Service's ports, if it is there. */
  ports(service: { readonly namespace: string; readonly name: string }): readonly EdgePort[] | undefined;
}

export interface EdgePort {
  readonly name: string;
  readonly number: number;
  readonly targetPort: number | string;
}

export interface EdgeConfig {
  readonly gateways: readonly GatewayObject[];
  readonly virtualServices: readonly VirtualServiceObject[];
}

export type PathMatch = { exact: string; prefix?: never } | { prefix: string; exact?: never };

/** One comparison, and where it leads. */
export interface Candidate {
  readonly uri: PathMatch;
  /** Of two equally long, one that is written as exact comes first. */
  readonly exact: boolean;
  readonly route: HttpRoute;
}

/** By host, in lower case; `*` is any. */
export type HostRules = ReadonlyMap<string, readonly Candidate[]>;

/** `fallback` is for what no candidate of a host is for. */
export function hostConfig(name: string, rules: HostRules, context: EdgeContext, fallback?: HttpRoute): EdgeConfig {
  if (rules.size === 0) return { gateways: [], virtualServices: [] };
  const metadata = (own: string) => ({ name: own, namespace: context.namespace });
  return {
    gateways: [
      {
        metadata: metadata(name),
        spec: {
          selector: { ...context.gatewaySelector },
          servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
        },
      },
    ],
    virtualServices: [...rules].map(([host, candidates]) => ({
      metadata: metadata(`${host === '*' ? 'any' : host.replace(/^\*/, 'any')}-${name}`),
      spec: {
        hosts: [host],
        gateways: [name],
        http: [...inOrder(candidates), ...(fallback === undefined ? [] : [fallback])],
      },
    })),
  };
}

/** "The longest matching path wins", for Ingresses as for Routes. */
function inOrder(candidates: readonly Candidate[]): HttpRoute[] {
  const length = ({ uri }: Candidate): number => (uri.exact ?? uri.prefix).length;
  const sorted = candidates.toSorted((a, b) => length(b) - length(a) || Number(b.exact) - Number(a.exact));
  return sorted.map(({ route }) => route);
}

/** Element by element: `/a` is `/a` and `/a/b`, but not `/ab`. */
export function segments(path: string): PathMatch[] {
  const whole = path.replace(/\/+$/, '');
  return whole === '' ? [{ prefix: '/' }] : [{ exact: whole }, { prefix: `${whole}/` }];
}

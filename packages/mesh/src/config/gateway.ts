// An Istio Gateway: which proxies it configures, and on which ports they listen for which hosts.
import type { GatewayObject, GatewayServer } from './istio-types.ts';

export interface Gateway {
  /** `namespace/name`, as VirtualServices refer to it. */
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly servers: readonly GatewayServer[];
}

export function toGateway(object: GatewayObject): Gateway {
  const { name = '', namespace = '' } = object.metadata ?? {};
  return {
    id: `${namespace}/${name}`,
    name,
    namespace,
    selector: object.spec?.selector ?? {},
    servers: object.spec?.servers ?? [],
  };
}

/** Server hosts are `host` or `namespace/host`; the namespace limits which rules may bind (`.` its own, `*` any). */
export function parseServerHost(text: string, gatewayNamespace: string): { namespace: string; host: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { namespace: '*', host: text.toLowerCase() };
  const scope = text.slice(0, slash);
  return { namespace: scope === '.' ? gatewayNamespace : scope, host: text.slice(slash + 1).toLowerCase() };
}

/** An empty selector selects every gateway proxy (Gateway.selector). */
export function gatewaySelects(gateway: Gateway, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(gateway.selector).every(([key, value]) => labels[key] === value);
}

// Where the host reaches a Service: its node ports on 127.0.0.1, its load balancer's ports on an address of its own. Pure.
import type { Service } from '@varka/kube/client/typed-objects.ts';
import type { EntranceStatus, ListenRefusal } from '../protocol.ts';

const NODE_HOST = '127.0.0.1';

export interface Entrance {
  readonly type: EntranceStatus['type'];
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  /** As the EndpointSlices name it; empty when the Service's only port has no name. */
  readonly portName: string;
  /** The Service's own number for it. */
  readonly servicePort: number;
}

export function addressOf({ host, port }: Pick<Entrance, 'host' | 'port'>): string {
  return `${host}:${port}`;
}

/** What there is once: TCP and UDP have ports of their own. */
export function idOf(entrance: Entrance): string {
  return `${addressOf(entrance)}/${entrance.protocol}`;
}

/** `balancerHost`: of a Service of type LoadBalancer. */
export function entrancesOf({ spec }: Service, balancerHost: string | undefined): Entrance[] {
  if (spec?.type !== 'NodePort' && spec?.type !== 'LoadBalancer') return [];
  return (spec.ports ?? []).flatMap(({ name: portName = '', port, nodePort, protocol = 'TCP' }): Entrance[] => {
    const shared = { protocol, portName, servicePort: port };
    return [
      ...(nodePort ? [{ ...shared, type: 'NodePort' as const, host: NODE_HOST, port: nodePort }] : []),
      ...(balancerHost === undefined ? [] : [{ ...shared, type: 'LoadBalancer' as const, host: balancerHost, port }]),
    ];
  });
}

/** Ours are all but those of another class (Kubernetes: spec.loadBalancerClass). */
export function wantsLoadBalancer({ spec }: Service): boolean {
  return spec?.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;
}

/** In the form of `status.loadBalancer.ingress[].ports[].error`, and in words. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
}

export const NOT_TCP: Trouble = {
  code: 'varka.dev/ProtocolNotCarried',
  message: 'only TCP is carried from the host into the cluster',
};

export function troubleOf({ code, message }: ListenRefusal, address: string): Trouble {
  switch (code) {
    case 'EADDRINUSE':
      return { code: 'varka.dev/PortTaken', message: `another program of this machine listens on ${address}` };
    case 'EACCES':
      return {
        code: 'varka.dev/PortNotPermitted',
        message: `this user may not listen on ${address}: a port below 1024 takes root, or sysctl net.ipv4.ip_unprivileged_port_start`,
      };
    default:
      return { code: 'varka.dev/PortRefused', message: `cannot listen on ${address}: ${message}` };
  }
}

/** What the Service asks of its load balancer and does not get, in sentences. */
export function unheeded({ spec }: Service, balancerHost: string): string[] {
  const { loadBalancerIP = '', loadBalancerSourceRanges = [] } = spec ?? {};
  return [
    ...(loadBalancerIP === '' || loadBalancerIP === balancerHost
      ? []
      : [`spec.loadBalancerIP ${loadBalancerIP} cannot be had; the address is ${balancerHost}`]),
    ...(loadBalancerSourceRanges.length === 0
      ? []
      : ['spec.loadBalancerSourceRanges is not carried out: whoever is on this machine may connect, and nobody else']),
  ];
}

interface LoadBalancerStatus {
  readonly ingress: readonly {
    readonly ip: string;
    readonly ipMode: 'VIP';
    readonly ports?: readonly { readonly port: number; readonly protocol: string; readonly error?: string }[];
  }[];
}

/** The ports are told when one of them has a trouble, by `idOf` (core/v1 PortStatus). */
export function loadBalancerStatus(
  ip: string,
  entrances: readonly Entrance[],
  troubles: ReadonlyMap<string, Trouble>,
): LoadBalancerStatus {
  const own = entrances.filter(({ type }) => type === 'LoadBalancer');
  const ports = own.map((entrance) => {
    const trouble = troubles.get(idOf(entrance));
    const { port, protocol } = entrance;
    return { port, protocol, ...(trouble === undefined ? {} : { error: trouble.code }) };
  });
  const troubled = ports.some((port) => 'error' in port);
  return { ingress: [{ ip, ipMode: 'VIP', ...(troubled ? { ports } : {}) }] };
}

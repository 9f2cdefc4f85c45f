// What an OpenShift Route is told: its host, and whether anything serves it. Pure.
import { type RouteObject, terminatesHere } from '../config/openshift-route.ts';
import { GATEWAY_NAME, SYSTEM_NAMESPACE } from './addresses.ts';
import { type Condition, withTransitionTimes } from './conditions.ts';

/** The gateway's own Route says where it is; any other gets a name of this machine's own, which leads there too (RFC 6761). */
export function wantedHost(route: RouteObject, gatewayHost: string): string {
  const { name, namespace } = route.metadata ?? {};
  if (leadsToGateway(route)) return gatewayHost;
  const port = gatewayHost.slice(gatewayHost.lastIndexOf(':'));
  return `${name}-${namespace}.localhost${port}`;
}

function leadsToGateway({ metadata, spec }: RouteObject): boolean {
  const { kind = 'Service', name } = spec?.to ?? {};
  return metadata?.namespace === SYSTEM_NAMESPACE && kind === 'Service' && name === GATEWAY_NAME;
}

export function routeStatus(route: RouteObject, gatewayHost: string, now: Date): Record<string, unknown> {
  const host = route.spec?.host || wantedHost(route, gatewayHost);
  const admitted = admission(route, host, gatewayHost);
  const before = (route['status'] as { ingress?: readonly { conditions?: readonly Condition[] }[] } | undefined)
    ?.ingress?.[0]?.conditions;
  return {
    ingress: [
      {
        host,
        routerName: 'varka',
        wildcardPolicy: 'None',
        conditions: withTransitionTimes([admitted], before, now),
      },
    ],
  };
}

function admission(route: RouteObject, host: string, gatewayHost: string): Condition {
  const refused = (message: string): Condition => ({ type: 'Admitted', status: 'False', reason: 'NotServed', message });
  const served: Condition = { type: 'Admitted', status: 'True', reason: 'Served' };
  if (leadsToGateway(route)) return host === gatewayHost ? served : refused(`the gateway is reached at ${gatewayHost}`);
  const { termination } = route.spec?.tls ?? {};
  if (!terminatesHere(route))
    return refused(`TLS that does not end at the gateway (${termination}) is not carried out`);
  return termination === undefined
    ? served
    : { ...served, message: 'served without TLS, which is not carried out yet' };
}

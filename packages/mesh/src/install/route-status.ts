// What an OpenShift Route is told: its host, and whether anything serves it. Pure.
import type { KubeObject } from '@varka/kube/object.ts';
import { GATEWAY_NAME, SYSTEM_NAMESPACE } from './addresses.ts';
import { type Condition, withTransitionTimes } from './conditions.ts';

interface RouteSpec {
  readonly host?: string;
  readonly to?: { readonly kind?: string; readonly name?: string };
}

/** The only Service that the host's published port leads to is the gateway's. */
export function wantedHost(route: KubeObject, gatewayHost: string): string | undefined {
  const to = specOf(route).to;
  const gateway =
    route.metadata?.namespace === SYSTEM_NAMESPACE &&
    (to?.kind ?? 'Service') === 'Service' &&
    to?.name === GATEWAY_NAME;
  return gateway ? gatewayHost : undefined;
}

export function routeStatus(route: KubeObject, gatewayHost: string, now: Date): Record<string, unknown> {
  const host = specOf(route).host || wantedHost(route, gatewayHost);
  const served = wantedHost(route, gatewayHost);
  const admitted: Condition =
    served !== undefined && host === served
      ? { type: 'Admitted', status: 'True', reason: 'Served' }
      : {
          type: 'Admitted',
          status: 'False',
          reason: 'NotServed',
          message:
            served === undefined
              ? `only Routes to Service ${SYSTEM_NAMESPACE}/${GATEWAY_NAME} are served; ` +
                'expose this Service with a Gateway and a VirtualService'
              : `the gateway is reached at ${served}`,
        };
  const before = (route['status'] as { ingress?: readonly { conditions?: readonly Condition[] }[] } | undefined)
    ?.ingress?.[0]?.conditions;
  return {
    ingress: [
      {
        ...(host === undefined ? {} : { host }),
        routerName: 'varka',
        wildcardPolicy: 'None',
        conditions: withTransitionTimes([admitted], before, now),
      },
    ],
  };
}

function specOf(route: KubeObject): RouteSpec {
  return (route['spec'] ?? {}) as RouteSpec;
}

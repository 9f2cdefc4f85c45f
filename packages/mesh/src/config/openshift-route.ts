// OpenShift Routes as rules for hosts: what OpenShift's router would do with them, done by the ingress gateway. Pure.
import type { KubeObject } from '@varka/kube/object.ts';
import { type Candidate, type EdgeConfig, type EdgeContext, hostConfig, segments } from './host-rules.ts';
import type { HttpRoute, HttpRouteDestination } from './istio-types.ts';

interface RouteBackend {
  readonly kind?: string;
  readonly name?: string;
  readonly weight?: number;
}

export interface RouteObject extends KubeObject {
  spec?: {
    host?: string;
    path?: string;
    to?: RouteBackend;
    alternateBackends?: readonly RouteBackend[];
    port?: { targetPort?: string | number };
    tls?: { termination?: string };
  };
}

const NAME = 'openshift-routes';
/** RouteTargetReference.weight, where none is given. */
const WEIGHT = 100;

/** TLS that does not end at the router is nothing that a gateway without TLS could carry. */
export function terminatesHere({ spec }: RouteObject): boolean {
  return spec?.tls === undefined || spec.tls.termination === 'edge';
}

/** Those without a host, and with one that names an address instead (the gateway's own Route), are not for a host. */
export function routeConfig(routes: readonly RouteObject[], context: EdgeContext): EdgeConfig {
  const byHost = new Map<string, Candidate[]>();
  for (const route of routes.filter(terminatesHere)) {
    const host = (route.spec?.host ?? '').toLowerCase().replace(/:\d+$/, '');
    if (host === '' || /^[\d.]+$/.test(host)) continue;
    const candidates = byHost.get(host) ?? [];
    byHost.set(host, candidates);
    const { namespace, name } = route.metadata ?? {};
    const target = leadTo(route, context);
    for (const uri of segments(route.spec?.path ?? '')) {
      candidates.push({
        uri,
        exact: false,
        route: { name: `route/${namespace}/${name}`, match: [{ uri }], ...target },
      });
    }
  }
  return hostConfig(NAME, byHost, context);
}

function leadTo(route: RouteObject, context: EdgeContext): Pick<HttpRoute, 'route' | 'directResponse'> {
  const { to, alternateBackends = [] } = route.spec ?? {};
  const destinations = [...(to === undefined ? [] : [to]), ...alternateBackends].flatMap((backend) =>
    destinationOf(route, backend, context),
  );
  return destinations.length === 0 ? { directResponse: { status: 503 } } : { route: destinations };
}

/** None for a Service that is not there, or has no such port. */
function destinationOf(route: RouteObject, backend: RouteBackend, context: EdgeContext): HttpRouteDestination[] {
  const { kind = 'Service', name = '', weight = WEIGHT } = backend;
  const namespace = route.metadata?.namespace ?? '';
  const ports = kind === 'Service' ? (context.ports({ namespace, name }) ?? []) : [];
  const wanted = route.spec?.port?.targetPort;
  const port = wanted === undefined ? ports[0] : ports.find((one) => one.name === wanted || one.targetPort === wanted);
  if (port === undefined || weight === 0) return [];
  const host = `${name}.${namespace}.svc.${context.clusterDomain}`;
  return [{ destination: { host, port: { number: port.number } }, weight }];
}

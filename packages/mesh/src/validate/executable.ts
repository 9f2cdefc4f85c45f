// Whether the proxy can carry out what a VirtualService says, asked of the very code that will: a proxy refuses all the
// routes it is sent together, so one entry it cannot read would hold up everybody's rules.
import { create } from '@bufbuild/protobuf';
import { compileRouteTable } from '@varka/decide/compile-route-table.ts';
import { RouteConfigurationSchema } from '@varka/xds/gen/envoy/config/route/v3/route_pb.ts';
import { MAX_DIRECT_RESPONSE_BYTES } from '../compile/sidecar-routes.ts';
import { virtualServiceRoutes } from '../compile/virtual-service-routes.ts';
import type { HttpRoute, VirtualServiceObject } from '../config/istio-types.ts';
import { MESH_GATEWAY, toVirtualService } from '../config/virtual-service.ts';
import { CLUSTER_DOMAIN } from '../install/addresses.ts';
import { Snapshot } from '../snapshot.ts';
import type { Place } from './report.ts';

const NOWHERE = new Snapshot({ revision: '' });
const ANYONE = { gateways: new Set([MESH_GATEWAY]), port: 80, namespace: '', labels: {} };
const ROUTE_PATH = /^virtual_hosts\[rule\]\.routes\[\d+\]\.?/;

/** For a rule that is otherwise as it should be. */
export function checkExecutable(object: VirtualServiceObject, http: readonly Place[]): void {
  const rule = toVirtualService(object, CLUSTER_DOMAIN);
  for (const [index, entry] of rule.http.entries()) {
    const routes = virtualServiceRoutes(NOWHERE, { ...rule, http: [forAnyone(entry)] }, ANYONE);
    const compiled = compileRouteTable(
      create(RouteConfigurationSchema, {
        virtualHosts: [{ name: 'rule', domains: ['*'], routes }],
        maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE_BYTES,
      }),
    );
    if (compiled.kind === 'table') continue;
    // Several matches of one entry are several routes, with the same mistake each.
    const sentences = new Set(compiled.errors.map((error) => error.replace(ROUTE_PATH, '')));
    for (const sentence of sentences) http[index]?.error(sentence);
  }
}

/** Without the conditions that leave a route out for some callers. */
function forAnyone(entry: HttpRoute): HttpRoute {
  if (entry.match === undefined) return entry;
  const match = entry.match.map(({ port: _, gateways: __, sourceLabels: ___, sourceNamespace: ____, ...rest }) => rest);
  return { ...entry, match };
}

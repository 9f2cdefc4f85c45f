// What makes a VirtualService acceptable, beyond its schema [istio pkg/config/validation ValidateVirtualService].
import { covers } from '../config/host-names.ts';
import { checkDestinations } from './destination.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkHttpRoute, httpRouteReachability } from './http-route.ts';
import type { Place } from './report.ts';
import { checkExportTo, checkHost, checkLabels, checkPort, hostProblem, isIpAddress } from './values.ts';

const MESH = 'mesh';

export function checkVirtualService(spec: Place): void {
  const gateways = spec.field('gateways');
  checkGatewayNames(gateways);
  const names = gateways.items().map(({ text }) => text);
  const onSidecars = names.length === 0 || names.includes(MESH);
  const hosts = spec.field('hosts');
  if (hosts.items().length === 0) checkDelegate(spec);
  else checkHosts(hosts, onSidecars);

  const http = spec.field('http').items();
  const tls = spec.field('tls').items();
  const tcp = spec.field('tcp').items();
  if (http.length + tls.length + tcp.length === 0) {
    spec.error('http, tcp or tls must be provided in virtual service');
  }
  for (const route of http) checkHttpRoute(route);
  httpRouteReachability(http);
  for (const route of tls) checkTlsRoute(route);
  for (const route of tcp) checkTcpRoute(route);
  checkExportTo(spec.field('exportTo'));
}

/** Without hosts it is a part of others' rules (HTTPRoute.delegate), and says nothing of its own about where it holds. */
function checkDelegate(spec: Place): void {
  for (const name of ['gateways', 'tls', 'tcp']) {
    const field = spec.field(name);
    if (field.items().length > 0) field.error(`delegate virtual service must have no ${name} specified`);
  }
  for (const route of spec.field('http').items()) {
    if (route.field('delegate').isSet) route.field('delegate').error('delegate HTTP route cannot contain delegate');
  }
  const hosts = spec.field('hosts');
  hosts.warn(
    'without hosts it takes effect only where another delegates to it, which this version of Varka leaves out',
  );
}

function checkHosts(hosts: Place, onSidecars: boolean): void {
  let allValid = true;
  for (const host of hosts.items()) {
    const problem = isIpAddress(host.text) ? undefined : hostProblem(host.text, true);
    if (problem !== undefined) {
      host.error(problem);
      allValid = false;
    } else if (host.text === '*' && onSidecars) {
      host.error('wildcard host * is not allowed for virtual services bound to the mesh gateway');
      allValid = false;
    }
  }
  if (!allValid) return;
  const items = hosts.items();
  for (const [index, host] of items.entries()) {
    for (const other of items.slice(index + 1)) {
      if (covers(host.text, other.text) || covers(other.text, host.text)) {
        other.error(`duplicate hosts in virtual service: ${host.text} & ${other.text}`);
      }
    }
  }
}

function checkTlsRoute(route: Place): void {
  const matches = route.field('match').items();
  if (matches.length === 0) route.error('TLS route must have at least one match condition');
  for (const match of matches) {
    const hosts = match.field('sniHosts').items();
    if (hosts.length === 0) match.error('TLS match must have at least one SNI host');
    for (const host of hosts) checkHost(host);
    checkL4Match(match);
  }
  if (route.field('route').items().length === 0) route.error('TLS route is required');
  checkDestinations(route.field('route'));
}

function checkTcpRoute(route: Place): void {
  for (const match of route.field('match').items()) checkL4Match(match);
  if (route.field('route').items().length === 0) route.error('TCP route is required');
  checkDestinations(route.field('route'));
}

function checkL4Match(match: Place): void {
  if (match.field('port').isSet) checkPort(match.field('port'));
  checkLabels(match.field('sourceLabels'));
  checkGatewayNames(match.field('gateways'));
}

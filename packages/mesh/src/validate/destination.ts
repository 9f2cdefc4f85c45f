// Where a route leads: weighted destinations [istio pkg/config/validation validateHTTPRouteDestinations].
import { checkHeaders } from './header-operations.ts';
import type { Place } from './report.ts';
import { checkHost, checkPort, checkSubsetName } from './values.ts';

export function checkDestinations(routes: Place): void {
  let total = 0;
  const items = routes.items();
  for (const item of items) {
    if (!item.field('destination').isSet) item.error('destination is required');
    else checkDestination(item.field('destination'));
    checkHeaders(item.field('headers'));
    const weight = item.field('weight').number ?? 0;
    if (weight < 0) item.field('weight').error(`weight ${weight} < 0`);
    total += weight;
  }
  // A single destination needs no weight; of several, at least one must get requests.
  if (items.length > 1 && total === 0) routes.error('total destination weight = 0');
}

export function checkDestination(destination: Place): void {
  const host = destination.field('host');
  if (host.text === '*') host.error('invalid destination host *');
  else checkHost(host);
  const subset = destination.field('subset');
  if (subset.text !== '') checkSubsetName(subset);
  const port = destination.field('port');
  if (port.isSet) checkPort(port.field('number'));
}

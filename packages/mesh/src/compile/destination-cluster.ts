// A rule's destination as the name of a cluster.
import { resolveHost } from '../config/host-names.ts';
import type { Destination } from '../config/istio-types.ts';
import type { Snapshot } from '../snapshot.ts';
import { outboundCluster } from './names.ts';

/**
 * The cluster may not exist (an unknown host, a subset nobody defined): the proxy then answers 503 with flag NC, which
 * says more than a route that is left out.
 */
export function destinationCluster(
  snapshot: Snapshot,
  destination: Destination,
  namespace: string,
  listenPort: number,
): string {
  const hostname = resolveHost(destination.host, namespace, snapshot.mesh.clusterDomain);
  const service = snapshot.service(hostname);
  const only = service?.ports.length === 1 ? service.ports[0]!.number : undefined;
  const port = destination.port?.number || only || listenPort;
  return outboundCluster(port, destination.subset ?? '', hostname);
}

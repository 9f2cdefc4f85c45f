// LDS for gateways: a listener for each port that some Gateway's servers ask for.
import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import { type Listener, ListenerSchema } from '@varka/xds/gen/envoy/config/listener/v3/listener_pb.ts';
import type { Workload } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import { gatewayPorts } from './gateway-servers.ts';
import { configUri, istioMetadata, socketAddress } from './messages.ts';
import { gatewayRoutes, listenerName } from './names.ts';
import { httpConnectionManager } from './network-filters.ts';

export function gatewayListeners(snapshot: Snapshot, workload: Workload): Listener[] {
  return gatewayPorts(snapshot, workload).map(({ number, servers }) => {
    const name = listenerName('0.0.0.0', number);
    const { gateway } = servers[0]!;
    const manager = httpConnectionManager(snapshot.mesh, {
      statPrefix: `outbound_${name}`,
      routes: { kind: 'rds', name: gatewayRoutes(number) },
      side: 'gateway',
    });
    return create(ListenerSchema, {
      name,
      address: socketAddress('0.0.0.0', number),
      trafficDirection: TrafficDirection.OUTBOUND,
      metadata: istioMetadata({ config: configUri('gateway', gateway.namespace, gateway.name) }),
      filterChains: [{ filters: [manager] }],
    });
  });
}

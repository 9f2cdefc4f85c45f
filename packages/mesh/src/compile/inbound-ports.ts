// Which of a pod's ports a service leads to, and how they are spoken.
import type { Protocol } from '../registry/protocol.ts';
import type { Service } from '../registry/service.ts';
import { selects } from '../registry/workload.ts';
import type { Snapshot } from '../snapshot.ts';
import type { MeshProxy } from './proxy.ts';
import { spokenProtocol } from './visible-services.ts';

export interface InboundPort {
  /** The pod's port. */
  readonly number: number;
  readonly protocol: Protocol;
  /** The first service that leads here. */
  readonly service: Service;
  readonly servicePort: number;
}

/** One entry a port; where services disagree about one, the oldest has it [istio listener_inbound.go]. */
export function inboundPorts(snapshot: Snapshot, { workload, http2 }: MeshProxy): InboundPort[] {
  const ports = new Map<number, InboundPort>();
  for (const service of snapshot.services) {
    if (service.namespace !== workload.namespace || !selects(service.selector, workload.labels)) continue;
    for (const port of service.ports) {
      if (port.protocol === 'udp') continue;
      const number = typeof port.targetPort === 'number' ? port.targetPort : workload.namedPorts.get(port.targetPort);
      if (number === undefined || ports.has(number)) continue;
      ports.set(number, { number, protocol: spokenProtocol(port.protocol, http2), service, servicePort: port.number });
    }
  }
  return [...ports.values()].toSorted((a, b) => a.number - b.number);
}

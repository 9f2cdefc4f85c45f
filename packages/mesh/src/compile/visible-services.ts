// What a proxy sees of the services: those exported to its namespace, their ports spoken as far as it can speak.
import { visibleIn } from '../config/visibility.ts';
import type { Protocol } from '../registry/protocol.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import type { Snapshot } from '../snapshot.ts';

/** All that the outbound side of a proxy depends on; proxies of one view share what is compiled for it. */
export interface View {
  readonly namespace: string;
  /** Whether the proxy can take part in HTTP/2. */
  readonly http2: boolean;
}

export function visibleServices(snapshot: Snapshot, view: View): Service[] {
  return snapshot.services
    .filter((service) => visibleIn(service.exportTo, service.namespace, view.namespace))
    .map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({ ...port, protocol: spokenProtocol(port.protocol, view.http2) })),
    }));
}

/**
 * A proxy without HTTP/2 sniffs such ports: HTTP/1.1 is routed by its rules, HTTP/2 goes through to the service as
 * bytes, a connection at a time.
 */
export function spokenProtocol(protocol: Protocol, http2: boolean): Protocol {
  return !http2 && (protocol === 'http2' || protocol === 'grpc') ? 'auto' : protocol;
}

/** The ports that carry TCP; UDP goes past the mesh. */
export function tcpPorts(service: Service): ServicePort[] {
  return service.ports.filter((port) => port.protocol !== 'udp');
}

// A Kubernetes Service as the mesh sees it.
import type { KubeObject } from '@varka/kube/object.ts';
import type { Service as KubeService } from 'kubernetes-types/core/v1.d.ts';
import { type Protocol, protocolOf } from './protocol.ts';

export type ServiceObject = KubeObject & { [Field in keyof KubeService]: KubeService[Field] };

export interface ServicePort {
  readonly name: string;
  readonly number: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly protocol: Protocol;
}

export interface Service {
  /** `reviews.default.svc.cluster.local`. */
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  /** Addresses a client may have been given for it; empty for a headless service. */
  readonly clusterIps: readonly string[];
  readonly headless: boolean;
  readonly ports: readonly ServicePort[];
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly publishNotReady: boolean;
  /** Namespaces it is visible in; undefined is all (annotation networking.istio.io/exportTo). */
  readonly exportTo: readonly string[] | undefined;
  readonly createdAt: string;
}

const EXPORT_TO = 'networking.istio.io/exportTo';

/** undefined for what has no endpoints of its own (ExternalName). */
export function toService(object: ServiceObject, clusterDomain: string): Service | undefined {
  const { metadata = {}, spec = {} } = object;
  const { name = '', namespace = '' } = metadata;
  if (spec.type === 'ExternalName') return undefined;
  const headless = spec.clusterIP === 'None';
  const clusterIps = headless ? [] : (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []));
  return {
    hostname: `${name}.${namespace}.svc.${clusterDomain}`,
    name,
    namespace,
    clusterIps,
    headless,
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      number: port.port,
      targetPort: port.targetPort ?? port.port,
      protocol: protocolOf(port as Parameters<typeof protocolOf>[0]),
    })),
    selector: spec.selector,
    publishNotReady: spec.publishNotReadyAddresses ?? false,
    exportTo: metadata.annotations?.[EXPORT_TO]?.split(',').map((item) => item.trim()),
    createdAt: String(metadata.creationTimestamp ?? ''),
  };
}

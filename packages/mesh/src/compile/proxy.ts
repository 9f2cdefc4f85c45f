// The proxy that configuration is compiled for.
import type { Workload } from '../registry/workload.ts';

export type ProxyType = 'sidecar' | 'router';

/** What a node id says: `type~ip~pod.namespace~domain` [istio pilot/pkg/model ParseServiceNodeWithMetadata]. */
export interface NodeId {
  readonly type: ProxyType;
  readonly address: string;
  readonly pod: string;
  readonly namespace: string;
}

export interface MeshProxy {
  readonly type: ProxyType;
  readonly workload: Workload;
  /** Whether it can take part in HTTP/2; ours passes it through. */
  readonly http2: boolean;
}

/** undefined when the text is not such an id. */
export function parseNodeId(id: string): NodeId | undefined {
  const [type, address, name, domain, ...rest] = id.split('~');
  if ((type !== 'sidecar' && type !== 'router') || name === undefined || domain === undefined || rest.length > 0)
    return undefined;
  // A pod's name may hold dots, a namespace may not.
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || dot === name.length - 1) return undefined;
  return { type, address: address!, pod: name.slice(0, dot), namespace: name.slice(dot + 1) };
}

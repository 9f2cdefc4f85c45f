// A pod as the mesh sees it: who it is, and what it listens on.
import { canonicalLabels, type PodObject, workloadOf } from '../inject/workload.ts';
import { PROXY_CONTAINER } from '../install/addresses.ts';

export type { PodObject };

export interface Workload {
  readonly pod: string;
  readonly namespace: string;
  /** '' until the pod has an address. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** The Deployment's name, for a pod of one. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** Container ports by name, the proxy's own left out. */
  readonly namedPorts: ReadonlyMap<string, number>;
}

export function toWorkload(pod: PodObject): Workload {
  const { metadata = {}, spec, status } = pod;
  const labels = metadata.labels ?? {};
  const owner = workloadOf(pod);
  const canonical = canonicalLabels(labels, owner);
  const namedPorts = new Map<string, number>();
  for (const container of spec?.containers ?? []) {
    if (container.name === PROXY_CONTAINER && (spec?.containers.length ?? 0) > 1) continue;
    for (const port of container.ports ?? [])
      if (port.name !== undefined) namedPorts.set(port.name, port.containerPort);
  }
  return {
    pod: metadata.name ?? '',
    namespace: metadata.namespace ?? '',
    address: status?.podIP ?? '',
    labels,
    serviceAccount: spec?.serviceAccountName || 'default',
    workloadName: owner.name,
    canonicalName: canonical['service.istio.io/canonical-name'] ?? owner.name,
    canonicalRevision: canonical['service.istio.io/canonical-revision'] ?? 'latest',
    namedPorts,
  };
}

/** Kubernetes: a label selector of plain equalities. An empty one selects nothing here (a Service's does not). */
export function selects(selector: Readonly<Record<string, string>> | undefined, labels: Workload['labels']): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

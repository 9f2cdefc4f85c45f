// What workload a pod belongs to: Istio names and labels its telemetry by the workload, not by the pod.
import type { KubeObject } from '@varka/kube/object.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';

export type PodObject = KubeObject & Pod;

export interface WorkloadRef {
  readonly name: string;
  readonly kind: string;
  readonly apiVersion: string;
}

/** A pod's controller, seen through a ReplicaSet to its Deployment [istio pkg/kube/util.go GetDeployMetaFromPod]. */
export function workloadOf(pod: PodObject): WorkloadRef {
  const metadata = pod.metadata ?? {};
  const controller = metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (controller === undefined) {
    const name = metadata.name ?? (metadata.generateName ?? '').replace(/-$/, '');
    return { name, kind: 'Pod', apiVersion: 'v1' };
  }
  const hash = metadata.labels?.['pod-template-hash'];
  if (controller.kind === 'ReplicaSet' && hash !== undefined && controller.name.endsWith(`-${hash}`)) {
    return { name: controller.name.slice(0, -(hash.length + 1)), kind: 'Deployment', apiVersion: 'apps/v1' };
  }
  return { name: controller.name, kind: controller.kind, apiVersion: controller.apiVersion };
}

/** `kubernetes://apis/apps/v1/namespaces/NS/deployments/NAME`, the form of Istio's node metadata OWNER. */
export function ownerUri(workload: WorkloadRef, namespace: string): string {
  const group = workload.apiVersion === 'v1' ? 'api/v1' : `apis/${workload.apiVersion}`;
  return `kubernetes://${group}/namespaces/${namespace}/${workload.kind.toLowerCase()}s/${workload.name}`;
}

const CANONICAL_NAME = 'service.istio.io/canonical-name';
const CANONICAL_REVISION = 'service.istio.io/canonical-revision';

/** Istio: "Canonical service"; the first label that is there, else the workload's own name and `latest`. */
export function canonicalLabels(
  labels: Readonly<Record<string, string>>,
  workload: WorkloadRef,
): Record<string, string> {
  const name = labels[CANONICAL_NAME] ?? labels['app.kubernetes.io/name'] ?? labels['app'] ?? workload.name;
  const revision = labels[CANONICAL_REVISION] ?? labels['app.kubernetes.io/version'] ?? labels['version'] ?? 'latest';
  return { [CANONICAL_NAME]: name, [CANONICAL_REVISION]: revision };
}

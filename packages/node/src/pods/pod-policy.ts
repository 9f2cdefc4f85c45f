// What a pod's metadata and spec ask of its sandbox: pure readings of the object.
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';

const PROXY_CONTAINER = 'istio-proxy';
/** Linux HOST_NAME_MAX; the kubelet truncates likewise. */
const MAX_HOSTNAME = 63;

/** Whether the pod's traffic is led through its sidecar. A gateway's proxy is the application: nothing to capture. */
export function isCaptured(pod: Pod): boolean {
  const { labels = {}, annotations = {} } = pod.metadata ?? {};
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (!containers.some(({ name }) => name === PROXY_CONTAINER)) return false;
  if (annotations['sidecar.istio.io/interceptionMode'] === 'NONE') return false;
  if (annotations['inject.istio.io/templates'] === 'gateway') return false;
  return labels['security.istio.io/tlsMode'] !== undefined || annotations['sidecar.istio.io/status'] !== undefined;
}

export function hostnameOf(pod: Pod): string {
  const name = pod.spec?.hostname ?? pod.metadata?.name ?? 'pod';
  return name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
}

/** Kubernetes: "Pod's hostname and subdomain fields". */
export function fqdnOf(pod: Pod, clusterDomain: string): string | undefined {
  const subdomain = pod.spec?.subdomain;
  if (subdomain === undefined) return undefined;
  return `${hostnameOf(pod)}.${subdomain}.${pod.metadata?.namespace ?? 'default'}.svc.${clusterDomain}`;
}

export function searchesOf(pod: Pod, clusterDomain: string): string[] {
  const namespace = pod.metadata?.namespace ?? 'default';
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return [...own, ...(pod.spec?.dnsConfig?.searches ?? [])];
}

/** What the pod asks for in vain, where its program would notice; undefined when there is no such thing. */
export function differenceOf(pod: Pod): string | undefined {
  if (pod.spec?.hostNetwork !== true) return undefined;
  return 'hostNetwork: on this machine the pod has a network of its own all the same; reach it at its own address';
}

/** The scheduler's verdict on a pod for the only node; its words when it does not fit. */
export function unschedulable(pod: Pod, nodeLabels: Readonly<Record<string, string>>): PodCondition | undefined {
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  if (selector.every(([key, value]) => nodeLabels[key] === value)) return undefined;
  return {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
  };
}

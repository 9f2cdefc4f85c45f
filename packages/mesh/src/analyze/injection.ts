// Sidecars that are missing: pods that ought to have one, and namespaces with rules but without sidecars.
import type { KubeObject } from '@varka/kube/object.ts';
import { MESH_GATEWAY } from '../config/virtual-service.ts';
import { hasProxy, injectPod } from '../inject/inject-pod.ts';
import type { PodObject } from '../inject/workload.ts';
import { type Finding, refOf } from './finding.ts';
import type { ViewIndex } from './index-of-view.ts';
import * as messages from './messages.ts';
import { finding } from './messages.ts';

export function analyzeInjection(index: ViewIndex): Finding[] {
  const withRules = new Set([
    ...index.virtualServices
      .filter(({ gateways }) => gateways.includes(MESH_GATEWAY))
      .map(({ namespace }) => namespace),
    ...index.destinationRules.map(({ namespace }) => namespace),
  ]);
  return (index.view.namespaces ?? []).flatMap((namespace) => {
    const name = namespace.metadata?.name ?? '';
    const pods = index.pods.filter((pod) => pod.metadata?.namespace === name);
    const missing = pods.flatMap((pod) => missingProxy(pod, namespace, index));
    if (missing.length > 0) return missing;
    if (!withRules.has(name) || pods.length === 0 || pods.some(hasProxy)) return [];
    return [finding(messages.namespaceNotInjected, refOf('Namespace', namespace), '', { namespace: name })];
  });
}

/** The very decision that is made at a pod's creation, made again now. */
function missingProxy(pod: PodObject, namespace: KubeObject, index: ViewIndex): Finding[] {
  const { memberRolls = [], injectionPolicy: policy = 'enabled' } = index.view;
  const decision = injectPod(pod, { namespace, memberRolls, policy });
  if (!decision.inject && !decision.asked) return [];
  return [
    finding(messages.podMissingProxy, refOf('Pod', pod), '', {
      pod: pod.metadata?.name ?? '',
      reason: decision.inject ? undefined : decision.reason,
    }),
  ];
}

// DestinationRules: is there a service for the host, and are there pods for the subsets?
import type { Finding, ObjectRef } from './finding.ts';
import { hasLabels, labelText, type ViewIndex } from './index-of-view.ts';
import * as messages from './messages.ts';
import { finding } from './messages.ts';

export function analyzeDestinationRules(index: ViewIndex): Finding[] {
  return index.destinationRules.flatMap((rule) => {
    const ref: ObjectRef = { kind: 'DestinationRule', namespace: rule.namespace, name: rule.name };
    if (!index.anyService(rule.host)) {
      const candidates = index.candidates(rule.host);
      return [finding(messages.unknownDestinationRuleHost, ref, 'spec.host', { host: rule.host, candidates })];
    }
    const service = index.service(rule.host);
    // A wildcard stands for services of different labels, and without a selector the endpoints are the user's own.
    if (service?.selector === undefined) return [];
    const pods = index.podsOf(service);
    return rule.subsets.flatMap((subset, number) => {
      const labels = subset.labels ?? {};
      if (pods.some((pod) => hasLabels(pod.metadata?.labels, labels))) return [];
      return [
        finding(messages.subsetSelectsNoPods, ref, `spec.subsets[${number}]`, {
          subset: subset.name,
          host: rule.host,
          labels: labelText({ ...service.selector, ...labels }),
        }),
      ];
    });
  });
}

// DestinationRules with their names resolved, and which one holds for a service [istio push_context.go destinationRule].

import { covers, mostSpecific, resolveHost } from './host-names.ts';
import type { DestinationRuleObject, Subset, TrafficPolicy } from './istio-types.ts';
import { visibleIn } from './visibility.ts';

export interface DestinationRule {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  readonly exportTo: readonly string[] | undefined;
}

export function toDestinationRule(object: DestinationRuleObject, clusterDomain: string): DestinationRule {
  const { name = '', namespace = '' } = object.metadata ?? {};
  return {
    name,
    namespace,
    host: resolveHost(object.spec?.host ?? '', namespace, clusterDomain),
    trafficPolicy: object.spec?.trafficPolicy,
    subsets: object.spec?.subsets ?? [],
    exportTo: object.spec?.exportTo,
  };
}

/**
 * The rule for `hostname` as a client in `clientNamespace` sees it: one in the client's namespace, else one in the
 * service's, else one in the root namespace; of several in one namespace the narrowest host.
 */
export function destinationRuleFor(
  rules: readonly DestinationRule[],
  hostname: string,
  namespaces: { client: string; service: string; root: string },
): DestinationRule | undefined {
  const matching = rules.filter((rule) => covers(rule.host, hostname));
  if (matching.length === 0) return undefined;
  for (const namespace of new Set([namespaces.client, namespaces.service, namespaces.root])) {
    const visible = matching.filter(
      (rule) => rule.namespace === namespace && visibleIn(rule.exportTo, rule.namespace, namespaces.client),
    );
    const narrowest = mostSpecific(visible, (rule) => rule.host);
    if (narrowest !== undefined) return merge(visible.filter((rule) => rule.host === narrowest.host));
  }
  return undefined;
}

/** Rules of one namespace for one host are joined: the oldest's policy, and every subset once [destination_rule.go]. */
function merge(rules: readonly DestinationRule[]): DestinationRule {
  const first = rules[0]!;
  if (rules.length === 1) return first;
  const subsets = new Map<string, Subset>();
  for (const rule of rules)
    for (const subset of rule.subsets) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  const trafficPolicy = rules.find((rule) => rule.trafficPolicy !== undefined)?.trafficPolicy;
  return { ...first, trafficPolicy, subsets: [...subsets.values()] };
}

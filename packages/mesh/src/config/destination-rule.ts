// DestinationRules with their names resolved, and which one holds for a service [istio push_context.go destinationRule].

import { covers, mostSpecific, resolveHost } from './host-names.ts';
import type { DestinationRuleObject, Subset, TrafficPolicy } from './istio-types.ts';
import { visibleIn } from './visibility.ts';

export interface DestinationRule {
  /** `namespace/name`, of all that were joined into it; no two rules of a snapshot have the same. */
  readonly id: string;
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
    id: `${namespace}/${name}`,
    name,
    namespace,
    host: resolveHost(object.spec?.host ?? '', namespace, clusterDomain),
    trafficPolicy: object.spec?.trafficPolicy,
    subsets: object.spec?.subsets ?? [],
    exportTo: object.spec?.exportTo,
  };
}

/**
 * The rule for `hostname` as a client sees it: one in the client's namespace, else one in the service's, else one in the
 * root namespace; of several in one namespace the narrowest host. For a client in the root namespace itself (a gateway,
 * mostly) only rules that are private to it come first: the others there are the mesh's defaults, not its own.
 */
export function destinationRuleFor(
  rules: readonly DestinationRule[],
  hostname: string,
  namespaces: { client: string; service: string; root: string },
): DestinationRule | undefined {
  const matching = rules.filter((rule) => covers(rule.host, hostname));
  if (matching.length === 0) return undefined;
  const { client, service, root } = namespaces;
  const visible = matching.filter((rule) => visibleIn(rule.exportTo, rule.namespace, client));
  const own = visible.filter((rule) => rule.namespace === client && (client !== root || isPrivate(rule)));
  return (
    narrowestOf(own) ??
    narrowestOf(visible.filter((rule) => rule.namespace === service)) ??
    narrowestOf(visible.filter((rule) => rule.namespace === root))
  );
}

function isPrivate({ exportTo, namespace }: DestinationRule): boolean {
  return exportTo?.length === 1 && (exportTo[0] === '.' || exportTo[0] === namespace);
}

function narrowestOf(rules: readonly DestinationRule[]): DestinationRule | undefined {
  const narrowest = mostSpecific(rules, (rule) => rule.host);
  return narrowest === undefined ? undefined : merge(rules.filter((rule) => rule.host === narrowest.host));
}

/** Rules of one namespace for one host are joined: the oldest's policy, and every subset once [destination_rule.go]. */
function merge(rules: readonly DestinationRule[]): DestinationRule {
  const first = rules[0]!;
  if (rules.length === 1) return first;
  const subsets = new Map<string, Subset>();
  for (const rule of rules)
    for (const subset of rule.subsets) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  const trafficPolicy = rules.find((rule) => rule.trafficPolicy !== undefined)?.trafficPolicy;
  return { ...first, id: rules.map(({ id }) => id).join('+'), trafficPolicy, subsets: [...subsets.values()] };
}

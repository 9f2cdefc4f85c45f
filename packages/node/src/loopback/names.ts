// What a pod's resolver makes of a name: its hosts file, its search list, then the cluster's DNS. Pure.
import { answer, type DnsView } from '../dns/answer.ts';
import type { FabricTable } from './fabric-table.ts';

/** A pod's own part of the answer (Kubernetes: /etc/hosts and /etc/resolv.conf in a pod). */
export interface ResolverConfig {
  /** Name to addresses. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  readonly searches: readonly string[];
}

export type NameAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'unknown' }
  /** Not the cluster's to say; `name` is where an ExternalName service led, or the name itself. */
  | { readonly kind: 'outside'; readonly name: string };

/** As the kubelet writes it: names with fewer dots try the search list first. */
const NDOTS = 5;

export function resolveName(asked: string, { hosts, searches }: ResolverConfig, table: FabricTable): NameAnswer {
  const name = asked.toLowerCase();
  const known = own(hosts, name);
  if (known !== undefined) return { kind: 'addresses', addresses: known };
  const view = viewOf(table);
  const dots = name.split('.').length - 1;
  const absolute = name.endsWith('.') ? name.slice(0, -1) : name;
  const searched = name.endsWith('.') ? [] : searches.map((domain) => `${absolute}.${domain}`);
  for (const candidate of dots < NDOTS ? [...searched, absolute] : [absolute, ...searched]) {
    const found = addressesOf(candidate, view, table.zone);
    if (found !== undefined) return found;
  }
  // What is in no domain, and what is in the cluster's, is known here or nowhere: to ask the machine could take long.
  const outside = absolute.includes('.') && absolute !== table.zone && !absolute.endsWith(`.${table.zone}`);
  return outside ? { kind: 'outside', name: absolute } : { kind: 'unknown' };
}

function addressesOf(name: string, view: DnsView, zone: string): NameAnswer | undefined {
  const said = answer({ name, type: 'A' }, view, zone);
  if (said.kind === 'external') return said.name === name ? undefined : { kind: 'outside', name: said.name };
  const addresses = said.answers.flatMap((record) =>
    record.type === 'A' && typeof record.data === 'string' ? [record.data] : [],
  );
  return addresses.length === 0 ? undefined : { kind: 'addresses', addresses };
}

export function viewOf({ names, standIns }: FabricTable): DnsView {
  return {
    service: (namespace, name) => own(own(names, namespace) ?? {}, name),
    hasServices: (namespace) => Object.hasOwn(names, namespace),
    standIn: (name) => own(standIns, name),
    reverse: () => undefined,
  };
}

/** Anybody may ask for a name that every object has something under, like `constructor`. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

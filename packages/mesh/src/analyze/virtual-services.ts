// VirtualServices: do their hosts, destinations, subsets and gateways exist, and do two of them claim one host?
import { parseServerHost } from '../config/gateway.ts';
import { intersection, isWildcard } from '../config/host-names.ts';
import type { Destination } from '../config/istio-types.ts';
import { MESH_GATEWAY, type VirtualService } from '../config/virtual-service.ts';
import { CLUSTER_DOMAIN } from '../install/addresses.ts';
import type { Finding, ObjectRef } from './finding.ts';
import type { ViewIndex } from './index-of-view.ts';
import * as messages from './messages.ts';
import { finding } from './messages.ts';

export function analyzeVirtualServices(index: ViewIndex): Finding[] {
  return [
    ...index.virtualServices.flatMap((rule) => [
      ...destinations(rule, index),
      ...gateways(rule, index),
      ...ownHosts(rule, index),
    ]),
    ...conflicts(index),
  ];
}

const refTo = ({ namespace, name }: VirtualService): ObjectRef => ({ kind: 'VirtualService', namespace, name });
const idOf = ({ namespace, name }: VirtualService): string => `${namespace}/${name}`;

function destinations(rule: VirtualService, index: ViewIndex): Finding[] {
  return rule.http.flatMap((route, routeNumber) =>
    (route.route ?? []).flatMap(({ destination }, number) =>
      oneDestination(rule, destination, `spec.http[${routeNumber}].route[${number}].destination`, index),
    ),
  );
}

function oneDestination(rule: VirtualService, destination: Destination, path: string, index: ViewIndex): Finding[] {
  const fqdn = index.fqdn(destination.host, rule.namespace);
  const service = index.service(fqdn);
  if (service === undefined) {
    const candidates = index.candidates(destination.host);
    return [finding(messages.hostNotFound, refTo(rule), `${path}.host`, { host: destination.host, fqdn, candidates })];
  }
  const found: Finding[] = [];
  const ports = service.ports.map(({ number }) => number);
  const port = destination.port?.number;
  if (port !== undefined && !ports.includes(port)) {
    found.push(finding(messages.portNotFound, refTo(rule), `${path}.port.number`, { host: fqdn, port, known: ports }));
  }
  if (port === undefined && ports.length > 1) {
    found.push(finding(messages.portRequired, refTo(rule), path, { host: destination.host, ports }));
  }
  const { subset } = destination;
  const chosen = index.destinationRule(service, rule.namespace);
  if (subset && !chosen?.subsets.some(({ name }) => name === subset)) {
    found.push(
      finding(messages.subsetNotFound, refTo(rule), `${path}.subset`, {
        host: fqdn,
        subset,
        rule: chosen && `${chosen.namespace}/${chosen.name}`,
        known: chosen?.subsets.map(({ name }) => name) ?? [],
      }),
    );
  }
  return found;
}

function gateways(rule: VirtualService, index: ViewIndex): Finding[] {
  return rule.gateways.flatMap((id, number) => {
    if (id === MESH_GATEWAY) return [];
    const gateway = index.gateways.get(id);
    const path = `spec.gateways[${number}]`;
    if (gateway === undefined) {
      return [finding(messages.gatewayNotFound, refTo(rule), path, { gateway: id, known: [...index.gateways.keys()] })];
    }
    const served = gateway.servers
      .flatMap(({ hosts }) => hosts.map((host) => parseServerHost(host, gateway.namespace)))
      .filter(({ namespace }) => namespace === '*' || namespace === rule.namespace)
      .map(({ host }) => host);
    return rule.hosts
      .filter((host) => !served.some((one) => intersection(one, host) !== undefined))
      .map((host) => finding(messages.hostNotInGateway, refTo(rule), path, { host, gateway: id, served }));
  });
}

/** Only for names of this cluster: what else there is on the internet is not known here. */
function ownHosts(rule: VirtualService, index: ViewIndex): Finding[] {
  if (!rule.gateways.includes(MESH_GATEWAY)) return [];
  return rule.hosts.flatMap((host, number) => {
    const inCluster = host.endsWith(`.svc.${CLUSTER_DOMAIN}`);
    if (!inCluster || isWildcard(host) || index.anyService(host)) return [];
    const candidates = index.candidates(host);
    return [finding(messages.ruleHostNotFound, refTo(rule), `spec.hosts[${number}]`, { host, candidates })];
  });
}

/** At a gateway, rules for one host are merged; a sidecar takes the oldest. */
function conflicts(index: ViewIndex): Finding[] {
  const byHost = new Map<string, VirtualService[]>();
  for (const rule of oldestFirst(index)) {
    if (!rule.gateways.includes(MESH_GATEWAY)) continue;
    for (const host of new Set(rule.hosts)) byHost.set(host, [...(byHost.get(host) ?? []), rule]);
  }
  return [...byHost].flatMap(([host, rules]) => {
    const rivals = rules.filter((rule) => rules.some((other) => other !== rule && seeEachOther(rule, other)));
    return rivals.map((rule) =>
      finding(messages.conflictingHosts, refTo(rule), 'spec.hosts', { host, rules: rivals.map(idOf) }),
    );
  });
}

function oldestFirst(index: ViewIndex): VirtualService[] {
  const born = new Map(
    (index.view.virtualServices ?? []).map(({ metadata }) => [
      `${metadata?.namespace}/${metadata?.name}`,
      String(metadata?.creationTimestamp ?? ''),
    ]),
  );
  const age = (rule: VirtualService): string => `${born.get(idOf(rule))} ${rule.name}.${rule.namespace}`;
  return index.virtualServices.toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
}

/** Whether there is a namespace in which both are visible. */
function seeEachOther(a: VirtualService, b: VirtualService): boolean {
  const scope = ({ exportTo, namespace }: VirtualService): string[] =>
    exportTo === undefined || exportTo.length === 0 ? ['*'] : exportTo.map((item) => (item === '.' ? namespace : item));
  const [first, second] = [scope(a), scope(b)];
  return first.includes('*') || second.includes('*') || first.some((item) => second.includes(item));
}
